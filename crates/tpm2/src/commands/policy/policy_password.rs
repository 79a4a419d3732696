//! `TPM2_PolicyPassword` (Part 3, 23.18).

use crate::structures::ShPolicy;
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Requires the authorization value of the entity, as a password. The digest is that of TPM2_PolicyAuthValue.
#[derive(Command)]
#[command(code = 0x18C)]
#[doc(alias = "TPM2_PolicyPassword")]
pub struct PolicyPassword {
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
}

impl Execute for PolicyPassword {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let session = self.policy_session.0;
        tpm.extend_policy(session, &[&0x16Bu32.to_be_bytes()])?;
        let policy = tpm.policy_mut(session)?;
        (policy.auth_value_needed, policy.password_needed) = (false, true);
        Ok(())
    }
}
