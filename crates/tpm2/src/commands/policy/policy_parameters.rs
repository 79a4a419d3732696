//! `TPM2_PolicyParameters` (Part 3, 23.24).

use crate::session::BoundHash;
use crate::structures::{Digest, ShPolicy};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Limits a policy to a command with these parameters, whatever its handles.
#[derive(Command)]
#[command(code = 0x19C)]
#[doc(alias = "TPM2_PolicyParameters")]
pub struct PolicyParameters {
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
    /// Digest of command code and parameters.
    pub p_hash: Digest,
}

impl Execute for PolicyParameters {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let session = self.policy_session.0;
        let size = tpm.policy(session)?.0.size();
        if self.p_hash.len() != size {
            return Err(Fault::SIZE.at_parameter(1));
        }
        if tpm.policy(session)?.1.bound.is_some() {
            return Err(Fault::CPHASH);
        }
        tpm.extend_policy(session, &[&0x19Cu32.to_be_bytes(), &self.p_hash])?;
        tpm.policy_mut(session)?.bound = Some(BoundHash::Parameters(self.p_hash));
        Ok(())
    }
}
