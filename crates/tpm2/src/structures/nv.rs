//! NV Indexes (Part 2, 13).

use super::{Digest, MAX_NV_BUFFER, NvAttributes, RhNvIndex};
use sealwright_core::Buffer;
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
