//! The sessions of the answer (Part 4, BuildResponseSession).

use super::{audit, hmac, parameters};
use crate::structures::{Auth, Digest, HandleKind, Nonce, SessionAttributes, kind};
use crate::table::Entry;
use crate::tpm::Tpm;
use sealwright_core::{Fault, Wire, Writer};

/// Rolls the nonces, encrypts the first parameter, audits, and appends the sessions.
pub(super) fn finish(
    tpm: &mut Tpm<'_>,
    entry: &Entry,
    with_sessions: bool,
    parameters_at: usize,
    out: &mut Writer<'_>,
) -> Result<(), Fault> {
    roll_nonces(tpm)?;
    if let Some(index) = tpm.command.encrypt {
        let auth_value = current_auth_value(tpm, index);
        parameters::encrypt(tpm, &auth_value, out.written_from(parameters_at))?;
    }
    let sessions_at = out.len();
    let parameters = alloc::vec::Vec::from(out.written().get(parameters_at..sessions_at).unwrap_or_default());
    audit::update_session(tpm, entry, &parameters)?;
    audit::update_command(tpm, &parameters)?;
    if !with_sessions {
        return Ok(());
    }
    for index in 0..tpm.command.sessions.len() {
        append(tpm, index, &parameters, out)?;
    }
    Ok(())
}

/// A new TPM nonce for each session.
fn roll_nonces(tpm: &mut Tpm<'_>) -> Result<(), Fault> {
    for index in 0..tpm.command.sessions.len() {
        let Some(handle) = tpm.command.sessions.get(index).filter(|s| !s.is_password()).map(|s| s.handle) else {
            continue;
        };
        let size = tpm.session(handle)?.nonce_tpm.len();
        let nonce = Nonce::from_slice(&tpm.random_bytes(size))?;
        tpm.session_mut(handle)?.nonce_tpm = nonce;
    }
    Ok(())
}

/// The authorization value of the entity after the command. For an Index that was undefined it is empty; for any
/// other entity that is gone it is the last one.
fn current_auth_value(tpm: &Tpm<'_>, index: usize) -> Auth {
    let Some(given) = tpm.command.sessions.get(index) else { return Auth::default() };
    let Some(entity) = given.entity else { return Auth::default() };
    match tpm.auth_value(entity) {
        Ok(auth) => auth,
        Err(_) if kind(entity) == HandleKind::Nv => Auth::default(),
        Err(_) => given.auth_value.clone(),
    }
}

/// Appends TPMS_AUTH_RESPONSE of one session, and ends or restarts the session.
fn append(tpm: &mut Tpm<'_>, index: usize, parameters: &[u8], out: &mut Writer<'_>) -> Result<(), Fault> {
    let given = tpm.command.sessions.get(index).ok_or(Fault::FAILURE)?;
    let (handle, attributes) = (given.handle, given.attributes);
    if given.is_password() {
        Nonce::EMPTY.write(out)?;
        attributes.with(SessionAttributes::CONTINUE_SESSION, true).write(out)?;
        return Digest::EMPTY.write(out);
    }
    let auth_value = current_auth_value(tpm, index);
    let session = tpm.session(handle)?;
    let nonce = session.nonce_tpm;
    let by_password = session.policy.as_ref().is_some_and(|policy| policy.password_needed);
    let is_policy = session.policy.is_some();
    let hmac = if by_password { Digest::EMPTY } else { hmac::of_response(tpm, index, &auth_value, parameters)? };
    nonce.write(out)?;
    attributes.write(out)?;
    hmac.write(out)?;
    if !attributes.has(SessionAttributes::CONTINUE_SESSION) {
        tpm.flush_session(handle);
    } else if is_policy {
        tpm.restart_policy(handle)?;
    }
    Ok(())
}
