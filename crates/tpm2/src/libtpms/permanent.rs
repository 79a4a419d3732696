//! The permanent state (PERSISTENT_ALL): what swtpm keeps in `permall`.

use super::{
    ExportFault, ImportFault, constants, nv,
    profile::{command_bits, read_commands},
    reset::{read_clear, read_compat, read_policy_alg, read_reset, read_seed, write_clear, write_reset},
    sink::Sink,
    source::{Kind, Source},
};
use crate::profile::Profile;
use crate::state::{Hierarchy, OrderlyState, Permanent, SavedState, Seed, State};
use crate::structures::{HashAlg, PcrSelections};
use alloc::{sync::Arc, vec::Vec};
use sealwright_crypto::{Crypto, Random, drbg::Drbg};
use zeroize::Zeroizing;

const PERSISTENT_ALL: Kind = Kind { name: "PERSISTENT_ALL", magic: 0xAB36_4723, version: 4 };
const PERSISTENT_DATA: Kind = Kind { name: "PERSISTENT_DATA", magic: 0x1221_3443, version: 5 };
const PCR_POLICY: Kind = Kind { name: "PCR_POLICY", magic: 0x176B_E626, version: 2 };
const ORDERLY_DATA: Kind = Kind { name: "ORDERLY_DATA", magic: 0x5665_7887, version: 2 };
const DRBG_STATE: Kind = Kind { name: "DRBG_STATE", magic: 0x6FE8_3EA1, version: 2 };

/// Version of PERSISTENT_ALL from which it has a profile.
const WITH_PROFILE: u16 = 4;
/// Version of PERSISTENT_ALL from which saved state is there only if there is one.
const WITHOUT_UNUSED: u16 = 3;
/// Version of PERSISTENT_DATA from which lists of commands are plain.
const PLAIN_LISTS: u16 = 5;

/// Values of orderlyState.
mod orderly {
    pub(super) const CLEAR: u16 = 0;
    pub(super) const STATE: u16 = 1;
    pub(super) const NONE: u16 = 0xFFFF;
    pub(super) const DA_USED: u16 = 0xFFFE;
    /// `_TPM_Hash_Start` came before Startup.
    pub(super) const PRE_STARTUP: u16 = 0x8000;
    /// Startup was at locality 3.
    pub(super) const LOCALITY_3: u16 = 0x4000;
}

/// The orderly state of its value.
pub(super) fn read_orderly_state(s: &mut Source<'_>) -> Result<OrderlyState, ImportFault> {
    let value = s.get::<u16>("orderlyState")?;
    Ok(match value {
        orderly::NONE => OrderlyState::None,
        orderly::DA_USED => OrderlyState::DaUsed,
        _ => match value & !(orderly::PRE_STARTUP | orderly::LOCALITY_3) {
            orderly::CLEAR => OrderlyState::Clear,
            orderly::STATE => OrderlyState::State {
                drtm: value & orderly::PRE_STARTUP != 0,
                locality3: value & orderly::LOCALITY_3 != 0,
            },
            _ => return Err(s.bad("orderlyState")),
        },
    })
}

/// The value of an orderly state.
pub(super) const fn orderly_value(state: OrderlyState) -> u16 {
    match state {
        OrderlyState::None => orderly::NONE,
        OrderlyState::DaUsed => orderly::DA_USED,
        OrderlyState::Clear => orderly::CLEAR,
        OrderlyState::State { drtm, locality3 } => {
            orderly::STATE
                | if drtm { orderly::PRE_STARTUP } else { 0 }
                | if locality3 { orderly::LOCALITY_3 } else { 0 }
        }
    }
}

/// ORDERLY_DATA: clocks, and the random number generator.
pub(super) struct OrderlyData {
    pub(super) clock: u64,
    pub(super) clock_safe: bool,
    pub(super) self_heal_timer: u64,
    pub(super) lockout_timer: u64,
    /// Time when the TPM was shut down.
    pub(super) time: u64,
    /// State of the random number generator, if it ran.
    pub(super) drbg: Option<Drbg>,
}

