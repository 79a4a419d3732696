//! The volatile state (VolatileState): a running TPM, as swtpm sends it in a live migration.

use super::{
    ExportFault, ImportFault, nv, object,
    permanent::{OrderlyData, orderly_value, read_orderly, read_orderly_state, write_orderly},
    reset::{read_clear, read_pcrs, read_reset, read_seed, write_clear, write_pcrs, write_reset},
    session,
    sink::Sink,
    source::{Kind, Source},
};
use crate::collections::tally;
use crate::object::{SequenceKind, Slot};
use crate::session::Session;
use crate::state::{OrderlyState, Permanent, ResetData, State, Volatile};
use crate::structures::{
    Digest, HashAlg, MAX_ACTIVE_SESSIONS, MAX_LOADED_OBJECTS, MAX_LOADED_SESSIONS, MAX_SESSIONS, NvAttributes,
    PCR_COUNT, SessionAttributes, rh,
};
use alloc::{sync::Arc, vec::Vec};
use sealwright_core::Fault;
use sealwright_crypto::{Crypto, drbg::Drbg};
use zeroize::Zeroizing;

const VOLATILE_STATE: Kind = Kind { name: "volatile state", magic: 0x4563_7889, version: 4 };

/// Bytes of the SHA-1 digest at the end.
const DIGEST: usize = 20;
/// The clock runs at its nominal rate.
const NOMINAL_RATE: i64 = 30_000;
/// Parts of a million.
const MILLION: i64 = 1_000_000;
/// Index of no session.
const NO_SESSION: u32 = 0xFFFF_FFFF;
/// Where user NV ends.
const NV_END: u32 = 176_832;

/// What was read of a volatile state, beside what is complete.
struct Read {
    state: State,
    seeds: Option<[crate::structures::Secret<64>; 3]>,
    wall_clock: u64,
}

/// Variables of a command, which are meaningless between two.
fn skip_command(s: &mut Source<'_>) -> Result<(), ImportFault> {
    s.block("sessions of a command")?;
    s.count("sessions of a command", MAX_SESSIONS)?;
    for _ in 0..MAX_SESSIONS {
        s.bytes(9)?;
        s.array("nonceCaller")?;
        s.array("inputAuthValue")?;
    }
    s.bytes(12)?;
    s.block("cpHash")?;
    s.get::<Digest>("cpHash")?;
    s.flag("DA pending").map(|_| ())
}

/// ppm by which the clock runs faster.
fn rate_of(adjust: u32) -> i32 {
    let adjust = i64::from(adjust).max(1);
    i32::try_from(NOMINAL_RATE.saturating_mul(MILLION).checked_div(adjust).unwrap_or(MILLION).saturating_sub(MILLION))
        .unwrap_or(0)
}

fn adjust_of(rate: i32) -> u32 {
    let speed = MILLION.saturating_add(i64::from(rate)).max(1);
    let adjust = NOMINAL_RATE.saturating_mul(MILLION).saturating_add(speed / 2).checked_div(speed);
    adjust.and_then(|adjust| u32::try_from(adjust).ok()).unwrap_or(30_000)
}

/// Slots of sessions must be those that the table of sessions says.
fn check_sessions(s: &Source<'_>, reset: &ResetData, slots: &[Option<Arc<Session>>]) -> Result<(), ImportFault> {
    for (slot, number) in slots.iter().zip(1..u64::MAX) {
        let entries = tally(reset.contexts.iter().filter(|context| **context == number));
        if entries != usize::from(slot.is_some()) {
            return Err(s.bad("contextArray"));
        }
    }
    Ok(())
}

