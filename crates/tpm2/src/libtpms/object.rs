//! Objects (ANY_OBJECT, OBJECT): persistent, loaded, and in saved contexts.

use super::{
    ExportFault, ImportFault, sequence,
    sink::Sink,
    source::{Kind, Source},
};
use crate::object::{Object, Slot, name::public_name};
use crate::profile::Profile;
use crate::structures::{Alg, Auth, Name, Parameters, Public, Sensitive, Unique, rh};
use alloc::{sync::Arc, vec::Vec};
use sealwright_crypto::{Crypto, RUST, RsaKey, rsa::LargerFirst};
use zeroize::Zeroizing;

const ANY_OBJECT: Kind = Kind { name: "ANY_OBJECT", magic: 0xFE9A_3974, version: 2 };
const OBJECT: Kind = Kind { name: "OBJECT", magic: 0x75BE_73AF, version: 4 };
const PRIVATE_EXPONENT: Kind = Kind { name: "PRIVATE_EXPONENT", magic: 0x0854_EAB2, version: 2 };
const BN_PRIME: Kind = Kind { name: "BN_PRIME", magic: 0x2FE7_36AB, version: 2 };

/// Bytes of a word of a number.
const WORD: usize = 8;

/// Bits of the attributes that libtpms keeps of an object.
pub(super) mod attribute {
    pub(in super::super) const PUBLIC_ONLY: u32 = 1 << 0;
    pub(in super::super) const ENDORSEMENT: u32 = 1 << 1;
    pub(in super::super) const PLATFORM: u32 = 1 << 2;
    pub(in super::super) const OWNER: u32 = 1 << 3;
    pub(in super::super) const EVICT: u32 = 1 << 4;
    pub(in super::super) const PRIMARY: u32 = 1 << 5;
    pub(in super::super) const TEMPORARY: u32 = 1 << 6;
    pub(in super::super) const ST_CLEAR: u32 = 1 << 7;
    pub(in super::super) const HMAC_SEQUENCE: u32 = 1 << 8;
    pub(in super::super) const HASH_SEQUENCE: u32 = 1 << 9;
    pub(in super::super) const EVENT_SEQUENCE: u32 = 1 << 10;
    pub(in super::super) const TICKET_SAFE: u32 = 1 << 11;
    pub(in super::super) const FIRST_BLOCK: u32 = 1 << 12;
    pub(in super::super) const PARENT: u32 = 1 << 13;
    pub(in super::super) const PRIVATE_EXPONENT: u32 = 1 << 14;
    pub(in super::super) const OCCUPIED: u32 = 1 << 15;
    pub(in super::super) const DERIVATION: u32 = 1 << 16;
    pub(in super::super) const EXTERNAL: u32 = 1 << 17;
    pub(in super::super) const SEQUENCE: u32 = HMAC_SEQUENCE | HASH_SEQUENCE | EVENT_SEQUENCE;
}

/// Reads an object or a sequence; `None` if the slot is free. `handle` is for the messages.
pub(super) fn read_slot(s: &mut Source<'_>, crypto: &Crypto, handle: u32) -> Result<Option<Slot>, ImportFault> {
    read(s, crypto, handle, false)
}

/// The same from bytes whose integrity is known: nothing is computed again.
pub(super) fn read_trusted_slot(s: &mut Source<'_>, crypto: &Crypto, handle: u32) -> Result<Option<Slot>, ImportFault> {
    read(s, crypto, handle, true)
}

fn read(s: &mut Source<'_>, crypto: &Crypto, handle: u32, trusted: bool) -> Result<Option<Slot>, ImportFault> {
    let version = s.header(ANY_OBJECT)?;
    let attributes = s.get::<u32>("attributes")?;
    let slot = if attributes & attribute::OCCUPIED == 0 {
        None
    } else if attributes & attribute::SEQUENCE != 0 {
        Some(Slot::Sequence(Arc::new(sequence::read(s, attributes, handle)?)))
    } else {
        Some(Slot::Object(Arc::new(read_object(s, crypto, attributes, handle, trusted)?)))
    };
    s.within(ANY_OBJECT);
    s.future(version)?;
    Ok(slot)
}

/// Writes an object or a sequence, or a free slot.
pub(super) fn write_slot(s: &mut Sink, profile: &Profile, slot: Option<&Slot>, handle: u32) -> Result<(), ExportFault> {
    s.header(ANY_OBJECT, 2, 1);
    match slot {
        None => s.put(&0u32),
        Some(Slot::Object(object)) => {
            profile.check_object(handle, &object.public)?;
            s.put(&attributes_of(object));
            write_object(s, profile, object);
        }
        Some(Slot::Sequence(sequence)) => sequence::write(s, sequence, handle)?,
    }
    s.future();
    Ok(())
}

