//! What TPM2_PolicySigned, TPM2_PolicySecret and TPM2_PolicyTicket have in common: the ticket and its timeout.

use crate::structures::{AuthTicket, Data, Digest, Name, RhHierarchy, rh};
use crate::tpm::Tpm;
use sealwright_core::{Buffer, Fault};

/// TPM2B_TIMEOUT.
pub(crate) type Timeout = Buffer<8>;

/// In a timeout, marks one that also ends when the time starts anew.
const EXPIRES_ON_RESET: u64 = 1 << 63;

/// The ticket of an authorization.
pub(super) fn ticket(
    tpm: &Tpm<'_>,
    tag: u16,
    hierarchy: u32,
    (timeout, expires_on_reset): (u64, bool),
    cp_hash: &Digest,
    policy_ref: &Data,
    name: &Name,
) -> Result<AuthTicket, Fault> {
    let epoch = if expires_on_reset { tpm.state.permanent.time_epoch } else { 0 };
    let time = if timeout == 0 { [0; 8] } else { timeout.to_be_bytes() };
    tpm.auth_ticket(tag, hierarchy, &time, epoch, cp_hash, policy_ref, name)
}

/// Timeout and ticket of the answer. `timeout` is that of the policy; only a negative expiration asks for a ticket.
pub(super) fn answer(
    tpm: &Tpm<'_>,
    tag: u16,
    entity: u32,
    wanted: bool,
    (timeout, expires_on_reset): (u64, bool),
    cp_hash: &Digest,
    policy_ref: &Data,
) -> Result<(Timeout, AuthTicket), Fault> {
    if !wanted {
        let none = AuthTicket { tag, hierarchy: RhHierarchy(rh::NULL), digest: Digest::EMPTY };
        return Ok((Timeout::EMPTY, none));
    }
    let timeout = timeout & !EXPIRES_ON_RESET;
    let (name, hierarchy) = (tpm.entity_name(entity)?, tpm.entity_hierarchy(entity));
    let ticket = ticket(tpm, tag, hierarchy, (timeout, expires_on_reset), cp_hash, policy_ref, &name)?;
    let marked = if expires_on_reset { timeout | EXPIRES_ON_RESET } else { timeout };
    Ok((Timeout::from_slice(&marked.to_be_bytes())?, ticket))
}

/// Time and mark of a TPM2B_TIMEOUT; TPM_RC_SIZE if it is not one.
pub(super) fn parse(timeout: &Timeout) -> Result<(u64, bool), Fault> {
    let bytes: [u8; 8] = timeout.as_slice().try_into().map_err(|_| Fault::SIZE)?;
    let value = u64::from_be_bytes(bytes);
    Ok((value & !EXPIRES_ON_RESET, value & EXPIRES_ON_RESET != 0))
}
