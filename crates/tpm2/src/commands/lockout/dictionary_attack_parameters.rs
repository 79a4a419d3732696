//! `TPM2_DictionaryAttackParameters` (Part 3, 25.3).

use crate::structures::RhLockout;
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Sets how many tries are allowed and how fast they are forgotten.
#[derive(Command)]
#[command(code = 0x13A, nv)]
#[doc(alias = "TPM2_DictionaryAttackParameters")]
pub struct DictionaryAttackParameters {
    /// LOCKOUT.
    #[handle(auth = user)]
    pub lock_handle: RhLockout,
    /// Failed tries before lockout; 0 is always locked out.
    pub new_max_tries: u32,
    /// Seconds until one try is forgotten; 0 switches the protection off.
    pub new_recovery_time: u32,
    /// Seconds until lockoutAuth may be tried again; 0 is the next reset.
    pub lockout_recovery: u32,
}

impl Execute for DictionaryAttackParameters {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let time = tpm.state.volatile.time;
        let permanent = tpm.permanent_mut();
        permanent.max_tries = self.new_max_tries;
        permanent.recovery_time = self.new_recovery_time;
        permanent.lockout_recovery = self.lockout_recovery;
        permanent.self_heal_timer = time;
        permanent.lockout_timer = time;
        Ok(())
    }
}
