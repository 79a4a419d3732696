//! What is lost at power-off as bytes, for migration and for snapshots with memory.

use super::record::{Fields, Kind, Out};
use super::running::{decode_clear, decode_pcrs, decode_reset, encode_clear, encode_pcrs, encode_reset};
use super::{Permanent, State, Volatile, encode_permanent};
use crate::object::{Object, Sequence, Slot, hashers};
use crate::session::Session;
use crate::structures::HashAlg;
use alloc::{sync::Arc, vec::Vec};
use sealwright_core::StateFault;
use sealwright_crypto::{Crypto, drbg::Drbg, hash::Hasher};
use zeroize::Zeroizing;

/// Bytes of everything but the permanent state, bound to the permanent state by its digest.
pub(crate) fn encode_volatile(crypto: &Crypto, state: &State) -> Zeroizing<Vec<u8>> {
    let v = &state.volatile;
    let mut out = Out::new(Kind::Volatile);
    out.bytes(1, &permanent_digest(crypto, state));
    out.bytes(2, &encode_reset(&state.reset));
    out.bytes(3, &encode_clear(&state.clear));
    out.bytes(4, &encode_pcrs(&state.pcrs));
    out.bytes(5, &*state.drbg.export());
    out.field(6, &v.started);
    if let Some(code) = v.failure {
        out.field(7, &code);
    }
    out.field(8, &v.ph_enable);
    out.field(9, &v.pcr_reconfigured);
    out.field(10, &v.exclusive_audit);
    out.field(11, &v.drtm_pre_startup);
    out.field(12, &v.startup_locality3);
    if let Some(hashers) = &v.hash_sequence {
        for hasher in hashers.iter() {
            out.bytes(13, &hasher.export());
        }
    }
    out.field(14, &v.established);
    out.field(15, &v.da_used);
    for (slot, number) in v.objects.iter().zip(0..u8::MAX) {
        let (id, bytes) = match slot {
            Some(Slot::Object(object)) => (16, object.encode()),
            Some(Slot::Sequence(sequence)) => (17, sequence.encode()),
            None => continue,
        };
        out.bytes(id, &numbered(number, &bytes));
    }
    for (slot, number) in v.sessions.slots.iter().zip(0..u8::MAX) {
        if let Some(session) = slot {
            out.bytes(18, &numbered(number, &session.encode()));
        }
    }
    for index in v.orderly_nv.values() {
        out.bytes(19, &super::encoding::index_bytes(index));
    }
    out.field(20, &v.time);
    out.field(21, &v.clock);
    out.field(22, &v.clock_rate);
    out.field(23, &v.orderly);
    out.field(24, &v.buffer_size);
    out.bytes(25, &super::encoding::orderly_bytes(v.previous_orderly));
    out.field(26, &state.permanent.clock_safe);
    out.field(27, &v.clock_fraction);
    out.finish()
}

/// The state of bytes that [`encode_volatile`] made, on this permanent state. The platform's clock may be another.
pub(crate) fn decode_volatile(
    crypto: &Crypto,
    permanent: &Arc<Permanent>,
    bytes: &[u8],
    platform_time: u64,
) -> Result<State, StateFault> {
    let f = Fields::new(Kind::Volatile, bytes)?;
    let mut v = Volatile::new(platform_time);
    v.started = f.get(6)?;
    v.failure = f.all(7).next().map(super::record::whole).transpose()?;
    v.ph_enable = f.get(8)?;
    v.pcr_reconfigured = f.get(9)?;
    v.exclusive_audit = f.get(10)?;
    v.drtm_pre_startup = f.get(11)?;
    v.startup_locality3 = f.get(12)?;
    let running: Vec<&[u8]> = f.all(13).collect();
    if !running.is_empty() {
        let mut hashers = hashers();
        for (hasher, bytes) in hashers.iter_mut().zip(&running) {
            *hasher = Hasher::import(hasher.alg(), bytes).ok_or(StateFault::Format)?;
        }
        v.hash_sequence = Some(hashers);
    }
    v.established = f.get(14)?;
    v.da_used = f.get(15)?;
    for field in f.all(16) {
        let (number, bytes) = split(field)?;
        let object = Object::decode(bytes).ok_or(StateFault::Format)?;
        *v.objects.get_mut(number).ok_or(StateFault::Format)? = Some(Slot::Object(Arc::new(object)));
    }
    for field in f.all(17) {
        let (number, bytes) = split(field)?;
        let sequence = Sequence::decode(bytes).ok_or(StateFault::Format)?;
        *v.objects.get_mut(number).ok_or(StateFault::Format)? = Some(Slot::Sequence(Arc::new(sequence)));
    }
    for field in f.all(18) {
        let (number, bytes) = split(field)?;
        let session = Session::decode(bytes).ok_or(StateFault::Format)?;
        *v.sessions.slots.get_mut(number).ok_or(StateFault::Format)? = Some(Arc::new(session));
    }
    for field in f.all(19) {
        let index = super::encoding::index_of(field)?;
        v.orderly_nv.insert(index.public.index.0, Arc::new(index));
    }
    v.time = f.get(20)?;
    v.clock = f.get(21)?;
    v.clock_rate = f.get(22)?;
    v.orderly = f.get(23)?;
    v.buffer_size = f.get(24)?;
    v.previous_orderly = super::encoding::orderly_of(f.bytes(25)?)?;
    v.clock_fraction = f.get_or(27, 0)?;
    // Clock may have become safe since the permanent state was saved: that alone is not committed.
    let mut permanent = Arc::clone(permanent);
    let clock_safe = f.get_or(26, permanent.clock_safe)?;
    if permanent.clock_safe != clock_safe {
        Arc::make_mut(&mut permanent).clock_safe = clock_safe;
    }
    let state = State {
        permanent,
        reset: Arc::new(decode_reset(f.bytes(2)?)?),
        clear: Arc::new(decode_clear(f.bytes(3)?)?),
        pcrs: Arc::new(decode_pcrs(f.bytes(4)?)?),
        volatile: v,
        drbg: Drbg::import(f.bytes(5)?).ok_or(StateFault::Format)?,
    };
    if f.bytes(1)? == &*permanent_digest(crypto, &state) { Ok(state) } else { Err(StateFault::Mismatch) }
}

/// Digest of the permanent state without the clock, which runs on (and becomes safe) without a commit.
fn permanent_digest(crypto: &Crypto, state: &State) -> sealwright_crypto::Digest {
    let mut still = state.clone();
    still.volatile.started = false;
    let permanent = Arc::make_mut(&mut still.permanent);
    permanent.clock = 0;
    permanent.clock_safe = false;
    crypto.hash.digest(HashAlg::Sha256, &[&encode_permanent(&still)])
}

fn numbered(number: u8, bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(bytes.len().saturating_add(1)));
    out.push(number);
    out.extend_from_slice(bytes);
    out
}

fn split(field: &[u8]) -> Result<(usize, &[u8]), StateFault> {
    field.split_first().map(|(number, rest)| (usize::from(*number), rest)).ok_or(StateFault::Format)
}
