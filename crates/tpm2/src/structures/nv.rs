//! NV Indexes (Part 2, 13).

use super::{Digest, MAX_NV_BUFFER, NvAttributes, RhNvIndex};
use sealwright_core::{Buffer, Fault, Reader, Wire, Writer};
use sealwright_crypto::HashAlg;
use sealwright_derive::Wire;

/// TPM2B_MAX_NV_BUFFER.
pub type NvBuffer = Buffer<MAX_NV_BUFFER>;

/// TPMS_NV_PUBLIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
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
