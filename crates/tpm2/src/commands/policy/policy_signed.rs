//! `TPM2_PolicySigned` (Part 3, 23.3).

use super::authorization::{self, Timeout};
use crate::structures::{AuthTicket, Data, DhObject, Digest, GivenSignature, HashAlg, Nonce, ShPolicy, Signature, st};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// Adds an authorization that a key has signed.
#[derive(Command)]
#[command(code = 0x160, response = PolicySignedResponse)]
#[doc(alias = "TPM2_PolicySigned")]
pub struct PolicySigned {
    /// The key.
    #[handle]
    pub auth_object: DhObject,
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
    /// The session's nonce, or empty.
    pub nonce_tpm: Nonce,
    /// What the authorization is limited to, or empty.
    pub cp_hash_a: Digest,
    /// A qualifier of the authorization.
    pub policy_ref: Data,
    /// Seconds until it ends; negative asks for a ticket.
    pub expiration: i32,
    /// The signature.
    pub auth: GivenSignature,
}

/// Answer of [`PolicySigned`].
#[derive(Response)]
pub struct PolicySignedResponse {
    /// When the ticket ends.
    pub timeout: Timeout,
    /// The ticket.
    pub policy_ticket: AuthTicket,
}

/// The hash of the signed message.
const fn hash_of(signature: &Signature) -> Option<HashAlg> {
    match signature {
        Signature::Null => None,
        Signature::Hmac(mac) => Some(mac.hash),
        Signature::Rsassa(s) | Signature::Rsapss(s) => Some(s.hash),
        Signature::Ecdsa(s) | Signature::Ecdaa(s) | Signature::Sm2(s) | Signature::EcSchnorr(s) => Some(s.hash),
    }
}

impl Execute for PolicySigned {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<PolicySignedResponse, Fault> {
        let (session, key) = (self.policy_session.0, self.auth_object.0);
        let trial = tpm.policy(session)?.1.trial;
        let mut timeout = 0;
        if !trial {
            timeout = tpm.auth_timeout(session, self.expiration, !self.nonce_tpm.is_empty())?;
            tpm.check_policy_parameters(session, timeout, (&self.nonce_tpm, 1), (&self.cp_hash_a, 2), 4)?;
            let hash = hash_of(&self.auth.0).ok_or(Fault::SCHEME.at_parameter(5))?;
            let expiration = self.expiration.to_be_bytes();
            let message = tpm.hash(hash, &[&self.nonce_tpm, &expiration, &self.cp_hash_a, &self.policy_ref]);
            tpm.verify_signature(key, &message, &self.auth.0).map_err(|fault| fault.at_parameter(5))?;
        }
        let name = tpm.entity_name(key)?;
        tpm.update_policy(session, 0x160, &name, Some(&self.policy_ref), &self.cp_hash_a, timeout)?;
        let end = (timeout, self.nonce_tpm.is_empty());
        let wanted = self.expiration < 0 && !trial;
        let (timeout, policy_ticket) =
            authorization::answer(tpm, st::AUTH_SIGNED, key, wanted, end, &self.cp_hash_a, &self.policy_ref)?;
        Ok(PolicySignedResponse { timeout, policy_ticket })
    }
}
