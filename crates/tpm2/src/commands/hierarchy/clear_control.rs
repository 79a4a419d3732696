//! `TPM2_ClearControl` (Part 3, 24.7).

use crate::structures::{RhClear, rh};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Forbids Clear, or (platform only) allows it again.
#[derive(Command)]
#[command(code = 0x127, nv)]
#[doc(alias = "TPM2_ClearControl")]
pub struct ClearControl {
    /// LOCKOUT or PLATFORM.
    #[handle(auth = user)]
    pub auth: RhClear,
    /// True forbids.
    pub disable: bool,
}

impl Execute for ClearControl {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        if self.auth.0 == rh::LOCKOUT && !self.disable {
            return Err(Fault::AUTH_FAIL);
        }
        if tpm.state.permanent.disable_clear != self.disable {
            tpm.permanent_mut().disable_clear = self.disable;
        }
        Ok(())
    }
}
