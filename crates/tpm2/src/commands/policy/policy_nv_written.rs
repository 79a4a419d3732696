//! `TPM2_PolicyNvWritten` (Part 3, 23.20).

use crate::structures::ShPolicy;
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Limits a policy to an Index that was, or was not yet, written.
#[derive(Command)]
#[command(code = 0x18F)]
#[doc(alias = "TPM2_PolicyNvWritten")]
pub struct PolicyNvWritten {
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
    /// True if it must have been written.
    pub written_set: bool,
}

impl Execute for PolicyNvWritten {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let session = self.policy_session.0;
        if tpm.policy(session)?.1.nv_written.is_some_and(|written| written != self.written_set) {
            return Err(Fault::VALUE.at_parameter(1));
        }
        tpm.extend_policy(session, &[&0x18Fu32.to_be_bytes(), &[u8::from(self.written_set)]])?;
        tpm.policy_mut(session)?.nv_written = Some(self.written_set);
        Ok(())
    }
}