/// Takes the running `_TPM_Hash` sequence out of its slot.
fn take_drtm(s: &Source<'_>, v: &mut Volatile, handle: u32) -> Result<(), ImportFault> {
    if handle == rh::UNASSIGNED {
        return Ok(());
    }
    let number = usize::try_from(handle & 0x00FF_FFFF).unwrap_or(usize::MAX);
    let place = v.objects.get_mut(number).ok_or_else(|| s.bad("DRTM handle"))?;
    let Some(Slot::Sequence(sequence)) = place.take() else { return Err(s.bad("DRTM handle")) };
    let SequenceKind::Event { hashers } = &sequence.kind else { return Err(s.bad("DRTM handle")) };
    v.hash_sequence = Some(hashers.clone());
    Ok(())
}

fn read_body(s: &mut Source<'_>, crypto: &Crypto, permanent: &Arc<Permanent>) -> Result<Read, ImportFault> {
    let version = s.header(VOLATILE_STATE)?;
    let mut v = Volatile::new(0);
    let mut p = Permanent::clone(permanent);
    v.exclusive_audit = s.get("exclusive audit session")?;
    v.time = s.get("time")?;
    (v.ph_enable, v.pcr_reconfigured) = (s.flag("phEnable")?, s.flag("pcrReConfig")?);
    let drtm: u32 = s.get("DRTM handle")?;
    (v.drtm_pre_startup, v.startup_locality3) = (s.flag("DrtmPreStartup")?, s.flag("StartupLocality3")?);
    s.block("daUsed")?;
    v.da_used = s.flag("daUsed")?;
    s.flag("powerWasLost")?;
    v.previous_orderly = read_orderly_state(s)?;
    s.flag("nvOk")?;
    s.array("platform unique value")?;
    let orderly: OrderlyData = read_orderly(s)?;
    let (clear, _) = read_clear(s)?;
    let reset = read_reset(s)?;
    s.within(VOLATILE_STATE);
    s.flag("manufactured")?;
    v.started = s.flag("initialized")?;
    skip_command(s)?;
    s.skip()?;
    s.block("NV")?;
    s.get::<u32>("end of NV")?;
    let ram = nv::read_native_ram(s)?;
    p.nv_max_counter = p.nv_max_counter.max(s.get("maxCounter")?);
    s.block("objects")?;
    s.count("objects", MAX_LOADED_OBJECTS)?;
    for (slot, number) in v.objects.iter_mut().zip(0..) {
        *slot = object::read_slot(s, crypto, rh::TRANSIENT_FIRST | number)?;
    }
    s.within(VOLATILE_STATE);
    s.block("PCR")?;
    s.count("PCR", PCR_COUNT)?;
    let pcrs = read_pcrs(s)?;
    s.within(VOLATILE_STATE);
    s.block("sessions")?;
    s.count("sessions", MAX_LOADED_SESSIONS)?;
    for slot in &mut v.sessions.slots {
        *slot = session::read_slot(s)?.map(Arc::new);
    }
    s.within(VOLATILE_STATE);
    s.bytes(8)?;
    if v.started {
        check_sessions(s, &reset, &v.sessions.slots)?;
    }
    take_drtm(s, &mut v, drtm)?;
    v.failure = s.flag("in failure mode")?.then(|| Fault::FAILURE.code());
    v.established = s.flag("established")?;
    s.block("failure")?;
    s.bytes(12)?;
    s.block("clock")?;
    s.bytes(16)?;
    s.bytes(2)?;
    v.clock_rate = rate_of(s.get("rate")?);
    let wall_clock = s.get("wall clock")?;
    let mut seeds = None;
    if version >= 3 {
        s.block("seeds")?;
        seeds = Some([read_seed(s, "EPSeed")?, read_seed(s, "SPSeed")?, read_seed(s, "PPSeed")?]);
        if version >= 4 {
            s.block("clocks")?;
            s.bytes(32)?;
        }
    }
    s.future(version)?;
    if s.get::<u32>("end mark")? != VOLATILE_STATE.magic || s.remaining() != 0 {
        return Err(s.bad("end mark"));
    }
    v.clock = orderly.clock;
    p.clock_safe = orderly.clock_safe;
    (p.self_heal_timer, p.lockout_timer) = (orderly.self_heal_timer, orderly.lockout_timer);
    v.orderly = !v.started || matches!(p.orderly_state, OrderlyState::Clear | OrderlyState::State { .. });
    if v.started {
        for (handle, index) in p.nv.iter().filter(|(_, index)| index.has(NvAttributes::ORDERLY)) {
            let mut live = (**index).clone();
            nv::merge_ram(&mut live, &ram);
            v.orderly_nv.insert(handle, Arc::new(live));
        }
    }
    let state = State {
        permanent: Arc::new(p),
        reset: Arc::new(reset),
        clear: Arc::new(clear),
        pcrs: Arc::new(pcrs),
        volatile: v,
        drbg: orderly.drbg.unwrap_or_else(|| Drbg::instantiate(&[])),
    };
    Ok(Read { state, seeds, wall_clock })
}

