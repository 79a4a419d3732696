//! The permanent state as bytes. Numbers of fields are for ever: a field that is no longer needed leaves a gap.

use super::record::{Fields, Kind, Out, whole};
use super::{Hierarchy, OrderlyState, Permanent, SavedState, Seed, State};
use crate::collections::{Codes, Sorted};
use crate::nv::NvIndex;
use crate::object::Object;
use crate::profile::Profile;
use crate::structures::{Auth, Digest, HashAlg, NvPublic, PcrSelections};
use alloc::{sync::Arc, vec::Vec};
use sealwright_core::StateFault;
use zeroize::Zeroizing;

/// Bytes of the permanent state, as they are committed.
pub(crate) fn encode_permanent(state: &State) -> Zeroizing<Vec<u8>> {
    let p = &*state.permanent;
    let clock = if state.volatile.started { state.volatile.clock } else { p.clock };
    let mut out = Out::new(Kind::Permanent);
    out.field(1, &p.disable_clear);
    for (id, hierarchy) in [(2, &p.owner), (3, &p.endorsement), (4, &p.lockout)] {
        out.bytes(id, &hierarchy_bytes(hierarchy));
    }
    for (id, seed) in [(5, &p.ep_seed), (6, &p.sp_seed), (7, &p.pp_seed)] {
        out.bytes(id, &seed_bytes(seed));
    }
    out.field(8, &p.ph_proof);
    out.field(9, &p.sh_proof);
    out.field(10, &p.eh_proof);
    out.field(11, &p.total_reset_count);
    out.field(12, &p.reset_count);
    out.field(13, &p.pcr_policy_alg);
    out.field(14, &p.pcr_policy);
    out.field(15, &p.pcr_allocated);
    if let Some(next) = &p.pcr_next {
        out.field(16, next);
    }
    out.bytes(17, &codes(&p.pp_commands));
    for (id, number) in [(18, p.failed_tries), (19, p.max_tries), (20, p.recovery_time), (21, p.lockout_recovery)] {
        out.field(id, &number);
    }
    out.field(22, &p.lockout_auth_enabled);
    out.bytes(23, &orderly_bytes(p.orderly_state));
    out.bytes(24, &codes(&p.audit_commands));
    out.field(25, &p.audit_hash);
    out.field(26, &p.audit_counter);
    out.field(27, &p.algorithm_set);
    out.field(28, &p.firmware_version);
    out.field(29, &p.time_epoch);
    out.field(30, &clock);
    out.field(31, &p.clock_safe);
    out.field(32, &p.self_heal_timer);
    out.field(33, &p.lockout_timer);
    out.field(34, &p.nv_max_counter);
    for index in p.nv.values() {
        out.bytes(35, &index_bytes(index));
    }
    for (handle, object) in p.persistent.iter() {
        let mut part = Out::part();
        part.field(1, &handle);
        part.bytes(2, &object.encode());
        out.bytes(36, &part.finish());
    }
    if let Some(saved) = &p.saved {
        let mut part = Out::part();
        part.bytes(1, &super::running::encode_reset(&saved.reset));
        part.bytes(2, &super::running::encode_clear(&saved.clear));
        part.bytes(3, &super::running::encode_pcrs(&saved.pcrs));
        out.bytes(37, &part.finish());
    }
    if let Some(text) = p.profile.stored() {
        out.bytes(38, text.as_bytes());
    }
    out.field(39, &p.shutdown_time);
    out.finish()
}

