//! Command audit and session audit (Part 1, 31).

use super::hmac;
use crate::structures::{Digest, HashAlg, SessionAttributes, rh};
use crate::table::Entry;
use crate::tpm::Tpm;
use sealwright_core::{Buffer, Fault};

/// The hash of the command audit if the running command is audited.
fn command_audit(tpm: &Tpm<'_>) -> Option<HashAlg> {
    tpm.state.permanent.audit_hash.filter(|_| tpm.state.permanent.audit_commands.contains(tpm.command.code))
}

/// Computes the cpHash of an audited command, before its parameters are decrypted.
pub(super) fn prepare(tpm: &mut Tpm<'_>, parameters: &[u8]) -> Result<(), Fault> {
    if let Some(hash) = command_audit(tpm) {
        hmac::cp_hash(tpm, hash, parameters)?;
    }
    Ok(())
}

/// H(digest || cpHash || rpHash).
fn extended(tpm: &Tpm<'_>, hash: HashAlg, digest: &Digest, parameters: &[u8]) -> Result<Digest, Fault> {
    let cp_hash = tpm.command.cp_hash(hash).ok_or(Fault::FAILURE)?;
    Buffer::from_slice(&tpm.hash(hash, &[digest, cp_hash, &hmac::rp_hash(tpm, hash, parameters)?]))
}

/// Extends the digest of the audit session, and keeps track of which session is exclusive.
pub(super) fn update_session(tpm: &mut Tpm<'_>, entry: &Entry, parameters: &[u8]) -> Result<(), Fault> {
    let audit = tpm.command.sessions.iter().position(|given| given.has(SessionAttributes::AUDIT));
    let Some(index) = audit else {
        if entry.spec.sessions {
            tpm.state.volatile.exclusive_audit = rh::UNASSIGNED;
        }
        return Ok(());
    };
    let given = tpm.command.sessions.get(index).ok_or(Fault::FAILURE)?;
    let (handle, reset) = (given.handle, given.has(SessionAttributes::AUDIT_RESET));
    let session = tpm.session_mut(handle)?;
    let hash = session.hash;
    let started = session.audit_digest.filter(|_| !reset);
    if started.is_none() {
        // A session for audit is not bound any more.
        session.bound = None;
        tpm.state.volatile.exclusive_audit = handle;
    } else if tpm.state.volatile.exclusive_audit != handle {
        tpm.state.volatile.exclusive_audit = rh::UNASSIGNED;
    }
    let exclusive = tpm.state.volatile.exclusive_audit == handle;
    if let Some(given) = tpm.command.sessions.get_mut(index) {
        given.attributes = given.attributes.with(SessionAttributes::AUDIT_EXCLUSIVE, exclusive);
    }
    let digest = extended(tpm, hash, &started.unwrap_or(Buffer::zeros(hash.size())), parameters)?;
    tpm.session_mut(handle)?.audit_digest = Some(digest);
    Ok(())
}

/// Extends the digest of the command audit.
pub(super) fn update_command(tpm: &mut Tpm<'_>, parameters: &[u8]) -> Result<(), Fault> {
    let Some(hash) = command_audit(tpm) else { return Ok(()) };
    // A command that has just cleared the digest leaves a single byte to say so: it is not part of the next audit.
    if tpm.state.reset.command_audit_digest.len() == 1 {
        tpm.reset_mut().command_audit_digest = Digest::EMPTY;
        return Ok(());
    }
    if tpm.command.cp_hash(hash).is_none() {
        // The command has only now put itself on the list.
        return Ok(());
    }
    let mut digest = tpm.state.reset.command_audit_digest;
    if digest.is_empty() {
        digest = Buffer::zeros(hash.size());
        let permanent = tpm.permanent_mut();
        permanent.audit_counter = permanent.audit_counter.wrapping_add(1);
    }
    tpm.reset_mut().command_audit_digest = extended(tpm, hash, &digest, parameters)?;
    Ok(())
}
