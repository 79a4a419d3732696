//! May this session authorize the use of this entity (Part 1, 19; Part 4, CheckAuthSession)?

use super::{code, hmac};
use crate::object::Slot;
use crate::session::{BoundHash, Policy};
use crate::state::OrderlyState;
use crate::structures::{Auth, HandleKind, HashAlg, NvAttributes, NvType, ObjectAttributes, kind, rh};
use crate::table::Entry;
use crate::tpm::Tpm;
use sealwright_core::{Fault, Reader, Role, Wire};
use subtle::ConstantTimeEq;

/// NV commands that the AUTHWRITE and POLICYWRITE attributes allow; all others are reads.
const NV_WRITES: [u32; 5] = [0x134, 0x135, 0x136, 0x137, 0x138];

/// Checks session `index`, which is to authorize the use of `entity`.
pub(super) fn check(
    tpm: &mut Tpm<'_>,
    entry: &'static Entry,
    index: usize,
    entity: u32,
    parameters: &[u8],
) -> Result<(), Fault> {
    let role = entry.spec.roles.get(index).copied().unwrap_or(Role::None);
    let given = tpm.command.sessions.get(index).ok_or(Fault::FAILURE)?;
    let (handle, is_password) = (given.handle, given.is_password());
    let needs_presence = entity == rh::PLATFORM && tpm.state.permanent.pp_commands.contains(tpm.command.code);
    if needs_presence && !tpm.platform.physical_presence() {
        return Err(Fault::PP);
    }
    let policy = if is_password { None } else { tpm.session(handle)?.policy.clone() };
    let auth_used = match &policy {
        _ if is_password => true,
        Some(policy) => policy.auth_value_needed || policy.password_needed,
        None => !is_bound_to(tpm, handle, entity)?,
    };
    if let Some(given) = tpm.command.sessions.get_mut(index) {
        given.include_auth = auth_used;
    }
    if auth_used && !tpm.is_da_exempt(entity) {
        check_locked_out(tpm, entity == rh::LOCKOUT)?;
    }
    match &policy {
        None => {
            if policy_is_required(tpm, role, entity)? {
                return Err(Fault::AUTH_TYPE);
            }
            if !auth_value_is_available(tpm, role, entity) {
                return Err(Fault::AUTH_UNAVAILABLE);
            }
        }
        Some(policy) => {
            if !policy_is_available(tpm, role, entity)? {
                return Err(Fault::AUTH_UNAVAILABLE);
            }
            check_policy(tpm, policy, tpm.session(handle)?.hash, role, entity, parameters)?;
        }
    }
    let by_password = is_password || policy.as_ref().is_some_and(|policy| policy.password_needed);
    let result = if by_password { check_password(tpm, index, entity) } else { check_hmac(tpm, index, parameters) };
    if auth_used {
        count_pin(tpm, entity, result.is_ok());
    }
    result
}

fn is_bound_to(tpm: &Tpm<'_>, session: u32, entity: u32) -> Result<bool, Fault> {
    match &tpm.session(session)?.bound {
        Some(bound) => Ok(bool::from(tpm.bind_value(entity)?.ct_eq(bound))),
        None => Ok(false),
    }
}

/// TPM_RC_LOCKOUT if the authorization of lockout, or of everything else under dictionary-attack protection, is
/// locked. The first use marks NV, so that a power cut cannot hide failed tries (Part 4, CheckLockedOut).
pub(super) fn check_locked_out(tpm: &mut Tpm<'_>, lockout: bool) -> Result<(), Fault> {
    if lockout {
        return if tpm.state.permanent.lockout_auth_enabled { Ok(()) } else { Err(Fault::LOCKOUT) };
    }
    if tpm.in_lockout() {
        return Err(Fault::LOCKOUT);
    }
    if !tpm.state.volatile.da_used {
        tpm.state.volatile.da_used = true;
        if tpm.state.permanent.orderly_state != OrderlyState::DaUsed {
            tpm.permanent_mut().orderly_state = OrderlyState::DaUsed;
        }
    }
    Ok(())
}

