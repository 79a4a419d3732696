//! Running hash, event and HMAC sequences (HASH_OBJECT). Their midstates are saved, so they go on elsewhere.
//!
//! CMAC sequences are not among them: libtpms does not save what they have computed.

use super::{
    ExportFault, ImportFault,
    object::attribute,
    sink::Sink,
    source::{Kind, Source},
};
use crate::object::{Sequence, SequenceKind};
use crate::structures::{Alg, Auth, HASH_COUNT, HashAlg, ObjectAttributes};
use alloc::vec::Vec;
use sealwright_crypto::hash::{Hasher, HmacState};
use zeroize::Zeroizing;

const HASH_OBJECT: Kind = Kind { name: "HASH_OBJECT", magic: 0xB874_FE38, version: 3 };
const HASH_STATE: Kind = Kind { name: "HASH_STATE", magic: 0x5628_78A2, version: 2 };
const ANY_HASH_STATE: Kind = Kind { name: "ANY_HASH_STATE", magic: 0x349D_494B, version: 2 };

/// Version of HASH_OBJECT from which event sequences are saved.
const WITH_EVENTS: u16 = 3;
/// The type of a HASH_STATE that runs a hash, an HMAC.
const HASH: u8 = 1;
const HMAC: u8 = 2;

const fn kind_of(hash: HashAlg) -> Kind {
    let (name, magic) = match hash {
        HashAlg::Sha1 => ("HASH_STATE_SHA1", 0x19D4_6F50),
        HashAlg::Sha256 => ("HASH_STATE_SHA256", 0x6EA0_59D0),
        HashAlg::Sha384 => ("HASH_STATE_SHA384", 0x1481_4B08),
        HashAlg::Sha512 => ("HASH_STATE_SHA512", 0x269E_8AE0),
    };
    Kind { name, magic, version: 2 }
}

/// Bytes of a word and number of words of the chaining value.
const fn words_of(hash: HashAlg) -> (usize, usize) {
    match hash {
        HashAlg::Sha1 => (4, 5),
        HashAlg::Sha256 => (4, 8),
        HashAlg::Sha384 | HashAlg::Sha512 => (8, 8),
    }
}

/// Reads one hash; its form is that of [`Hasher::export`]: words, bytes so far, unfinished block.
fn read_hasher(s: &mut Source<'_>, hash: HashAlg) -> Result<Hasher, ImportFault> {
    let version = s.header(kind_of(hash))?;
    let (word, words) = words_of(hash);
    if hash != HashAlg::Sha1 {
        s.count("words", words)?;
    }
    let mut state = Zeroizing::new(Vec::with_capacity(words.saturating_mul(word).saturating_add(8 + 128)));
    state.extend_from_slice(s.bytes(words.saturating_mul(word))?);
    let bits = match word {
        4 => u64::from(s.get::<u32>("low count")?) | u64::from(s.get::<u32>("high count")?) << 32,
        _ => {
            let low = s.get::<u64>("low count")?;
            if s.get::<u64>("high count")? == 0 { low } else { return Err(s.bad("high count")) }
        }
    };
    let block = s.array("block")?;
    let filled = usize::try_from(s.get::<u32>("number")?).map_err(|_| s.bad("number"))?;
    if hash != HashAlg::Sha1 {
        s.get::<u32>("digest length")?;
    }
    state.extend_from_slice(&(bits / 8).to_be_bytes());
    state.extend_from_slice(block.get(..filled).ok_or_else(|| s.bad("number"))?);
    let hasher = Hasher::import(hash, &state).ok_or_else(|| s.bad("block"))?;
    s.future(version)?;
    Ok(hasher)
}

fn write_hasher(s: &mut Sink, hasher: &Hasher) {
    let hash = hasher.alg();
    let (word, words) = words_of(hash);
    let state = hasher.export();
    let (chain, rest) = state.split_at_checked(words.saturating_mul(word)).unwrap_or_default();
    let (total, pending) = rest.split_first_chunk::<8>().map_or((0, rest), |(n, rest)| (u64::from_be_bytes(*n), rest));
    let bits = total.wrapping_mul(8);
    s.header(kind_of(hash), 2, 1);
    if hash != HashAlg::Sha1 {
        s.count(words);
    }
    s.bytes(chain);
    if word == 4 {
        s.put(&(bits & u64::from(u32::MAX)).try_into().unwrap_or(0u32));
        s.put(&(bits >> 32).try_into().unwrap_or(0u32));
    } else {
        s.put(&bits);
        s.put(&0u64);
    }
    let mut block = Zeroizing::new(alloc::vec![0; hash.block()]);
    block.iter_mut().zip(pending).for_each(|(to, from)| *to = *from);
    s.array(&block);
    s.put(&u32::try_from(pending.len()).unwrap_or(0));
    if hash != HashAlg::Sha1 {
        s.put(&u32::try_from(hash.size()).unwrap_or(0));
    }
    s.future();
}

