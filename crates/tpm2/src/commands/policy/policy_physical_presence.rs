//! `TPM2_PolicyPhysicalPresence` (Part 3, 23.12).

use crate::structures::ShPolicy;
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Requires physical presence when the policy is used.
#[derive(Command)]
#[command(code = 0x187)]
#[doc(alias = "TPM2_PolicyPhysicalPresence")]
pub struct PolicyPhysicalPresence {
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
}

impl Execute for PolicyPhysicalPresence {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let session = self.policy_session.0;
        tpm.extend_policy(session, &[&0x187u32.to_be_bytes()])?;
        tpm.policy_mut(session)?.pp_required = true;
        Ok(())
    }
}
