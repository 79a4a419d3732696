//! `TPM2_NV_UndefineSpaceSpecial` (Part 3, 31.5).

use crate::structures::{NvAttributes, RhNvIndex, RhPlatform};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Removes a platform-created NV Index that needs its policy for that.
#[derive(Command)]
#[command(code = 0x11F, nv)]
#[doc(alias = "TPM2_NV_UndefineSpaceSpecial")]
pub struct NvUndefineSpaceSpecial {
    /// The Index.
    #[handle(auth = admin)]
    pub nv_index: RhNvIndex,
    /// PLATFORM.
    #[handle(auth = user)]
    pub platform: RhPlatform,
}

impl Execute for NvUndefineSpaceSpecial {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let index = tpm.nv_index(self.nv_index.0)?;
        if !index.has(NvAttributes::POLICY_DELETE) {
            return Err(Fault::ATTRIBUTES.at_handle(1));
        }
        tpm.nv_delete(self.nv_index.0);
        Ok(())
    }
}
