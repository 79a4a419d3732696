//! State that lives until a TPM Reset or Restart (STATE_RESET_DATA, STATE_CLEAR_DATA), and the PCR.

use super::{
    ExportFault, ImportFault,
    sink::Sink,
    source::{Kind, Source},
};
use crate::collections::copy;
use crate::state::{ClearData, Hierarchy, Pcrs, ResetData, Seed};
use crate::structures::{
    Alg, Auth, HashAlg, MAX_ACTIVE_SESSIONS, MAX_COMMITS, MAX_LOADED_SESSIONS, Nonce, PCR_COUNT, PRIMARY_SEED, Secret,
};

const STATE_RESET_DATA: Kind = Kind { name: "STATE_RESET_DATA", magic: 0x0110_2332, version: 4 };
const STATE_CLEAR_DATA: Kind = Kind { name: "STATE_CLEAR_DATA", magic: 0x9889_7667, version: 2 };
const PCR_SAVE: Kind = Kind { name: "PCR_SAVE", magic: 0x7372_EABC, version: 2 };
const PCR: Kind = Kind { name: "PCR", magic: 0xE95F_0387, version: 2 };
const PCR_AUTHVALUE: Kind = Kind { name: "PCR_AUTHVALUE", magic: 0x6BE8_2EAF, version: 2 };

/// PCR that Shutdown(STATE) keeps: the first ones.
const STATIC_PCR: usize = 16;
/// Low bits of the sequence number of a saved session that are kept for it, in newer states.
const SLOT_MASK: u16 = 0xFFFF;
/// The same in states before libtpms 0.9, and in those that were made from them.
const OLD_SLOT_MASK: u16 = 0x00FF;
/// Version of STATE_RESET_DATA from which sequence numbers have 16 bits.
const WIDE_SLOTS: u16 = 4;
/// Values up to this one are not sequence numbers but slots of loaded sessions, or 0 for none.
const LOADED: u64 = MAX_LOADED_SESSIONS as u64;

/// What is known of a session: free or loaded as it is, a saved one by the full sequence number of its context.
fn context_of(slot: u16, mask: u16, counter: u64) -> Option<u64> {
    let (slot, mask) = (u64::from(slot), u64::from(mask));
    if slot <= LOADED {
        return Some(slot);
    }
    let near = counter & !mask | slot;
    // Sequence numbers are below the counter, and not farther than the mask reaches.
    if near < counter { Some(near) } else { near.checked_sub(mask.checked_add(1)?) }
}

fn slot_of(number: usize, context: u64, counter: u64) -> Result<u16, ExportFault> {
    let mask = u64::from(SLOT_MASK);
    let low = u16::try_from(context & mask).map_err(|_| ExportFault::Room)?;
    let representable = context <= LOADED
        || u64::from(low) > LOADED && context < counter && counter.saturating_sub(context) <= mask.saturating_add(1);
    if representable { Ok(low) } else { Err(ExportFault::Context { number }) }
}

/// Reads a level of compatibility of a seed; there are two.
pub(super) fn read_compat(s: &mut Source<'_>) -> Result<u8, ImportFault> {
    match s.get::<u8>("seed compatibility level")? {
        level @ 0..=1 => Ok(level),
        _ => Err(s.bad("seed compatibility level")),
    }
}

/// Reads a seed or a proof.
pub(super) fn read_seed(s: &mut Source<'_>, field: &'static str) -> Result<Secret<PRIMARY_SEED>, ImportFault> {
    s.get(field)
}

/// The algorithm of a policy: none is TPM_ALG_NULL, or 0 where it was never set.
pub(super) fn read_policy_alg(s: &mut Source<'_>) -> Result<Option<HashAlg>, ImportFault> {
    if s.rest().first_chunk() == Some(&[0, 0]) {
        s.bytes(2)?;
        return Ok(None);
    }
    s.get("policy algorithm")
}

