//! `TPM2_PolicyAuthorize` (Part 3, 23.16).

use crate::structures::{Data, Digest, HashAlg, Name, ShPolicy, VerifiedTicket};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_core::{Reader, Wire};
use sealwright_derive::Command;
use subtle::ConstantTimeEq;

/// Replaces a policy that a key has approved by the policy of that key.
#[derive(Command)]
#[command(code = 0x16A)]
#[doc(alias = "TPM2_PolicyAuthorize")]
pub struct PolicyAuthorize {
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
    /// The policy that is approved.
    pub approved_policy: Digest,
    /// A qualifier of the approval.
    pub policy_ref: Data,
    /// Name of the key.
    pub key_sign: Name,
    /// Proof that the signature was verified.
    pub check_ticket: VerifiedTicket,
}

impl Execute for PolicyAuthorize {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let session = self.policy_session.0;
        // A Name too short for an algorithm names none.
        let hash = u16::read(&mut Reader::new(&self.key_sign)).ok().and_then(HashAlg::from_id);
        let hash = hash.ok_or(Fault::HASH.at_parameter(3))?;
        if self.key_sign.len().checked_sub(2) != Some(hash.size()) {
            return Err(Fault::SIZE.at_parameter(3));
        }
        let (_, policy) = tpm.policy(session)?;
        if !policy.trial {
            if policy.digest != self.approved_policy {
                return Err(Fault::VALUE.at_parameter(1));
            }
            let approval = tpm.hash(hash, &[&self.approved_policy, &self.policy_ref]);
            let ticket = tpm.verified_ticket(self.check_ticket.hierarchy.0, &approval, &self.key_sign)?;
            if !bool::from(ticket.digest.ct_eq(&self.check_ticket.digest)) {
                return Err(Fault::VALUE.at_parameter(4));
            }
        }
        tpm.clear_policy_digest(session)?;
        tpm.update_policy(session, 0x16A, &self.key_sign, Some(&self.policy_ref), &[], 0)
    }
}
