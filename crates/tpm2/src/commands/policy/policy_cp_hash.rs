//! `TPM2_PolicyCpHash` (Part 3, 23.13).

use crate::session::BoundHash;
use crate::structures::{Digest, ShPolicy};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Limits a policy to one command with these parameters.
#[derive(Command)]
#[command(code = 0x16E)]
#[doc(alias = "TPM2_PolicyCpHash")]
pub struct PolicyCpHash {
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
    /// cpHash of the command.
    pub cp_hash_a: Digest,
}

impl Execute for PolicyCpHash {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let session = self.policy_session.0;
        let size = tpm.policy(session)?.0.size();
        if self.cp_hash_a.len() != size {
            return Err(Fault::SIZE.at_parameter(1));
        }
        let occupied = tpm
            .policy(session)?
            .1
            .bound
            .as_ref()
            .is_some_and(|bound| !matches!(bound, BoundHash::Command(digest) if *digest == self.cp_hash_a));
        if occupied {
            return Err(Fault::CPHASH);
        }
        tpm.extend_policy(session, &[&0x16Eu32.to_be_bytes(), &self.cp_hash_a])?;
        tpm.policy_mut(session)?.bound = Some(BoundHash::Command(self.cp_hash_a));
        Ok(())
    }
}
