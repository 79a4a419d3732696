//! `TPM2_PolicyAuthValue` (Part 3, 23.17).

use crate::structures::ShPolicy;
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Requires the authorization value of the entity, as an HMAC key.
#[derive(Command)]
#[command(code = 0x16B)]
#[doc(alias = "TPM2_PolicyAuthValue")]
pub struct PolicyAuthValue {
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
}

impl Execute for PolicyAuthValue {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let session = self.policy_session.0;
        tpm.extend_policy(session, &[&0x16Bu32.to_be_bytes()])?;
        let policy = tpm.policy_mut(session)?;
        (policy.auth_value_needed, policy.password_needed) = (true, false);
        Ok(())
    }
}
