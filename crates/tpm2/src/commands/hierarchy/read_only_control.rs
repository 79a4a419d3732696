//! `TPM2_ReadOnlyControl` (Part 3, 24.9 of revision 1.84).

use crate::structures::RhPlatform;
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Switches read-only mode on or off, until the next TPM Reset or Restart.
#[derive(Command)]
#[command(code = 0x1A0, nv)]
#[doc(alias = "TPM2_ReadOnlyControl")]
pub struct ReadOnlyControl {
    /// PLATFORM.
    #[handle(auth = user)]
    pub auth_handle: RhPlatform,
    /// On or off.
    pub state: bool,
}

impl Execute for ReadOnlyControl {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        if tpm.state.clear.read_only != self.state {
            tpm.clear_mut().read_only = self.state;
            tpm.clear_orderly();
        }
        Ok(())
    }
}