/// Reads a HASH_STATE; `None` if no hash of a known algorithm runs in it.
fn read_state(s: &mut Source<'_>) -> Result<Option<Hasher>, ImportFault> {
    let version = s.header(HASH_STATE)?;
    s.get::<u8>("type")?;
    let id = s.get::<u16>("hashAlg")?;
    let inner = s.header(ANY_HASH_STATE)?;
    let hash = HashAlg::ALL.into_iter().find(|hash| hash.id() == id);
    let hasher = hash.map(|hash| read_hasher(s, hash)).transpose()?;
    s.within(ANY_HASH_STATE);
    s.future(inner)?;
    s.within(HASH_STATE);
    s.future(version)?;
    Ok(hasher)
}

fn write_state(s: &mut Sink, state_type: u8, hasher: Option<&Hasher>) {
    s.header(HASH_STATE, 2, 1);
    s.put(&hasher.map_or(0, |_| state_type));
    s.put(&hasher.map_or(Alg::NULL.0, |hasher| hasher.alg().id()));
    s.header(ANY_HASH_STATE, 2, 1);
    if let Some(hasher) = hasher {
        write_hasher(s, hasher);
    }
    s.future();
    s.future();
}

/// Reads a sequence with these attributes.
pub(super) fn read(s: &mut Source<'_>, attributes: u32, handle: u32) -> Result<Sequence, ImportFault> {
    let version = s.header(HASH_OBJECT)?;
    s.get::<u16>("type")?;
    s.get::<Option<HashAlg>>("nameAlg")?;
    s.get::<u32>("objectAttributes")?;
    let auth: Auth = s.get("auth")?;
    let lost = ImportFault::Sequence { handle };
    let has = |bit: u32| attributes & bit != 0;
    let kind = if has(attribute::HMAC_SEQUENCE) {
        let inner = read_state(s)?.ok_or(lost)?;
        let block = s.array("hmacKey")?;
        SequenceKind::Hmac { hmac: HmacState::from_parts(inner, block).ok_or_else(|| s.bad("hmacKey"))? }
    } else if has(attribute::EVENT_SEQUENCE) && version < WITH_EVENTS {
        return Err(lost);
    } else {
        s.count("hashState", HASH_COUNT)?;
        let mut hashers = crate::object::hashers();
        let mut first = None;
        for (place, number) in hashers.iter_mut().zip(0..HASH_COUNT) {
            let hasher = read_state(s)?;
            if number == 0 {
                first.clone_from(&hasher);
            }
            // A hash sequence leaves anything in the others.
            if has(attribute::EVENT_SEQUENCE) {
                *place = hasher.filter(|h| h.alg() == place.alg()).ok_or_else(|| s.bad("hashState"))?;
            }
        }
        if has(attribute::EVENT_SEQUENCE) {
            SequenceKind::Event { hashers }
        } else {
            let ticket = has(attribute::FIRST_BLOCK).then_some(has(attribute::TICKET_SAFE));
            SequenceKind::Hash { hasher: first.ok_or(lost)?, ticket }
        }
    };
    s.within(HASH_OBJECT);
    s.future(version)?;
    Ok(Sequence { auth, kind })
}

/// Writes the attributes and the sequence.
pub(super) fn write(s: &mut Sink, sequence: &Sequence, handle: u32) -> Result<(), ExportFault> {
    let bits = match &sequence.kind {
        SequenceKind::Hash { ticket, .. } => {
            let of_ticket =
                ticket.map_or(0, |safe| attribute::FIRST_BLOCK | if safe { attribute::TICKET_SAFE } else { 0 });
            attribute::HASH_SEQUENCE | of_ticket
        }
        SequenceKind::Event { .. } => attribute::EVENT_SEQUENCE,
        SequenceKind::Hmac { .. } => attribute::HMAC_SEQUENCE,
        SequenceKind::Cmac { .. } => return Err(ExportFault::Sequence { handle }),
    };
    s.put(&(bits | attribute::OCCUPIED | attribute::TEMPORARY));
    s.header(HASH_OBJECT, 3, 1);
    s.put(&Alg::NULL.0);
    s.put(&Alg::NULL.0);
    s.put(&ObjectAttributes::NO_DA);
    s.put(&sequence.auth);
    match &sequence.kind {
        SequenceKind::Hash { hasher, .. } => {
            s.count(HASH_COUNT);
            for number in 0..HASH_COUNT {
                write_state(s, HASH, (number == 0).then_some(hasher));
            }
        }
        SequenceKind::Event { hashers } => {
            s.count(HASH_COUNT);
            hashers.iter().for_each(|hasher| write_state(s, HASH, Some(hasher)));
        }
        SequenceKind::Hmac { hmac } => {
            write_state(s, HMAC, Some(hmac.inner()));
            s.array(hmac.outer_block());
        }
        SequenceKind::Cmac { .. } => {}
    }
    s.future();
    Ok(())
}