/// The permanent state of bytes that [`encode_permanent`] of any version made.
pub(crate) fn decode_permanent(bytes: &[u8]) -> Result<Permanent, StateFault> {
    let f = Fields::new(Kind::Permanent, bytes)?;
    let mut nv = Sorted::new();
    for field in f.all(35) {
        let index = index_of(field)?;
        nv.insert(index.public.index.0, Arc::new(index));
    }
    let mut persistent = Sorted::new();
    for field in f.all(36) {
        let part = Fields::part(field)?;
        let object = Object::decode(part.bytes(2)?).ok_or(StateFault::Format)?;
        persistent.insert(part.get(1)?, Arc::new(object));
    }
    let profile = match f.all(38).next() {
        Some(text) => core::str::from_utf8(text).ok().and_then(Profile::of_text).ok_or(StateFault::Format)?,
        None => Profile::default(),
    };
    let mut saved = None;
    if let Some(field) = f.all(37).next() {
        let part = Fields::part(field)?;
        saved = Some(Arc::new(SavedState {
            reset: super::running::decode_reset(part.bytes(1)?)?,
            clear: super::running::decode_clear(part.bytes(2)?)?,
            pcrs: super::running::decode_pcrs(part.bytes(3)?)?,
        }));
    }
    Ok(Permanent {
        disable_clear: f.get(1)?,
        owner: hierarchy_of(f.bytes(2)?)?,
        endorsement: hierarchy_of(f.bytes(3)?)?,
        lockout: hierarchy_of(f.bytes(4)?)?,
        ep_seed: seed_of(f.bytes(5)?)?,
        sp_seed: seed_of(f.bytes(6)?)?,
        pp_seed: seed_of(f.bytes(7)?)?,
        ph_proof: f.get(8)?,
        sh_proof: f.get(9)?,
        eh_proof: f.get(10)?,
        total_reset_count: f.get(11)?,
        reset_count: f.get(12)?,
        pcr_policy_alg: f.get::<Option<HashAlg>>(13)?,
        pcr_policy: f.get(14)?,
        pcr_allocated: f.get::<PcrSelections>(15)?,
        pcr_next: f.all(16).next().map(whole).transpose()?,
        pp_commands: codes_of(f.bytes(17)?)?,
        failed_tries: f.get(18)?,
        max_tries: f.get(19)?,
        recovery_time: f.get(20)?,
        lockout_recovery: f.get(21)?,
        lockout_auth_enabled: f.get(22)?,
        orderly_state: orderly_of(f.bytes(23)?)?,
        audit_commands: codes_of(f.bytes(24)?)?,
        audit_hash: f.get(25)?,
        audit_counter: f.get(26)?,
        algorithm_set: f.get(27)?,
        firmware_version: f.get(28)?,
        profile,
        time_epoch: f.get(29)?,
        clock: f.get(30)?,
        clock_safe: f.get(31)?,
        self_heal_timer: f.get(32)?,
        lockout_timer: f.get(33)?,
        shutdown_time: f.get_or(39, 0)?,
        nv_max_counter: f.get_or(34, 0)?,
        nv,
        persistent,
        saved,
    })
}

pub(super) fn orderly_bytes(state: OrderlyState) -> [u8; 2] {
    match state {
        OrderlyState::None => [0, 0],
        OrderlyState::DaUsed => [1, 0],
        OrderlyState::Clear => [2, 0],
        OrderlyState::State { drtm, locality3 } => [3, u8::from(drtm) | u8::from(locality3) << 1],
    }
}

pub(super) fn orderly_of(bytes: &[u8]) -> Result<OrderlyState, StateFault> {
    Ok(match bytes {
        [0, _] => OrderlyState::None,
        [1, _] => OrderlyState::DaUsed,
        [2, _] => OrderlyState::Clear,
        [3, flags] => OrderlyState::State { drtm: flags & 1 != 0, locality3: flags & 2 != 0 },
        _ => return Err(StateFault::Format),
    })
}

pub(super) fn hierarchy_bytes(hierarchy: &Hierarchy) -> Zeroizing<Vec<u8>> {
    let mut out = Out::part();
    out.field(1, &hierarchy.auth);
    out.field(2, &hierarchy.policy_alg);
    out.field(3, &hierarchy.policy);
    out.finish()
}

pub(super) fn hierarchy_of(bytes: &[u8]) -> Result<Hierarchy, StateFault> {
    let f = Fields::part(bytes)?;
    Ok(Hierarchy { auth: f.get::<Auth>(1)?, policy_alg: f.get(2)?, policy: f.get::<Digest>(3)? })
}

pub(super) fn seed_bytes(seed: &Seed) -> Zeroizing<Vec<u8>> {
    let mut out = Out::part();
    out.field(1, &seed.bytes);
    out.field(2, &seed.compat);
    out.finish()
}

pub(super) fn seed_of(bytes: &[u8]) -> Result<Seed, StateFault> {
    let f = Fields::part(bytes)?;
    Ok(Seed { bytes: f.get(1)?, compat: f.get(2)? })
}

pub(super) fn index_bytes(index: &NvIndex) -> Zeroizing<Vec<u8>> {
    let mut out = Out::part();
    out.field(1, &index.public);
    out.field(2, &index.auth);
    out.bytes(3, &index.data);
    out.finish()
}

pub(super) fn index_of(bytes: &[u8]) -> Result<NvIndex, StateFault> {
    let f = Fields::part(bytes)?;
    let (public, data) = (f.get::<NvPublic>(1)?, f.bytes(3)?.to_vec());
    if data.len() != usize::from(public.data_size) {
        return Err(StateFault::Format);
    }
    Ok(NvIndex { public, auth: f.get(2)?, data })
}

fn codes(set: &Codes) -> Vec<u8> {
    set.keys().flat_map(|code| code.to_be_bytes()).collect()
}

fn codes_of(bytes: &[u8]) -> Result<Codes, StateFault> {
    let (chunks, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(StateFault::Format);
    }
    Ok(chunks.iter().map(|chunk| u32::from_be_bytes(*chunk)).collect())
}
