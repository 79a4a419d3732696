//! `TPM2_DictionaryAttackLockReset` (Part 3, 25.2).

use crate::structures::RhLockout;
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Forgets all failed tries.
#[derive(Command)]
#[command(code = 0x139, nv)]
#[doc(alias = "TPM2_DictionaryAttackLockReset")]
pub struct DictionaryAttackLockReset {
    /// LOCKOUT.
    #[handle(auth = user)]
    pub lock_handle: RhLockout,
}

impl Execute for DictionaryAttackLockReset {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        tpm.permanent_mut().failed_tries = 0;
        Ok(())
    }
}
