//! `TPM2_NV_UndefineSpace` (Part 3, 31.4).

use crate::structures::{NvAttributes, RhNvIndex, RhProvision, rh};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Removes an NV Index.
#[derive(Command)]
#[command(code = 0x122, nv)]
#[doc(alias = "TPM2_NV_UndefineSpace")]
pub struct NvUndefineSpace {
    /// OWNER or PLATFORM.
    #[handle(auth = user)]
    pub auth_handle: RhProvision,
    /// The Index.
    #[handle]
    pub nv_index: RhNvIndex,
}

impl Execute for NvUndefineSpace {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let index = tpm.nv_index(self.nv_index.0)?;
        if index.has(NvAttributes::POLICY_DELETE) {
            return Err(Fault::ATTRIBUTES.at_handle(2));
        }
        if self.auth_handle.0 == rh::OWNER && index.has(NvAttributes::PLATFORMCREATE) {
            return Err(Fault::NV_AUTHORIZATION);
        }
        tpm.nv_delete(self.nv_index.0);
        Ok(())
    }
}