fn policy_is_required(tpm: &Tpm<'_>, role: Role, entity: u32) -> Result<bool, Fault> {
    Ok(match (role, kind(entity)) {
        (Role::Dup, _) => true,
        (Role::Admin, HandleKind::Transient | HandleKind::Persistent) => {
            // A sequence has no attributes, so nothing of it asks for a policy.
            tpm.object(entity).is_ok_and(|object| object.has(ObjectAttributes::ADMIN_WITH_POLICY))
        }
        (Role::Admin, _) => true,
        (_, HandleKind::Pcr) => tpm.auth_policy(entity)?.0.is_some(),
        _ => false,
    })
}

fn auth_value_is_available(tpm: &Tpm<'_>, role: Role, entity: u32) -> bool {
    match kind(entity) {
        HandleKind::Permanent => {
            matches!(entity, rh::OWNER | rh::ENDORSEMENT | rh::PLATFORM | rh::LOCKOUT | rh::NULL)
        }
        HandleKind::Transient | HandleKind::Persistent => {
            if matches!(tpm.slot(entity), Some(Slot::Sequence(_))) {
                return true;
            }
            tpm.object(entity).is_ok_and(|object| {
                object.sensitive.is_some()
                    && (object.has(ObjectAttributes::USER_WITH_AUTH)
                        || (role == Role::Admin && !object.has(ObjectAttributes::ADMIN_WITH_POLICY)))
            })
        }
        HandleKind::Nv => {
            let Some(index) = tpm.defined_index(entity) else { return false };
            let attributes = index.public.attributes;
            if NV_WRITES.contains(&tpm.command.code) {
                return attributes.has(NvAttributes::AUTHWRITE);
            }
            match attributes.nv_type() {
                Some(NvType::PinFail | NvType::PinPass) => {
                    tpm.pin_counter(entity).is_some_and(|(_, pin)| pin.count < pin.limit)
                }
                _ => attributes.has(NvAttributes::AUTHREAD),
            }
        }
        HandleKind::Pcr => true,
        _ => false,
    }
}

fn policy_is_available(tpm: &Tpm<'_>, role: Role, entity: u32) -> Result<bool, Fault> {
    Ok(match kind(entity) {
        HandleKind::Permanent => !tpm.auth_policy(entity)?.1.is_empty(),
        HandleKind::Transient | HandleKind::Persistent => {
            tpm.object(entity).is_ok_and(|object| object.sensitive.is_some())
        }
        HandleKind::Nv => {
            let Some(index) = tpm.defined_index(entity) else { return Ok(false) };
            let attribute = if NV_WRITES.contains(&tpm.command.code) {
                NvAttributes::POLICYWRITE
            } else {
                NvAttributes::POLICYREAD
            };
            !index.public.auth_policy.is_empty()
                && (policy_is_required(tpm, role, entity)? || index.public.attributes.has(attribute))
        }
        HandleKind::Pcr => crate::entity::pcr_has_auth(entity),
        _ => false,
    })
}

/// Part 4, CheckPolicyAuthSession.
fn check_policy(
    tpm: &mut Tpm<'_>,
    policy: &Policy,
    hash: HashAlg,
    role: Role,
    entity: u32,
    parameters: &[u8],
) -> Result<(), Fault> {
    let code = tpm.command.code;
    if code == code::POLICY_SECRET && !policy.password_needed && !policy.auth_value_needed {
        return Err(Fault::MODE);
    }
    if policy.pcr_counter != 0 && policy.pcr_counter != tpm.state.reset.pcr_counter {
        return Err(Fault::PCR_CHANGED);
    }
    let (policy_alg, wanted) = tpm.auth_policy(entity)?;
    if policy.digest != wanted || policy_alg != Some(hash) {
        return Err(Fault::POLICY_FAIL);
    }
    if policy.timeout != 0
        && (policy.timeout < tpm.state.volatile.time || policy.epoch != tpm.state.permanent.time_epoch)
    {
        return Err(Fault::EXPIRED);
    }
    if policy.command_code != 0 {
        if policy.command_code != code {
            return Err(Fault::POLICY_CC);
        }
    } else if matches!(role, Role::Admin | Role::Dup) {
        return Err(Fault::POLICY_FAIL);
    }
    if !locality_allows(policy.locality, tpm.locality) {
        return Err(Fault::LOCALITY);
    }
    if policy.pp_required && !tpm.platform.physical_presence() {
        return Err(Fault::PP);
    }
    let fits = match &policy.bound {
        None => true,
        Some(BoundHash::Command(digest)) => hmac::cp_hash(tpm, hash, parameters)? == *digest,
        Some(BoundHash::Names(digest)) => *tpm.hash(hash, &[&hmac::names(tpm)?]) == **digest,
        Some(BoundHash::Parameters(digest)) => *tpm.hash(hash, &[&code.to_be_bytes(), parameters]) == **digest,
        Some(BoundHash::Template(digest)) => {
            template(code, parameters).is_some_and(|template| *tpm.hash(hash, &[template]) == **digest)
        }
    };
    if !fits {
        return Err(Fault::POLICY_FAIL);
    }
    if let Some(written) = policy.nv_written {
        let index = tpm.defined_index(entity).filter(|_| kind(entity) == HandleKind::Nv);
        let index = index.ok_or(Fault::POLICY_FAIL)?;
        if index.public.attributes.has(NvAttributes::WRITTEN) != written {
            return Err(Fault::POLICY_FAIL);
        }
    }
    Ok(())
}