/// Reads the table of sessions and the counter of their contexts.
fn read_contexts(s: &mut Source<'_>, version: u16) -> Result<([u64; MAX_ACTIVE_SESSIONS], u64), ImportFault> {
    s.count("contextArray", MAX_ACTIVE_SESSIONS)?;
    let mut slots = [0u16; MAX_ACTIVE_SESSIONS];
    for slot in &mut slots {
        *slot = if version >= WIDE_SLOTS { s.get("contextArray")? } else { s.get::<u8>("contextArray")?.into() };
    }
    let mask = if version >= WIDE_SLOTS { s.get("context slot mask")? } else { OLD_SLOT_MASK };
    if mask != SLOT_MASK && mask != OLD_SLOT_MASK {
        return Err(s.bad("context slot mask"));
    }
    let counter = s.get("contextCounter")?;
    let mut contexts = [0; MAX_ACTIVE_SESSIONS];
    for (context, slot) in contexts.iter_mut().zip(slots) {
        *context = context_of(slot, mask, counter).ok_or_else(|| s.bad("contextArray"))?;
    }
    Ok((contexts, counter))
}

/// Reads STATE_RESET_DATA.
pub(super) fn read_reset(s: &mut Source<'_>) -> Result<ResetData, ImportFault> {
    let version = s.header(STATE_RESET_DATA)?;
    let null_proof = read_seed(s, "nullProof")?;
    let bytes = read_seed(s, "nullSeed")?;
    let (clear_count, object_context_id) = (s.get("clearCount")?, s.get("objectContextID")?);
    let (contexts, context_counter) = read_contexts(s, version)?;
    let command_audit_digest = s.get("commandAuditDigest")?;
    let (restart_count, pcr_counter) = (s.get("restartCount")?, s.get("pcrCounter")?);
    s.block("commitCounter")?;
    let commit_counter = s.get("commitCounter")?;
    let commit_nonce: Nonce = s.get("commitNonce")?;
    let commit_array = s.array("commitArray")?;
    let commit_array = <[u8; MAX_COMMITS / 8]>::try_from(commit_array).map_err(|_| s.bad("commitArray"))?;
    let mut compat = 0;
    if version >= 3 {
        s.block("nullSeedCompatLevel")?;
        compat = read_compat(s)?;
    }
    s.future(version)?;
    Ok(ResetData {
        null_proof,
        null_seed: Seed { bytes, compat },
        clear_count,
        object_context_id,
        contexts,
        context_counter,
        command_audit_digest,
        restart_count,
        pcr_counter,
        commit_counter,
        commit_nonce,
        commit_array,
    })
}

/// Writes STATE_RESET_DATA.
pub(super) fn write_reset(s: &mut Sink, reset: &ResetData) -> Result<(), ExportFault> {
    s.header(STATE_RESET_DATA, 4, 4);
    s.put(&reset.null_proof);
    s.put(&reset.null_seed.bytes);
    s.put(&reset.clear_count);
    s.put(&reset.object_context_id);
    s.count(reset.contexts.len());
    // libtpms never has a counter that looks like a slot.
    let counter = reset.context_counter.max(LOADED.saturating_add(1));
    for (number, context) in reset.contexts.iter().enumerate() {
        s.put(&slot_of(number, *context, counter)?);
    }
    s.put(&SLOT_MASK);
    s.put(&counter);
    s.put(&reset.command_audit_digest);
    s.put(&reset.restart_count);
    s.put(&reset.pcr_counter);
    s.block(|s| {
        s.put(&reset.commit_counter);
        s.put(&reset.commit_nonce);
        s.array(&reset.commit_array);
    });
    s.block(|s| {
        s.put(&reset.null_seed.compat);
        s.future();
    });
    Ok(())
}

/// Reads STATE_CLEAR_DATA, and the PCR that are in it.
pub(super) fn read_clear(s: &mut Source<'_>) -> Result<(ClearData, Pcrs), ImportFault> {
    let version = s.header(STATE_CLEAR_DATA)?;
    let (sh_enable, eh_enable, ph_enable_nv) = (s.flag("shEnable")?, s.flag("ehEnable")?, s.flag("phEnableNV")?);
    let policy_alg = read_policy_alg(s)?;
    let (policy, auth) = (s.get("platformPolicy")?, s.get("platformAuth")?);
    let pcrs = read_saved_pcrs(s)?;
    let auth_version = s.header(PCR_AUTHVALUE)?;
    s.count("PCR groups", 1)?;
    let pcr_auth: Auth = s.get("auth")?;
    s.future(auth_version)?;
    s.within(STATE_CLEAR_DATA);
    s.future(version)?;
    let platform = Hierarchy { auth, policy_alg, policy };
    Ok((ClearData { sh_enable, eh_enable, ph_enable_nv, platform, pcr_auth, read_only: false }, pcrs))
}

