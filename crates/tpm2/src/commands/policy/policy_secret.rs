//! `TPM2_PolicySecret` (Part 3, 23.4).

use super::authorization::{self, Timeout};
use crate::structures::{AuthTicket, Data, DhEntity, Digest, Nonce, NvType, ShPolicy, st};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// Adds an authorization by the authorization value of another entity.
#[derive(Command)]
#[command(code = 0x151, response = PolicySecretResponse)]
#[doc(alias = "TPM2_PolicySecret")]
pub struct PolicySecret {
    /// The other entity.
    #[handle(auth = user)]
    pub auth_handle: DhEntity,
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
}

/// Answer of [`PolicySecret`].
#[derive(Response)]
pub struct PolicySecretResponse {
    /// When the ticket ends.
    pub timeout: Timeout,
    /// The ticket.
    pub policy_ticket: AuthTicket,
}

impl Execute for PolicySecret {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<PolicySecretResponse, Fault> {
        let (session, entity) = (self.policy_session.0, self.auth_handle.0);
        let pin = tpm.pin_counter(entity);
        if tpm.state.clear.read_only && pin.is_some() {
            return Err(Fault::READ_ONLY);
        }
        let trial = tpm.policy(session)?.1.trial;
        let mut timeout = 0;
        if !trial {
            timeout = tpm.auth_timeout(session, self.expiration, !self.nonce_tpm.is_empty())?;
            tpm.check_policy_parameters(session, timeout, (&self.nonce_tpm, 1), (&self.cp_hash_a, 2), 4)?;
        }
        let name = tpm.entity_name(entity)?;
        tpm.update_policy(session, 0x151, &name, Some(&self.policy_ref), &self.cp_hash_a, timeout)?;
        let end = (timeout, self.nonce_tpm.is_empty());
        // A ticket would go round the limit of a pin-pass Index.
        let pin_pass = matches!(pin, Some((NvType::PinPass, _)));
        let wanted = self.expiration < 0 && !trial && !pin_pass;
        let (timeout, policy_ticket) =
            authorization::answer(tpm, st::AUTH_SECRET, entity, wanted, end, &self.cp_hash_a, &self.policy_ref)?;
        Ok(PolicySecretResponse { timeout, policy_ticket })
    }
}
