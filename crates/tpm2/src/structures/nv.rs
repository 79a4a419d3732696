//! NV Indexes (Part 2, 13).

use super::{Digest, MAX_NV_BUFFER, MAX_NV_INDEX, NvAttributes, RhNvIndex};
use sealwright_core::{Buffer, Fault, Reader, Wire, Writer};
use sealwright_crypto::HashAlg;
use sealwright_derive::Wire;

/// TPM2B_MAX_NV_BUFFER.
pub type NvBuffer = Buffer<MAX_NV_BUFFER>;

/// TPMS_NV_PUBLIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NvPublic {
    /// Handle.
    pub index: RhNvIndex,
    /// Algorithm of the Name, and of an extend Index.
    pub name_alg: HashAlg,
    /// Attributes.
    pub attributes: NvAttributes,
    /// Policy digest, or empty.
    pub auth_policy: Digest,
    /// Size of the data in bytes.
    pub data_size: u16,
}

impl Wire for NvPublic {
    const MAX_SIZE: usize =
        RhNvIndex::MAX_SIZE + HashAlg::MAX_SIZE + NvAttributes::MAX_SIZE + Digest::MAX_SIZE + u16::MAX_SIZE;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let (index, name_alg, attributes) = (RhNvIndex::read(r)?, HashAlg::read(r)?, NvAttributes::read(r)?);
        let (auth_policy, data_size) = (Digest::read(r)?, u16::read(r)?);
        // The limit belongs to the type (Table 198: `{:MAX_NV_INDEX_SIZE}`), before anything else is looked at.
        if usize::from(data_size) > MAX_NV_INDEX {
            return Err(Fault::SIZE);
        }
        Ok(Self { index, name_alg, attributes, auth_policy, data_size })
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        self.index.write(w)?;
        self.name_alg.write(w)?;
        self.attributes.write(w)?;
        self.auth_policy.write(w)?;
        self.data_size.write(w)
    }
}

/// TPMS_NV_PIN_COUNTER_PARAMETERS: the data of pin-pass and pin-fail Indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
pub struct PinCounter {
    /// Uses so far.
    pub count: u32,
    /// Uses allowed.
    pub limit: u32,
}

/// TPMT_NV_PUBLIC_2: the kind of handle, then the public area of that kind. There is no external or permanent NV here:
/// their handle types are TPM_RC_HANDLE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NvPublic2(pub NvPublic);

const HT_NV_INDEX: u8 = 0x01;

impl Wire for NvPublic2 {
    const MAX_SIZE: usize = 1 + NvPublic::MAX_SIZE;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        if u8::read(r)? != HT_NV_INDEX {
            return Err(Fault::HANDLE);
        }
        NvPublic::read(r).map(Self)
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        HT_NV_INDEX.write(w)?;
        self.0.write(w)
    }
}
