//! `TPM2_NV_SetBits` (Part 3, 31.10).

use crate::structures::{NvAttributes, NvType, RhNvAuth, RhNvIndex};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Sets bits of a bit-field Index.
#[derive(Command)]
#[command(code = 0x135, nv)]
#[doc(alias = "TPM2_NV_SetBits")]
pub struct NvSetBits {
    /// Source of the authorization.
    #[handle(auth = user)]
    pub auth_handle: RhNvAuth,
    /// The Index.
    #[handle]
    pub nv_index: RhNvIndex,
    /// Bits to set.
    pub bits: u64,
}

impl Execute for NvSetBits {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let index = tpm.nv_index(self.nv_index.0)?;
        tpm.nv_write_access_check(self.auth_handle.0, self.nv_index.0, &index)?;
        if !index.is(NvType::Bits) {
            return Err(Fault::ATTRIBUTES.at_handle(2));
        }
        let old = if index.has(NvAttributes::WRITTEN) { index.value() } else { 0 };
        if index.has(NvAttributes::WRITTEN) && old | self.bits == old {
            return Ok(());
        }
        let mut next = (*index).clone();
        next.set_value(old | self.bits);
        tpm.nv_store(next);
        Ok(())
    }
}
