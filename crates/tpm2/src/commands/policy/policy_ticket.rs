//! `TPM2_PolicyTicket` (Part 3, 23.5).

use super::authorization::{self, Timeout};
use crate::structures::{AuthTicket, Data, Digest, Name, ShPolicy, st};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;
use subtle::ConstantTimeEq;

/// Adds an authorization that a ticket proves.
#[derive(Command)]
#[command(code = 0x172)]
#[doc(alias = "TPM2_PolicyTicket")]
pub struct PolicyTicket {
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
    /// When the authorization ends, as the TPM answered it.
    pub timeout: Timeout,
    /// What the authorization is limited to, or empty.
    pub cp_hash_a: Digest,
    /// A qualifier of the authorization.
    pub policy_ref: Data,
    /// Name of who gave the authorization.
    pub auth_name: Name,
    /// The ticket.
    pub ticket: AuthTicket,
}

impl Execute for PolicyTicket {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let session = self.policy_session.0;
        if tpm.policy(session)?.1.trial {
            return Err(Fault::ATTRIBUTES.at_handle(1));
        }
        let end = authorization::parse(&self.timeout).map_err(|fault| fault.at_parameter(1))?;
        tpm.check_policy_parameters(session, end.0, (&[], 0), (&self.cp_hash_a, 2), 1)?;
        let (tag, hierarchy) = (self.ticket.tag, self.ticket.hierarchy.0);
        let wanted =
            authorization::ticket(tpm, tag, hierarchy, end, &self.cp_hash_a, &self.policy_ref, &self.auth_name)?;
        if !bool::from(wanted.digest.ct_eq(&self.ticket.digest)) {
            return Err(Fault::TICKET.at_parameter(5));
        }
        let code = if tag == st::AUTH_SIGNED { 0x160 } else { 0x151 };
        tpm.update_policy(session, code, &self.auth_name, Some(&self.policy_ref), &self.cp_hash_a, end.0)
    }
}
