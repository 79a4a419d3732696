//! `TPM2_PolicyTemplate` (Part 3, 23.21).

use crate::session::BoundHash;
use crate::structures::{Digest, ShPolicy};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Limits a policy to the creation of objects by one template.
#[derive(Command)]
#[command(code = 0x190)]
#[doc(alias = "TPM2_PolicyTemplate")]
pub struct PolicyTemplate {
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
    /// Digest of the template.
    pub template_hash: Digest,
}

impl Execute for PolicyTemplate {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let session = self.policy_session.0;
        let size = tpm.policy(session)?.0.size();
        match &tpm.policy(session)?.1.bound {
            Some(BoundHash::Template(digest)) if *digest != self.template_hash => {
                return Err(Fault::VALUE.at_parameter(1));
            }
            Some(BoundHash::Template(_)) | None => {}
            Some(_) => return Err(Fault::CPHASH),
        }
        if self.template_hash.len() != size {
            return Err(Fault::SIZE.at_parameter(1));
        }
        tpm.extend_policy(session, &[&0x190u32.to_be_bytes(), &self.template_hash])?;
        tpm.policy_mut(session)?.bound = Some(BoundHash::Template(self.template_hash));
        Ok(())
    }
}