fn hierarchy_of(attributes: u32) -> u32 {
    let known =
        [(attribute::ENDORSEMENT, rh::ENDORSEMENT), (attribute::PLATFORM, rh::PLATFORM), (attribute::OWNER, rh::OWNER)];
    known.iter().find(|(bit, _)| attributes & bit != 0).map_or(rh::NULL, |(_, handle)| *handle)
}

fn attributes_of(object: &Object) -> u32 {
    let parent = object.is_parent();
    let flags = [
        (object.sensitive.is_none(), attribute::PUBLIC_ONLY),
        (object.hierarchy == rh::ENDORSEMENT, attribute::ENDORSEMENT),
        (object.hierarchy == rh::PLATFORM, attribute::PLATFORM),
        (object.hierarchy == rh::OWNER, attribute::OWNER),
        (object.evict.is_some(), attribute::EVICT),
        (object.primary, attribute::PRIMARY),
        (object.temporary, attribute::TEMPORARY),
        (object.st_clear, attribute::ST_CLEAR),
        (parent, attribute::PARENT),
        (object.rsa.is_some(), attribute::PRIVATE_EXPONENT),
        (object.is_derivation_parent(), attribute::DERIVATION),
        (object.external, attribute::EXTERNAL),
    ];
    flags.iter().filter(|(on, _)| *on).fold(attribute::OCCUPIED, |bits, (_, bit)| bits | bit)
}

fn read_sensitive(s: &mut Source<'_>) -> Result<Option<Sensitive>, ImportFault> {
    if s.rest().first_chunk() != Some(&[0, 0]) {
        return s.get("sensitive").map(Some);
    }
    // A public key has a sensitive area of no type, and nothing in it.
    s.get::<u16>("sensitive type")?;
    let (auth, seed) = (s.get::<Auth>("sensitive")?, s.get::<Auth>("sensitive")?);
    if auth.is_empty() && seed.is_empty() { Ok(None) } else { Err(s.bad("sensitive")) }
}

/// A number as words, the least significant first.
fn read_number(s: &mut Source<'_>) -> Result<Zeroizing<Vec<u8>>, ImportFault> {
    let version = s.header(BN_PRIME)?;
    let words = s.array("number")?;
    s.future(version)?;
    let mut number = Zeroizing::new(Vec::with_capacity(words.len()));
    words.rchunks(WORD).for_each(|word| number.extend_from_slice(word));
    Ok(number)
}

/// The values of an RSA key beside its prime: the other prime, and those of the Chinese remainder theorem.
fn read_private_exponent(s: &mut Source<'_>) -> Result<[Zeroizing<Vec<u8>>; 4], ImportFault> {
    let version = s.header(PRIVATE_EXPONENT)?;
    let numbers = [read_number(s)?, read_number(s)?, read_number(s)?, read_number(s)?];
    s.within(PRIVATE_EXPONENT);
    s.future(version)?;
    Ok(numbers)
}

/// The number with as many bytes as the prime has; `None` if it has more.
fn sized(number: &[u8], len: usize) -> Option<Zeroizing<Vec<u8>>> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let significant = number.get(zeros..)?;
    let mut out = Zeroizing::new(Vec::with_capacity(len));
    out.resize(len.checked_sub(significant.len())?, 0);
    out.extend_from_slice(significant);
    Some(out)
}

/// The key of the prime in `sensitive`, and of `numbers` if they are those that this TPM, or libtpms, once computed.
fn rsa_of(public: &Public, sensitive: &Sensitive, numbers: Option<&[Zeroizing<Vec<u8>>; 4]>) -> Option<RsaKey> {
    let (Parameters::Rsa(parameters), Unique::Rsa(n)) = (&public.parameters, &public.unique) else { return None };
    let e = if parameters.exponent == 0 { sealwright_crypto::rsa::DEFAULT_EXPONENT } else { parameters.exponent };
    let p = &sensitive.value;
    let stored = numbers.filter(|numbers| numbers.iter().all(|number| !number.is_empty()));
    let Some([q, dp, dq, qinv]) = stored else { return RsaKey::from_prime(n, e, p).ok() };
    let values = LargerFirst {
        d_larger: sized(dp, p.len())?,
        d_smaller: sized(dq, p.len())?,
        coefficient: sized(qinv, p.len())?,
    };
    RsaKey::restored(n, e, p, &sized(q, p.len())?).ok()?.with_larger_first(values)
}