/// TPMA_LOCALITY 0 allows all; 1 to 31 are bits for localities 0 to 4; others are one extended locality.
const fn locality_allows(allowed: u8, locality: u8) -> bool {
    match (allowed, locality) {
        (0, _) => true,
        (1..=31, 0..=4) => allowed >> locality & 1 == 1,
        (32.., 32..) => allowed == locality,
        _ => false,
    }
}

/// The template in the parameters of Create, CreatePrimary and CreateLoaded.
fn template(code: u32, parameters: &[u8]) -> Option<&[u8]> {
    if !matches!(code, 0x131 | 0x153 | 0x191) {
        return None;
    }
    let mut r = Reader::new(parameters);
    let sensitive = u16::read(&mut r).ok()?;
    r.bytes(sensitive.into()).ok()?;
    let size = u16::read(&mut r).ok()?;
    r.bytes(size.into()).ok()
}

fn check_password(tpm: &mut Tpm<'_>, index: usize, entity: u32) -> Result<(), Fault> {
    let wanted = tpm.auth_value(entity)?;
    let given = tpm.command.sessions.get(index).ok_or(Fault::FAILURE)?;
    let mut password: Auth = given.given.clone();
    password.trim_trailing_zeros();
    if bool::from(password.ct_eq(&wanted)) { Ok(()) } else { Err(failure(tpm, index)) }
}

/// Checks the HMAC of session `index`.
pub(super) fn check_hmac(tpm: &mut Tpm<'_>, index: usize, parameters: &[u8]) -> Result<(), Fault> {
    let wanted = hmac::of_command(tpm, index, parameters)?;
    let given = tpm.command.sessions.get(index).ok_or(Fault::FAILURE)?;
    if bool::from(given.given.ct_eq(&wanted)) { Ok(()) } else { Err(failure(tpm, index)) }
}

/// The answer to a failed authorization; sets the penalty if dictionary-attack protection applies (Part 4,
/// IncrementLockout).
fn failure(tpm: &mut Tpm<'_>, index: usize) -> Fault {
    let Some(given) = tpm.command.sessions.get(index) else { return Fault::FAILURE };
    let entity_exempt = given.entity.is_none_or(|entity| tpm.is_da_exempt(entity));
    let mut counted = given.entity;
    if given.is_password() {
        if entity_exempt {
            return Fault::BAD_AUTH;
        }
    } else {
        let Ok(session) = tpm.session(given.handle) else { return Fault::FAILURE };
        let exempt = if session.lockout_bound {
            counted = Some(rh::LOCKOUT);
            false
        } else {
            entity_exempt
        };
        if !session.da_bound && (exempt || !given.include_auth) {
            return Fault::BAD_AUTH;
        }
    }
    tpm.command.penalty.lockout = Some(counted.unwrap_or(rh::NULL));
    Fault::AUTH_FAIL
}

/// A success adds to the count of a pin-pass Index and clears that of a pin-fail Index; a failure adds to the latter.
/// The use of the authValue counts even if the command fails after it.
fn count_pin(tpm: &mut Tpm<'_>, entity: u32, success: bool) {
    let count = match (tpm.pin_counter(entity), success) {
        (Some((NvType::PinFail, pin)), true) if pin.count != 0 => 0,
        (Some((NvType::PinPass, pin)), true) | (Some((NvType::PinFail, pin)), false) => pin.count.saturating_add(1),
        _ => return,
    };
    tpm.set_pin_count(entity, count);
    tpm.command.penalty.pins.push((entity, count));
}
