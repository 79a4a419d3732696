//! `TPM2_PolicyRestart` (Part 3, 11.2).

use crate::structures::ShPolicy;
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Sets a policy session back to its beginning. Its nonce stays.
#[derive(Command)]
#[command(code = 0x180)]
#[doc(alias = "TPM2_PolicyRestart")]
pub struct PolicyRestart {
    /// The policy session.
    #[handle]
    pub session_handle: ShPolicy,
}

impl Execute for PolicyRestart {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        tpm.restart_policy(self.session_handle.0)
    }
}
