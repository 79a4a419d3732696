//! Capabilities (Part 2, 6.12, 10.8 to 10.10).

use super::{Alg, Digest, PcrSelections};
use sealwright_core::{Buffer, List};
use sealwright_crypto::HashAlg;
use sealwright_derive::Wire;

/// TPM_CAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
#[wire(repr = u32, refuse = "VALUE")]
#[expect(missing_docs, reason = "each is TPM_CAP_<name>")]
pub enum Capability {
    Algs = 0,
    Handles = 1,
    Commands = 2,
    PpCommands = 3,
    AuditCommands = 4,
    Pcrs = 5,
    TpmProperties = 6,
    PcrProperties = 7,
    EccCurves = 8,
    AuthPolicies = 9,
    Act = 10,
}

/// A capability as it was asked for. `None` are the properties of a vendor: there are none, but the value unmarshals and
/// is refused when the whole command has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedCapability(pub Option<Capability>);

impl sealwright_core::Wire for AskedCapability {
    const MAX_SIZE: usize = Capability::MAX_SIZE;
    fn read(r: &mut sealwright_core::Reader<'_>) -> Result<Self, sealwright_core::Fault> {
        let mut ahead = *r;
        if u32::read(&mut ahead)? == VENDOR_PROPERTY {
            *r = ahead;
            return Ok(Self(None));
        }
        Capability::read(r).map(|capability| Self(Some(capability)))
    }
    fn write(&self, w: &mut sealwright_core::Writer<'_>) -> Result<(), sealwright_core::Fault> {
        match self.0 {
            Some(capability) => capability.write(w),
            None => VENDOR_PROPERTY.write(w),
        }
    }
}

const VENDOR_PROPERTY: u32 = 0x100;

/// TPMS_ALG_PROPERTY.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Wire)]
pub struct AlgProperty {
    /// Algorithm.
    pub alg: Alg,
    /// TPMA_ALGORITHM.
    pub attributes: u32,
}

/// TPMS_TAGGED_PROPERTY.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Wire)]
pub struct TaggedProperty {
    /// TPM_PT.
    pub property: u32,
    /// Value.
    pub value: u32,
}

/// TPMS_TAGGED_PCR_SELECT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Wire)]
pub struct TaggedPcrSelect {
    /// TPM_PT_PCR.
    pub tag: u32,
    /// Size of the bit map: 3.
    pub size: u8,
    /// Bit map.
    pub select: [u8; 3],
}

/// TPMS_TAGGED_POLICY: the policy of a hierarchy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Wire)]
pub struct TaggedPolicy {
    /// Hierarchy.
    pub handle: u32,
    /// Hash algorithm, or NULL.
    pub hash: Alg,
    /// Digest without a size field: as many bytes as the algorithm says.
    pub digest: PolicyBytes,
}

/// The bytes of a digest without a size field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicyBytes(pub Digest);

impl sealwright_core::Wire for PolicyBytes {
    const MAX_SIZE: usize = 64;
    fn read(_: &mut sealwright_core::Reader<'_>) -> Result<Self, sealwright_core::Fault> {
        Err(sealwright_core::Fault::VALUE) // the size comes from the field before it; the TPM only writes it
    }
    fn write(&self, w: &mut sealwright_core::Writer<'_>) -> Result<(), sealwright_core::Fault> {
        w.bytes(&self.0)
    }
}

/// TPMS_CAPABILITY_DATA: lists as long as 1024 bytes (MAX_CAP_BUFFER) hold.
#[derive(Clone, Debug, Wire)]
#[wire(tag = u32, refuse = "VALUE")]
#[expect(missing_docs, reason = "each is TPM_CAP_<name>")]
#[expect(clippy::large_enum_variant, reason = "made and written at once, on the stack")]
pub enum CapabilityData {
    #[wire(value = 0)]
    Algs(List<AlgProperty, 169>),
    #[wire(value = 1)]
    Handles(List<u32, 254>),
    #[wire(value = 2)]
    Commands(List<u32, 254>),
    #[wire(value = 3)]
    PpCommands(List<u32, 254>),
    #[wire(value = 4)]
    AuditCommands(List<u32, 254>),
    #[wire(value = 5)]
    Pcrs(PcrSelections),
    #[wire(value = 6)]
    TpmProperties(List<TaggedProperty, 127>),
    #[wire(value = 7)]
    PcrProperties(List<TaggedPcrSelect, 84>),
    #[wire(value = 8)]
    EccCurves(List<u16, 508>),
    #[wire(value = 9)]
    AuthPolicies(List<TaggedPolicy, 14>),
    #[wire(value = 10)]
    Act(List<AlgProperty, 1>),
}

/// A hash algorithm as an [`Alg`].
impl From<HashAlg> for Alg {
    fn from(hash: HashAlg) -> Self {
        Self(hash.id())
    }
}

/// TPM2B_MAX_BUFFER.
pub type MaxBuffer = Buffer<{ super::MAX_BUFFER }>;
