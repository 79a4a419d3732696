//! The authorization area of a command (Part 1, 18; Part 4, SessionProcess.c).

use super::{audit, authorize, hmac};
use crate::session::CommandSession;
use crate::structures::{Auth, HandleKind, MAX_SESSIONS, Nonce, SessionAttributes, ShAuthSession, SymDef, kind};
use crate::table::Entry;
use crate::tpm::Tpm;
use sealwright_core::{Fault, Reader, Role, Wire};

/// Smallest authorization area: handle, empty nonce, attributes, empty authorization.
const MIN_AREA: usize = 9;

/// Takes the authorization area, and checks that its sessions are there and may be used as they say.
pub(super) fn parse(tpm: &mut Tpm<'_>, entry: &Entry, request: &mut Reader<'_>) -> Result<(), Fault> {
    let size = usize::try_from(u32::read(request)?).map_err(|_| Fault::SIZE)?;
    if size < MIN_AREA || size > request.remaining() {
        return Err(Fault::SIZE);
    }
    let mut area = Reader::new(request.bytes(size)?);
    if !entry.spec.sessions {
        return Err(Fault::AUTH_CONTEXT);
    }
    for number in 1u8.. {
        if area.is_empty() {
            break;
        }
        if usize::from(number) > MAX_SESSIONS {
            return Err(Fault::SIZE.at_session(number));
        }
        let session = parse_one(&mut area).map_err(|fault| fault.at_session(number))?;
        admit(tpm, entry, &session, number)?;
        tpm.command.sessions.push(session);
    }
    Ok(())
}

fn parse_one(area: &mut Reader<'_>) -> Result<CommandSession, Fault> {
    Ok(CommandSession {
        handle: ShAuthSession::read(area)?.0,
        entity: None,
        nonce_caller: Nonce::read(area)?,
        attributes: SessionAttributes::read(area)?,
        given: Auth::read(area)?,
        include_auth: false,
        auth_value: Auth::default(),
    })
}

/// Checks one session by itself and against those before it.
fn admit(tpm: &mut Tpm<'_>, entry: &Entry, given: &CommandSession, number: u8) -> Result<(), Fault> {
    let blame = |fault: Fault| Err(fault.at_session(number));
    if given.is_password() {
        if given.attributes.0 & !SessionAttributes::CONTINUE_SESSION.0 != 0 {
            return blame(Fault::ATTRIBUTES);
        }
        return if given.nonce_caller.is_empty() { Ok(()) } else { blame(Fault::NONCE) };
    }
    let index = tpm.command.sessions.len();
    if !tpm.session_is_loaded(given.handle) {
        return Err(Fault::reference_session(number.saturating_sub(1)));
    }
    let session = tpm.session(given.handle)?;
    let is_policy = kind(given.handle) == HandleKind::PolicySession;
    if session.policy.is_some() != is_policy || tpm.command.sessions.iter().any(|s| s.handle == given.handle) {
        return blame(Fault::HANDLE);
    }
    let (symmetric, audited) = (session.symmetric, session.audit_digest.is_some());
    if given.has(SessionAttributes::DECRYPT) {
        if !entry.spec.decrypt || tpm.command.decrypt.is_some() {
            return blame(Fault::ATTRIBUTES);
        }
        if symmetric == SymDef::Null {
            return blame(Fault::SYMMETRIC);
        }
        tpm.command.decrypt = Some(index);
    }
    if given.has(SessionAttributes::ENCRYPT) {
        if !entry.spec.encrypt || tpm.command.encrypt.is_some() {
            return blame(Fault::ATTRIBUTES);
        }
        if symmetric == SymDef::Null {
            return blame(Fault::SYMMETRIC);
        }
        tpm.command.encrypt = Some(index);
    }
    if given.has(SessionAttributes::AUDIT) {
        if is_policy || tpm.command.sessions.iter().any(|s| s.has(SessionAttributes::AUDIT)) {
            return blame(Fault::ATTRIBUTES);
        }
        // At its first use for audit, and after a reset, a session becomes exclusive whatever was before.
        let continues = audited && !given.has(SessionAttributes::AUDIT_RESET);
        if continues
            && given.has(SessionAttributes::AUDIT_EXCLUSIVE)
            && tpm.state.volatile.exclusive_audit != given.handle
        {
            return Err(Fault::EXCLUSIVE);
        }
    }
    Ok(())
}

/// Gives each handle that needs it its session, and checks all authorizations. `parameters` are as they came.
pub(super) fn check(tpm: &mut Tpm<'_>, entry: &'static Entry, parameters: &[u8]) -> Result<(), Fault> {
    for (index, role) in (0..usize::MAX).zip(entry.spec.roles).filter(|(_, role)| **role != Role::None) {
        let handle = tpm.command.handles.get(index).copied().ok_or(Fault::FAILURE)?;
        let auth_value = tpm.auth_value(handle)?;
        let session = tpm.command.sessions.get_mut(index).ok_or(Fault::AUTH_MISSING)?;
        session.entity = Some(handle);
        session.auth_value = auth_value;
        let _ = role;
    }
    for index in 0..tpm.command.sessions.len() {
        check_one(tpm, entry, index, parameters)?;
    }
    audit::prepare(tpm, parameters)
}

fn check_one(tpm: &mut Tpm<'_>, entry: &'static Entry, index: usize, parameters: &[u8]) -> Result<(), Fault> {
    let number = u8::try_from(index).unwrap_or(u8::MAX).saturating_add(1);
    let given = tpm.command.sessions.get(index).ok_or(Fault::FAILURE)?;
    let (handle, entity, is_password) = (given.handle, given.entity, given.is_password());
    let audit = given.has(SessionAttributes::AUDIT);
    let has_use = audit || given.has(SessionAttributes::DECRYPT) || given.has(SessionAttributes::ENCRYPT);
    if is_password {
        if entity.is_none() {
            return Err(Fault::HANDLE.at_session(number));
        }
    } else {
        let session = tpm.session(handle)?;
        let (hash, da_bound, lockout_bound) = (session.hash, session.da_bound, session.lockout_bound);
        if session.policy.as_ref().is_some_and(|policy| policy.trial) {
            return Err(Fault::ATTRIBUTES.at_session(number));
        }
        if da_bound {
            authorize::check_locked_out(tpm, lockout_bound)?;
        }
        if audit {
            hmac::cp_hash(tpm, hash, parameters)?;
        }
    }
    match entity {
        Some(entity) => authorize::check(tpm, entry, index, entity, parameters),
        None if has_use => authorize::check_hmac(tpm, index, parameters),
        None => Err(Fault::ATTRIBUTES),
    }
    .map_err(|fault| if fault.is_unpositioned() { fault.at_session(number) } else { fault })
}

/// Checks a command without an authorization area.
pub(super) fn check_none(tpm: &mut Tpm<'_>, entry: &Entry, parameters: &[u8]) -> Result<(), Fault> {
    if entry.spec.roles.iter().any(|role| *role != Role::None) {
        return Err(Fault::AUTH_MISSING);
    }
    audit::prepare(tpm, parameters)
}