/// The running TPM of a volatile state on this permanent state. `now` is the platform's clock, `wall_clock` the time of
/// day in milliseconds, if Clock is to go on for the time that passed since; `entropy` is mixed into the random number
/// generator, as a copy of the state may run elsewhere.
pub(super) fn read(
    crypto: &Crypto,
    permanent: &Arc<Permanent>,
    bytes: &[u8],
    now: u64,
    wall_clock: Option<u64>,
    entropy: &[u8; sealwright_crypto::drbg::STATE],
) -> Result<State, ImportFault> {
    let truncated = ImportFault::Truncated { part: VOLATILE_STATE.name };
    let (body, digest) = bytes.len().checked_sub(DIGEST).and_then(|at| bytes.split_at_checked(at)).ok_or(truncated)?;
    let mut source = Source::new(body, VOLATILE_STATE.name);
    // The kind is told before the damage.
    source.clone().header(VOLATILE_STATE)?;
    if *crypto.hash.digest(HashAlg::Sha1, &[body]) != *digest {
        return Err(ImportFault::Digest);
    }
    let Read { mut state, seeds, wall_clock: then } = read_body(&mut source, crypto, permanent)?;
    let p = &*state.permanent;
    let ours = [&p.ep_seed.bytes, &p.sp_seed.bytes, &p.pp_seed.bytes];
    if seeds.is_some_and(|seeds| seeds.iter().zip(ours).any(|(a, b)| **a != **b)) {
        return Err(ImportFault::Mismatch);
    }
    let v = &mut state.volatile;
    v.platform_time = now;
    let passed = wall_clock.map_or(0, |wall_clock| wall_clock.saturating_sub(then));
    v.time = v.time.saturating_add(passed);
    if v.started {
        v.clock = v.clock.saturating_add(passed);
    }
    state.drbg.stir(entropy, b"resume");
    Ok(state)
}

fn write_command(s: &mut Sink) {
    s.block(|s| {
        s.count(MAX_SESSIONS);
        for _ in 0..MAX_SESSIONS {
            s.put(&rh::UNASSIGNED);
            s.put(&SessionAttributes::default());
            s.put(&rh::UNASSIGNED);
            s.count(0);
            s.count(0);
        }
        (0..3).for_each(|_| s.put(&NO_SESSION));
        s.block(|s| s.count(0));
        s.flag(false);
    });
}

fn write_sessions(s: &mut Sink, state: &State) {
    let slots = &state.volatile.sessions.slots;
    s.count(MAX_LOADED_SESSIONS);
    slots.iter().for_each(|slot| session::write_slot(s, slot.as_deref()));
    let saved =
        state.reset.contexts.iter().zip(0..u32::MAX).filter(|(context, _)| **context > MAX_LOADED_SESSIONS as u64);
    let oldest = saved.min_by_key(|(context, _)| **context).map(|(_, number)| number);
    s.put(&oldest.unwrap_or(const { MAX_ACTIVE_SESSIONS as u32 + 1 }));
    let free = tally(slots.iter().filter(|slot| slot.is_none()));
    s.put(&u32::try_from(free).unwrap_or(0));
}