/// Writes STATE_CLEAR_DATA with PCR.
pub(super) fn write_clear(s: &mut Sink, clear: &ClearData, pcrs: &Pcrs) -> Result<(), ExportFault> {
    if clear.read_only {
        return Err(ExportFault::ReadOnly);
    }
    s.header(STATE_CLEAR_DATA, 2, 1);
    s.flag(clear.sh_enable);
    s.flag(clear.eh_enable);
    s.flag(clear.ph_enable_nv);
    s.put(&clear.platform.policy_alg);
    s.put(&clear.platform.policy);
    s.put(&clear.platform.auth);
    s.header(PCR_SAVE, 2, 1);
    s.count(STATIC_PCR);
    for hash in HashAlg::ALL {
        s.put(&hash);
        s.count(hash.size().saturating_mul(STATIC_PCR));
        (0..STATIC_PCR).for_each(|pcr| s.bytes(pcrs.value(hash, pcr)));
    }
    s.put(&Alg::NULL.0);
    s.future();
    s.header(PCR_AUTHVALUE, 2, 1);
    s.count(1);
    s.put(&clear.pcr_auth);
    s.future();
    s.future();
    Ok(())
}

/// Calls `bank` with each bank that follows, up to the end mark.
fn read_banks<'a>(
    s: &mut Source<'a>,
    mut bank: impl FnMut(HashAlg, &'a [u8]) -> Option<()>,
) -> Result<(), ImportFault> {
    while let Some(hash) = s.get::<Option<HashAlg>>("hash algorithm")? {
        let values = s.array("PCR")?;
        bank(hash, values).ok_or_else(|| s.bad("PCR"))?;
    }
    Ok(())
}

fn read_saved_pcrs(s: &mut Source<'_>) -> Result<Pcrs, ImportFault> {
    let version = s.header(PCR_SAVE)?;
    s.count("number of PCR", STATIC_PCR)?;
    let mut pcrs = Pcrs::new();
    read_banks(s, |hash, values| {
        if values.len() != hash.size().checked_mul(STATIC_PCR)? {
            return None;
        }
        for (pcr, value) in (0..PCR_COUNT).zip(values.chunks(hash.size())) {
            copy(pcrs.value_mut(hash, pcr), value);
        }
        Some(())
    })?;
    s.future(version)?;
    Ok(pcrs)
}

/// Reads all PCR of a volatile state.
pub(super) fn read_pcrs(s: &mut Source<'_>) -> Result<Pcrs, ImportFault> {
    let mut pcrs = Pcrs::new();
    for pcr in 0..PCR_COUNT {
        let version = s.header(PCR)?;
        read_banks(s, |hash, value| {
            if value.len() != hash.size() {
                return None;
            }
            copy(pcrs.value_mut(hash, pcr), value);
            Some(())
        })?;
        s.future(version)?;
    }
    Ok(pcrs)
}

/// Writes all PCR of a volatile state.
pub(super) fn write_pcrs(s: &mut Sink, pcrs: &Pcrs) {
    for pcr in 0..PCR_COUNT {
        s.header(PCR, 2, 1);
        for hash in HashAlg::ALL {
            s.put(&hash);
            s.array(pcrs.value(hash, pcr));
        }
        s.put(&Alg::NULL.0);
        s.future();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_come_from_their_low_bits() {
        assert_eq!(context_of(0, 0xFF, 1000), Some(0));
        assert_eq!(context_of(3, 0xFF, 1000), Some(3));
        assert_eq!(context_of(0xE7, 0xFF, 1000), Some(999));
        assert_eq!(context_of(0xE8, 0xFF, 1000), Some(1000 - 256));
        assert_eq!(context_of(0x10, 0xFFFF, 0x11), Some(0x10));
        assert_eq!(context_of(0x12, 0xFFFF, 0x11), None);
        assert_eq!(slot_of(0, 0x1_0010, 0x1_0011), Ok(0x10));
        assert_eq!(slot_of(5, 0x1_0001, 0x1_0011), Err(ExportFault::Context { number: 5 }));
        assert_eq!(slot_of(5, 0x10, 0x2_0011), Err(ExportFault::Context { number: 5 }));
    }
}