/// The magic number of a random number generator that runs; libtpms starts a new one if it is another.
const DRBG_RUNS: u32 = 0x4742_5244;

/// Reads ORDERLY_DATA.
pub(super) fn read_orderly(s: &mut Source<'_>) -> Result<OrderlyData, ImportFault> {
    let version = s.header(ORDERLY_DATA)?;
    let (clock, clock_safe) = (s.get("clock")?, s.flag("clockSafe")?);
    let drbg_version = s.header(DRBG_STATE)?;
    s.get::<u64>("reseedCounter")?;
    let runs = s.get::<u32>("magic")? == DRBG_RUNS;
    let seed = s.array("seed")?;
    let drbg = Drbg::import(seed).ok_or_else(|| s.bad("seed"))?;
    s.count("lastValue", 4)?;
    s.bytes(16)?;
    s.future(drbg_version)?;
    s.within(ORDERLY_DATA);
    s.block("timers")?;
    let (self_heal_timer, lockout_timer, time) = (s.get("selfHealTimer")?, s.get("lockoutTimer")?, s.get("time")?);
    s.future(version)?;
    Ok(OrderlyData { clock, clock_safe, self_heal_timer, lockout_timer, time, drbg: runs.then_some(drbg) })
}

/// Writes ORDERLY_DATA.
pub(super) fn write_orderly(s: &mut Sink, data: &OrderlyData) {
    s.header(ORDERLY_DATA, 2, 1);
    s.put(&data.clock);
    s.flag(data.clock_safe);
    s.header(DRBG_STATE, 2, 1);
    s.put(&1u64);
    s.put(&if data.drbg.is_some() { DRBG_RUNS } else { 0 });
    let mut last = Zeroizing::new([0; 16]);
    match &data.drbg {
        Some(drbg) => {
            // Not our own state: two generators in the same state would give the same numbers.
            let mut fork = drbg.clone();
            fork.reseed(&[b"libtpms"]);
            fork.fill(&mut *last);
            s.array(&*fork.export());
        }
        None => s.array(&[0; sealwright_crypto::drbg::STATE]),
    }
    s.count(4);
    s.bytes(&*last);
    s.future();
    s.block(|s| {
        s.put(&data.self_heal_timer);
        s.put(&data.lockout_timer);
        s.put(&data.time);
    });
    s.future();
}

fn read_pcr_policy(s: &mut Source<'_>) -> Result<(Option<HashAlg>, crate::structures::Digest), ImportFault> {
    s.block("pcrPolicies")?;
    let version = s.header(PCR_POLICY)?;
    s.count("PCR groups", 1)?;
    let alg = read_policy_alg(s)?;
    let policy = s.get("policy")?;
    s.future(version)?;
    s.within(PERSISTENT_DATA);
    Ok((alg, policy))
}

