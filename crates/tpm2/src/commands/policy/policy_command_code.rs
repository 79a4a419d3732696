//! `TPM2_PolicyCommandCode` (Part 3, 23.11).

use crate::structures::ShPolicy;
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Limits a policy to one command.
#[derive(Command)]
#[command(code = 0x16C)]
#[doc(alias = "TPM2_PolicyCommandCode")]
pub struct PolicyCommandCode {
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
    /// The command.
    pub code: u32,
}

impl Execute for PolicyCommandCode {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let session = self.policy_session.0;
        let before = tpm.policy(session)?.1.command_code;
        if before != 0 && before != self.code {
            return Err(Fault::VALUE.at_parameter(1));
        }
        if !tpm.has_command(self.code) {
            return Err(Fault::POLICY_CC.at_parameter(1));
        }
        tpm.extend_policy(session, &[&0x16Cu32.to_be_bytes(), &self.code.to_be_bytes()])?;
        tpm.policy_mut(session)?.command_code = self.code;
        Ok(())
    }
}