fn read_object(
    s: &mut Source<'_>,
    crypto: &Crypto,
    attributes: u32,
    handle: u32,
    trusted: bool,
) -> Result<Object, ImportFault> {
    let version = s.header(OBJECT)?;
    let refused = ImportFault::Object { handle };
    let public = s.get::<Public>("publicArea")?;
    let sensitive = read_sensitive(s)?;
    if sensitive.is_some() == (attributes & attribute::PUBLIC_ONLY != 0) {
        return Err(s.bad("sensitive"));
    }
    if sensitive.as_ref().is_some_and(|sensitive| sensitive.object_type != public.object_type()) {
        return Err(refused);
    }
    let numbers = if s.optional("privateExponent")? { Some(read_private_exponent(s)?) } else { None };
    s.within(OBJECT);
    let qualified_name: Name = s.get("qualifiedName")?;
    let evict = s.get::<u32>("evictHandle")?;
    let name: Name = s.get("name")?;
    if !trusted && public_name(crypto, &public) != Ok(name) {
        return Err(s.bad("name"));
    }
    let (mut seed_compat, mut hierarchy) = (0, hierarchy_of(attributes));
    if version >= 3 {
        s.block("seedCompatLevel")?;
        seed_compat = super::reset::read_compat(s)?;
        if version >= 4 {
            s.block("hierarchy")?;
            hierarchy = s.get("hierarchy")?;
        }
    }
    if version < 4 {
        s.future(version)?;
    }
    if !matches!(hierarchy, rh::OWNER | rh::ENDORSEMENT | rh::PLATFORM | rh::NULL) {
        return Err(refused);
    }
    let rsa = match &sensitive {
        Some(sensitive) if matches!(public.unique, Unique::Rsa(_)) => {
            let numbers = numbers.as_ref().filter(|_| trusted);
            Some(Arc::new(rsa_of(&public, sensitive, numbers).ok_or(refused)?))
        }
        _ => None,
    };
    let has = |bit: u32| attributes & bit != 0;
    Ok(Object {
        public,
        sensitive,
        name,
        qualified_name,
        hierarchy,
        external: has(attribute::EXTERNAL),
        primary: has(attribute::PRIMARY),
        temporary: has(attribute::TEMPORARY),
        st_clear: has(attribute::ST_CLEAR),
        evict: has(attribute::EVICT).then_some(evict),
        seed_compat,
        rsa,
    })
}

/// A number as words, the least significant first, without words of zero at the end.
fn write_number(s: &mut Sink, number: &[u8]) {
    s.header(BN_PRIME, 2, 1);
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let significant = number.get(zeros..).unwrap_or_default();
    s.count(significant.len().div_ceil(WORD).saturating_mul(WORD));
    for word in significant.rchunks(WORD) {
        s.put(&word.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte)));
    }
    s.future();
}

fn write_private_exponent(s: &mut Sink, key: Option<&RsaKey>) {
    s.header(PRIVATE_EXPONENT, 2, 1);
    // The other prime as it is; the rest with the larger prime first. The values are the same whichever provider
    // computes them, if they have not been needed before.
    match key.and_then(|key| Some((key, key.larger_first(RUST.rsa)?))) {
        Some((key, values)) => {
            let numbers = [&key.q, &*values.d_larger, &*values.d_smaller, &*values.coefficient];
            numbers.into_iter().for_each(|number| write_number(s, number));
        }
        None => (0..4).for_each(|_| write_number(s, &[])),
    }
    s.future();
}

fn write_object(s: &mut Sink, profile: &Profile, object: &Object) {
    let version = if profile.level() <= 5 { 3 } else { 4 };
    s.header(OBJECT, version, version);
    s.put(&object.public);
    match &object.sensitive {
        Some(sensitive) => s.put(sensitive),
        None => {
            s.put(&0u16);
            s.put(&Auth::default());
            s.put(&Auth::default());
        }
    }
    let is_private_rsa = object.sensitive.as_ref().is_some_and(|s| Alg(s.object_type as u16) == Alg::RSA);
    if version < 4 || is_private_rsa {
        s.block(|s| write_private_exponent(s, object.rsa.as_deref()));
    } else {
        s.no_block();
    }
    s.put(&object.qualified_name);
    s.put(&object.evict.unwrap_or(0));
    s.put(&object.name);
    s.block(|s| {
        s.put(&object.seed_compat);
        s.block(|s| {
            if version >= 4 {
                s.put(&object.hierarchy);
            }
        });
    });
}
