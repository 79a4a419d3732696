//! `TPM2_PolicyNameHash` (Part 3, 23.14).

use crate::session::BoundHash;
use crate::structures::{Digest, ShPolicy};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Limits a policy to commands with these handles.
#[derive(Command)]
#[command(code = 0x170)]
#[doc(alias = "TPM2_PolicyNameHash")]
pub struct PolicyNameHash {
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
    /// Digest of the Names of the handles.
    pub name_hash: Digest,
}

impl Execute for PolicyNameHash {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let session = self.policy_session.0;
        let size = tpm.policy(session)?.0.size();
        if self.name_hash.len() != size {
            return Err(Fault::SIZE.at_parameter(1));
        }
        if tpm.policy(session)?.1.bound.is_some() {
            return Err(Fault::CPHASH);
        }
        tpm.extend_policy(session, &[&0x170u32.to_be_bytes(), &self.name_hash])?;
        tpm.policy_mut(session)?.bound = Some(BoundHash::Names(self.name_hash));
        Ok(())
    }
}