/// Reads PERSISTENT_DATA. What follows it is still missing in the result.
fn read_data(s: &mut Source<'_>) -> Result<Permanent, ImportFault> {
    let version = s.header(PERSISTENT_DATA)?;
    let disable_clear = s.flag("disableClear")?;
    let algs = [read_policy_alg(s)?, read_policy_alg(s)?, read_policy_alg(s)?];
    let policies = [s.get("ownerPolicy")?, s.get("endorsementPolicy")?, s.get("lockoutPolicy")?];
    let auths = [s.get("ownerAuth")?, s.get("endorsementAuth")?, s.get("lockoutAuth")?];
    let mut hierarchies = algs.into_iter().zip(policies).zip(auths);
    let mut hierarchy = || {
        hierarchies.next().map_or_else(Hierarchy::default, |((policy_alg, policy), auth)| Hierarchy {
            auth,
            policy_alg,
            policy,
        })
    };
    let (owner, endorsement, lockout) = (hierarchy(), hierarchy(), hierarchy());
    let (ep, sp, pp) = (read_seed(s, "EPSeed")?, read_seed(s, "SPSeed")?, read_seed(s, "PPSeed")?);
    let (ph_proof, sh_proof, eh_proof) = (read_seed(s, "phProof")?, read_seed(s, "shProof")?, read_seed(s, "ehProof")?);
    let (total_reset_count, reset_count) = (s.get("totalResetCount")?, s.get("resetCount")?);
    let (pcr_policy_alg, pcr_policy) = read_pcr_policy(s)?;
    let next: PcrSelections = s.get("pcrAllocated")?;
    let pp_commands = read_commands(s, "ppList", version < PLAIN_LISTS)?;
    let (failed_tries, max_tries) = (s.get("failedTries")?, s.get("maxTries")?);
    let (recovery_time, lockout_recovery) = (s.get("recoveryTime")?, s.get("lockoutRecovery")?);
    let lockout_auth_enabled = s.flag("lockOutAuthEnabled")?;
    let orderly_state = read_orderly_state(s)?;
    let audit_commands = read_commands(s, "auditCommands", version < PLAIN_LISTS)?;
    let (audit_hash, audit_counter) = (s.get("auditHashAlg")?, s.get("auditCounter")?);
    let algorithm_set = s.get("algorithmSet")?;
    let firmware_version = [s.get("firmwareV1")?, s.get("firmwareV2")?];
    if s.get::<u8>("clock size")? != 4 {
        return Err(s.bad("clock size"));
    }
    let time_epoch = s.get("timeEpoch")?;
    let mut now = next;
    let mut compat = [0; 3];
    if version >= 3 {
        s.block("pcrAllocated in use")?;
        now = s.get("pcrAllocated in use")?;
        if version >= 4 {
            s.block("seed compatibility levels")?;
            for level in &mut compat {
                *level = read_compat(s)?;
            }
        }
    }
    s.future(version)?;
    let [ep_compat, sp_compat, pp_compat] = compat;
    Ok(Permanent {
        disable_clear,
        owner,
        endorsement,
        lockout,
        ep_seed: Seed { bytes: ep, compat: ep_compat },
        sp_seed: Seed { bytes: sp, compat: sp_compat },
        pp_seed: Seed { bytes: pp, compat: pp_compat },
        ph_proof,
        sh_proof,
        eh_proof,
        total_reset_count,
        reset_count,
        pcr_policy_alg,
        pcr_policy,
        pcr_allocated: now,
        pcr_next: (next != now).then_some(next),
        pp_commands,
        failed_tries,
        max_tries,
        recovery_time,
        lockout_recovery,
        lockout_auth_enabled,
        orderly_state,
        audit_commands,
        audit_hash,
        audit_counter,
        algorithm_set,
        firmware_version,
        time_epoch,
        ..Permanent::empty()
    })
}

fn write_data(s: &mut Sink, p: &Permanent) -> Result<(), ExportFault> {
    let version = if p.profile.level() <= 2 { 4 } else { 5 };
    let (pp_list, audit_list) =
        (command_bits(&p.pp_commands, version < PLAIN_LISTS)?, command_bits(&p.audit_commands, version < PLAIN_LISTS)?);
    s.header(PERSISTENT_DATA, version, version);
    s.flag(p.disable_clear);
    let hierarchies = [&p.owner, &p.endorsement, &p.lockout];
    hierarchies.iter().for_each(|h| s.put(&h.policy_alg));
    hierarchies.iter().for_each(|h| s.put(&h.policy));
    hierarchies.iter().for_each(|h| s.put(&h.auth));
    [&p.ep_seed, &p.sp_seed, &p.pp_seed].iter().for_each(|seed| s.put(&seed.bytes));
    [&p.ph_proof, &p.sh_proof, &p.eh_proof].iter().for_each(|proof| s.put(*proof));
    s.put(&p.total_reset_count);
    s.put(&p.reset_count);
    s.block(|s| {
        s.header(PCR_POLICY, 2, 1);
        s.count(1);
        s.put(&p.pcr_policy_alg);
        s.put(&p.pcr_policy);
        s.future();
    });
    s.put(&p.pcr_next.unwrap_or(p.pcr_allocated));
    s.array(&pp_list);
    [p.failed_tries, p.max_tries, p.recovery_time, p.lockout_recovery].iter().for_each(|number| s.put(number));
    s.flag(p.lockout_auth_enabled);
    s.put(&orderly_value(p.orderly_state));
    s.array(&audit_list);
    s.put(&p.audit_hash);
    s.put(&p.audit_counter);
    s.put(&p.algorithm_set);
    p.firmware_version.iter().for_each(|number| s.put(number));
    s.put(&4u8);
    s.put(&p.time_epoch);
    s.block(|s| {
        s.put(&p.pcr_allocated);
        s.block(|s| {
            [&p.ep_seed, &p.sp_seed, &p.pp_seed].iter().for_each(|seed| s.put(&seed.compat));
            s.future();
        });
    });
    Ok(())
}