/// Writes the volatile state of a TPM at this time of day, in milliseconds.
pub(super) fn write(crypto: &Crypto, state: &State, wall_clock: u64) -> Result<Zeroizing<Vec<u8>>, ExportFault> {
    let (v, p) = (&state.volatile, &*state.permanent);
    if v.hash_sequence.is_some() {
        return Err(ExportFault::HashSequence);
    }
    let mut sink = Sink::new();
    let s = &mut sink;
    s.header(VOLATILE_STATE, 4, 1);
    s.put(&v.exclusive_audit);
    s.put(&v.time);
    s.flag(v.ph_enable);
    s.flag(v.pcr_reconfigured);
    s.put(&rh::UNASSIGNED);
    s.flag(v.drtm_pre_startup);
    s.flag(v.startup_locality3);
    s.block(|s| s.flag(v.da_used));
    s.flag(false);
    s.put(&orderly_value(v.previous_orderly));
    s.flag(true);
    s.count(0);
    let clock = if v.started { v.clock } else { p.clock };
    write_orderly(
        s,
        &OrderlyData {
            clock,
            clock_safe: p.clock_safe,
            self_heal_timer: p.self_heal_timer,
            lockout_timer: p.lockout_timer,
            time: p.shutdown_time,
            drbg: Some(state.drbg.clone()),
        },
    );
    write_clear(s, &state.clear, &state.pcrs)?;
    write_reset(s, &state.reset)?;
    s.flag(true);
    s.flag(v.started);
    write_command(s);
    s.no_block();
    // Content of blocks may fail, which is seen after them.
    let mut result = Ok(());
    s.block(|s| {
        s.put(&NV_END);
        result = nv::write_native_ram(s, if v.started { &v.orderly_nv } else { &p.nv });
        s.put(&p.nv_max_counter);
    });
    result?;
    let mut result = Ok(());
    s.block(|s| {
        s.count(MAX_LOADED_OBJECTS);
        for (slot, number) in v.objects.iter().zip(0..) {
            if result.is_ok() {
                result = object::write_slot(s, &p.profile, slot.as_ref(), rh::TRANSIENT_FIRST | number);
            }
        }
    });
    result?;
    s.block(|s| {
        s.count(PCR_COUNT);
        write_pcrs(s, &state.pcrs);
    });
    s.block(|s| write_sessions(s, state));
    s.flag(v.failure.is_some());
    s.flag(v.established);
    s.block(|s| {
        s.put(&0u32);
        s.put(&0u32);
        s.put(&v.failure.unwrap_or(0));
    });
    // A clock that was read last at this time, and neither was reset nor stopped since.
    s.block(|s| {
        s.put(&v.time);
        s.put(&v.time);
    });
    s.flag(!v.started);
    s.flag(!v.started);
    s.put(&adjust_of(v.clock_rate));
    s.put(&wall_clock);
    s.block(|s| {
        [&p.ep_seed, &p.sp_seed, &p.pp_seed].iter().for_each(|seed| s.put(&seed.bytes));
        s.block(|s| {
            let monotonic = v.time.saturating_add(1);
            s.put(&monotonic);
            s.put(&0u64);
            s.put(&monotonic);
            s.put(&v.time);
            s.future();
        });
    });
    s.put(&VOLATILE_STATE.magic);
    let digest = crypto.hash.digest(HashAlg::Sha1, &[s.written()]);
    s.bytes(&digest);
    sink.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_rates_come_back() {
        for rate in [0, 33, -33, 1000, -1000, 10_000, 150_000, -150_000] {
            assert!(rate_of(adjust_of(rate)).abs_diff(rate) <= 40, "{rate}");
        }
        assert_eq!(adjust_of(0), 30_000);
        assert_eq!(rate_of(30_000), 0);
    }
}