/// Reads a permanent state.
pub(super) fn read(crypto: &Crypto, bytes: &[u8]) -> Result<Permanent, ImportFault> {
    let mut source = Source::new(bytes, PERSISTENT_ALL.name);
    let s = &mut source;
    let version = s.header(PERSISTENT_ALL)?;
    let profile = if version >= WITH_PROFILE { Profile::read(s)? } else { Profile::null() };
    constants::read(s)?;
    let mut p = read_data(s)?;
    p.profile = profile;
    let data = read_orderly(s)?;
    (p.clock, p.clock_safe) = (data.clock, data.clock_safe);
    (p.self_heal_timer, p.lockout_timer, p.shutdown_time) = (data.self_heal_timer, data.lockout_timer, data.time);
    let was_saved = matches!(p.orderly_state, OrderlyState::State { .. });
    if was_saved || version < WITHOUT_UNUSED {
        let reset = read_reset(s)?;
        let (clear, pcrs) = read_clear(s)?;
        p.saved = was_saved.then(|| Arc::new(SavedState { reset, clear, pcrs }));
    }
    let ram = nv::read_ram(s)?;
    let user = nv::read_user(s, crypto, &ram)?;
    (p.nv, p.persistent, p.nv_max_counter) = (user.nv, user.persistent, user.max_counter);
    s.within(PERSISTENT_ALL);
    s.future(version)?;
    if s.get::<u32>("end mark")? != PERSISTENT_ALL.magic || s.remaining() != 0 {
        return Err(s.bad("end mark"));
    }
    Ok(p)
}

/// Writes a permanent state.
pub(super) fn write(state: &State) -> Result<Zeroizing<Vec<u8>>, ExportFault> {
    let p = &*state.permanent;
    let version = if p.profile.text().is_some() { 4 } else { 3 };
    let mut sink = Sink::new();
    let s = &mut sink;
    s.header(PERSISTENT_ALL, version, version);
    if let Some(text) = p.profile.bytes() {
        s.array(&text);
    }
    constants::write(s);
    write_data(s, p)?;
    write_orderly(
        s,
        &OrderlyData {
            clock: if state.volatile.started { state.volatile.clock } else { p.clock },
            clock_safe: p.clock_safe,
            self_heal_timer: p.self_heal_timer,
            lockout_timer: p.lockout_timer,
            time: p.shutdown_time,
            // A new one is made of entropy when the TPM starts.
            drbg: None,
        },
    );
    if let OrderlyState::State { .. } = p.orderly_state {
        let saved = p.saved.as_ref().ok_or(ExportFault::Room)?;
        write_reset(s, &saved.reset)?;
        write_clear(s, &saved.clear, &saved.pcrs)?;
    }
    nv::write_ram(s, &p.nv)?;
    nv::write_user(s, &p.profile, &p.nv, &p.persistent, p.nv_max_counter)?;
    s.future();
    s.put(&PERSISTENT_ALL.magic);
    sink.finish()
}
