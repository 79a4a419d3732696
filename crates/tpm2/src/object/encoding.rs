//! Objects and sequences as bytes, for saved contexts, persistent objects and volatile state.
//!
//! The first byte is the version of the format. A version that is not known is refused; a field is only ever added
//! with a new version, so that every older one stays readable.

use super::{Object, Sequence, SequenceKind, hashers};
use crate::structures::{Auth, HASH_COUNT, MAX_RSA, Public, Sensitive, SensitiveValue, alg_of_cipher};
use alloc::{sync::Arc, vec, vec::Vec};
use sealwright_core::{Fault, Reader, Wire, Writer};
use sealwright_crypto::{
    BlockCipher, Crt, HashAlg, RsaKey,
    hash::{Hasher, HmacState},
};
use zeroize::{Zeroize, Zeroizing};

const OBJECT_VERSION: u8 = 2;
/// Had the CRT values of RSA keys; now they are computed when they are needed.
const OLDEST_OBJECT_VERSION: u8 = 1;
const SEQUENCE_VERSION: u8 = 2;

/// More than any encoding takes: public and sensitive area, two Names, the second prime of an RSA key.
const ROOM: usize = Public::MAX_SIZE + Sensitive::MAX_SIZE + 2 * 68 + 2 + MAX_RSA / 2 + 32;

/// Bits of the flags of an object.
mod flag {
    pub(super) const SENSITIVE: u16 = 1 << 0;
    pub(super) const EXTERNAL: u16 = 1 << 1;
    pub(super) const PRIMARY: u16 = 1 << 2;
    pub(super) const TEMPORARY: u16 = 1 << 3;
    pub(super) const ST_CLEAR: u16 = 1 << 4;
    pub(super) const EVICT: u16 = 1 << 5;
    pub(super) const RSA: u16 = 1 << 6;
    pub(super) const ALL: u16 = (1 << 7) - 1;
}

/// Runs `write` over room for `size` bytes and keeps what it wrote; empty if that was more, which [`ROOM`] excludes.
fn encoded(size: usize, write: impl FnOnce(&mut Writer<'_>) -> Result<(), Fault>) -> Zeroizing<Vec<u8>> {
    let mut room = vec![0; size];
    let mut w = Writer::new(&mut room);
    let complete = write(&mut w).is_ok();
    let len = w.len();
    let bytes = kept(&mut room, len);
    if complete { bytes } else { Zeroizing::default() }
}

/// The first `len` bytes of `room`, which are moved out of it: only they need to be wiped there, now and later.
fn kept(room: &mut [u8], len: usize) -> Zeroizing<Vec<u8>> {
    let written = room.get_mut(..len).unwrap_or_default();
    let bytes = Zeroizing::new(written.to_vec());
    written.zeroize();
    bytes
}

/// The wire format of a structure; wiped, as it may be secret.
pub(crate) fn marshalled<T: Wire>(value: &T) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let mut room = vec![0; T::MAX_SIZE];
    let mut w = Writer::new(&mut room);
    // What a refused value left behind is wiped too.
    let written = value.write(&mut w);
    let len = w.len();
    let bytes = kept(&mut room, len);
    written.map(|()| bytes)
}

fn write_bytes(w: &mut Writer<'_>, bytes: &[u8]) -> Result<(), Fault> {
    u16::try_from(bytes.len()).map_err(|_| Fault::SIZE)?.write(w)?;
    w.bytes(bytes)
}

fn read_bytes<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], Fault> {
    let len = usize::from(u16::read(r)?);
    r.bytes(len)
}

/// What `read` makes of all of `bytes`.
fn decoded<T>(bytes: &[u8], read: impl FnOnce(&mut Reader<'_>) -> Result<T, Fault>) -> Option<T> {
    let mut r = Reader::new(bytes);
    let value = read(&mut r).ok()?;
    r.is_empty().then_some(value)
}

impl Object {
    fn flags(&self) -> u16 {
        [
            (self.sensitive.is_some(), flag::SENSITIVE),
            (self.external, flag::EXTERNAL),
            (self.primary, flag::PRIMARY),
            (self.temporary, flag::TEMPORARY),
            (self.st_clear, flag::ST_CLEAR),
            (self.evict.is_some(), flag::EVICT),
            (self.rsa.is_some(), flag::RSA),
        ]
        .iter()
        .fold(0, |flags, (on, bit)| if *on { flags | bit } else { flags })
    }

    /// The object as bytes. They are as secret as the object.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        encoded(ROOM, |w| {
            OBJECT_VERSION.write(w)?;
            self.flags().write(w)?;
            self.public.write(w)?;
            if let Some(sensitive) = &self.sensitive {
                sensitive.write(w)?;
            }
            self.name.write(w)?;
            self.qualified_name.write(w)?;
            self.hierarchy.write(w)?;
            if let Some(handle) = self.evict {
                handle.write(w)?;
            }
            self.seed_compat.write(w)?;
            if let Some(key) = &self.rsa {
                write_bytes(w, &key.q)?;
            }
            Ok(())
        })
    }

    /// The object of bytes that [`Object::encode`] of this or an older version made.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        decoded(bytes, |r| {
            let version = u8::read(r)?;
            if !(OLDEST_OBJECT_VERSION..=OBJECT_VERSION).contains(&version) {
                return Err(Fault::VALUE);
            }
            let flags = u16::read(r)?;
            if flags & !flag::ALL != 0 {
                return Err(Fault::VALUE);
            }
            let has = |bit| flags & bit != 0;
            let public = Public::read(r)?;
            let sensitive = if has(flag::SENSITIVE) { Some(Sensitive::read(r)?) } else { None };
            let (name, qualified_name, hierarchy) = (Wire::read(r)?, Wire::read(r)?, u32::read(r)?);
            let evict = if has(flag::EVICT) { Some(u32::read(r)?) } else { None };
            let seed_compat = u8::read(r)?;
            let rsa = if has(flag::RSA) {
                let sensitive = sensitive.as_ref().ok_or(Fault::VALUE)?;
                Some(Arc::new(read_rsa(&public, sensitive, version, r)?))
            } else {
                None
            };
            Ok(Self {
                public,
                sensitive,
                name,
                qualified_name,
                hierarchy,
                external: has(flag::EXTERNAL),
                primary: has(flag::PRIMARY),
                temporary: has(flag::TEMPORARY),
                st_clear: has(flag::ST_CLEAR),
                evict,
                seed_compat,
                rsa,
            })
        })
    }
}

/// The second prime, completed from the areas that hold the rest of the key.
fn read_rsa(public: &Public, sensitive: &Sensitive, version: u8, r: &mut Reader<'_>) -> Result<RsaKey, Fault> {
    use crate::structures::{Parameters, Unique};
    let (Parameters::Rsa(parameters), Unique::Rsa(modulus)) = (&public.parameters, &public.unique) else {
        return Err(Fault::VALUE);
    };
    let mut next = || read_bytes(r).map(<[u8]>::to_vec);
    let key = RsaKey::from_primes(parameters.exponent, &sensitive.value, &next()?).map_err(|_| Fault::VALUE)?;
    if key.n != **modulus {
        return Err(Fault::VALUE);
    }
    if version > OLDEST_OBJECT_VERSION {
        return Ok(key);
    }
    Ok(key.with_crt(Crt { dp: next()?, dq: next()?, qinv: next()? }))
}

const fn cipher_number(cipher: BlockCipher) -> u16 {
    alg_of_cipher(cipher).0
}

fn read_cipher(r: &mut Reader<'_>) -> Result<BlockCipher, Fault> {
    let id = u16::read(r)?;
    [BlockCipher::Aes, BlockCipher::Camellia, BlockCipher::Tdes]
        .into_iter()
        .find(|cipher| cipher_number(*cipher) == id)
        .ok_or(Fault::VALUE)
}

fn write_hasher(w: &mut Writer<'_>, hasher: &Hasher) -> Result<(), Fault> {
    hasher.alg().write(w)?;
    write_bytes(w, &hasher.export())
}

fn read_hasher(r: &mut Reader<'_>) -> Result<Hasher, Fault> {
    let alg = HashAlg::read(r)?;
    Hasher::import(alg, read_bytes(r)?).ok_or(Fault::VALUE)
}

impl Sequence {
    /// The sequence as bytes. They are as secret as what was hashed, and as the key.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        encoded(ROOM, |w| {
            SEQUENCE_VERSION.write(w)?;
            self.auth.write(w)?;
            match &self.kind {
                SequenceKind::Hash { hasher, ticket } => {
                    0u8.write(w)?;
                    write_hasher(w, hasher)?;
                    ticket.map_or(0u8, |safe| if safe { 2 } else { 1 }).write(w)
                }
                SequenceKind::Event { hashers } => {
                    1u8.write(w)?;
                    hashers.iter().try_for_each(|hasher| write_hasher(w, hasher))
                }
                SequenceKind::Hmac { hmac } => {
                    2u8.write(w)?;
                    hmac.alg().write(w)?;
                    write_bytes(w, &hmac.export())
                }
                SequenceKind::Cmac { cipher, key, chain, pending } => {
                    3u8.write(w)?;
                    cipher_number(*cipher).write(w)?;
                    key.write(w)?;
                    w.bytes(chain)?;
                    write_bytes(w, pending)
                }
            }
        })
    }

    /// The sequence of bytes that [`Sequence::encode`] of this or an older version made.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        decoded(bytes, |r| {
            if u8::read(r)? != SEQUENCE_VERSION {
                return Err(Fault::VALUE);
            }
            let auth = Auth::read(r)?;
            let kind = match u8::read(r)? {
                0 => {
                    let hasher = read_hasher(r)?;
                    let ticket = match u8::read(r)? {
                        0 => None,
                        1 => Some(false),
                        2 => Some(true),
                        _ => return Err(Fault::VALUE),
                    };
                    SequenceKind::Hash { hasher, ticket }
                }
                1 => {
                    let mut hashers = hashers();
                    for hasher in &mut hashers {
                        let bank = hasher.alg();
                        *hasher = read_hasher(r)?;
                        if hasher.alg() != bank {
                            return Err(Fault::VALUE);
                        }
                    }
                    SequenceKind::Event { hashers }
                }
                2 => {
                    let alg = HashAlg::read(r)?;
                    SequenceKind::Hmac { hmac: HmacState::import(alg, read_bytes(r)?).ok_or(Fault::VALUE)? }
                }
                3 => {
                    let (cipher, key) = (read_cipher(r)?, SensitiveValue::read(r)?);
                    let (chain, pending) = (r.array()?, read_bytes(r)?.to_vec());
                    if pending.len() > cipher.block() {
                        return Err(Fault::SIZE);
                    }
                    SequenceKind::Cmac { cipher, key, chain, pending }
                }
                _ => return Err(Fault::VALUE),
            };
            Ok(Self { auth, kind })
        })
    }
}

const _: () = assert!(HASH_COUNT == HashAlg::ALL.len(), "one hash of an event sequence for each bank");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::structures::{
        Digest, KeyedHashScheme, ObjectAttributes, ObjectType, Parameters, RsaParameters, RsaScheme, Unique, rh,
    };
    use sealwright_core::{Buffer, Secret};

    fn object(parameters: Parameters, unique: Unique, object_type: ObjectType) -> Object {
        Object {
            public: Public {
                name_alg: Some(HashAlg::Sha256),
                attributes: ObjectAttributes::SIGN | ObjectAttributes::USER_WITH_AUTH,
                auth_policy: Digest::from_slice(&[9; 32]).unwrap(),
                parameters,
                unique,
            },
            sensitive: Some(Sensitive {
                object_type,
                auth: Secret::from_slice(b"auth").unwrap(),
                seed: Secret::from_slice(&[5; 32]).unwrap(),
                value: Secret::from_slice(&[7; 128]).unwrap(),
            }),
            name: Buffer::from_slice(&[1; 34]).unwrap(),
            qualified_name: Buffer::from_slice(&[2; 34]).unwrap(),
            hierarchy: rh::ENDORSEMENT,
            external: false,
            primary: true,
            temporary: false,
            st_clear: true,
            evict: Some(0x8101_0001),
            seed_compat: 1,
            rsa: None,
        }
    }

    fn assert_same(a: &Object, b: &Object) {
        assert_eq!(a.public, b.public);
        assert_eq!((a.name, a.qualified_name, a.hierarchy), (b.name, b.qualified_name, b.hierarchy));
        assert_eq!((a.flags(), a.evict, a.seed_compat), (b.flags(), b.evict, b.seed_compat));
        assert_eq!(a.encode(), b.encode());
    }

    #[test]
    fn objects_come_back() {
        let data = object(
            Parameters::KeyedHash(KeyedHashScheme::Null),
            Unique::Digest(Digest::from_slice(&[4; 32]).unwrap()),
            ObjectType::KeyedHash,
        );
        assert_same(&data, &Object::decode(&data.encode()).unwrap());
        let mut public = data;
        (public.sensitive, public.evict, public.external) = (None, None, true);
        assert_same(&public, &Object::decode(&public.encode()).unwrap());
        for len in 0..public.encode().len() {
            assert!(Object::decode(&public.encode()[..len]).is_none());
        }
    }

    #[test]
    fn rsa_values_come_back() {
        let rsa = RsaParameters { symmetric: None, scheme: RsaScheme::Null, bits: 2048, exponent: 0 };
        // Nothing here asks whether they are primes.
        let (p, q) = ([7; 128], [9; 128]);
        let made = RsaKey::from_primes(65537, &p, &q).unwrap();
        let modulus = Buffer::from_slice(&made.n).unwrap();
        let mut key = object(Parameters::Rsa(rsa), Unique::Rsa(modulus), ObjectType::Rsa);
        key.sensitive.as_mut().unwrap().value = Secret::from_slice(&p).unwrap();
        let crt = Crt { dp: vec![5; 128], dq: vec![4; 128], qinv: vec![3; 128] };
        for made in [made.clone(), made.with_crt(crt)] {
            key.rsa = Some(Arc::new(made));
            let back = Object::decode(&key.encode()).unwrap();
            assert_same(&key, &back);
            let (old, new) = (key.rsa.as_ref().unwrap(), back.rsa.as_ref().unwrap());
            assert_eq!((&old.n, old.e, &old.p, &old.q), (&new.n, new.e, &new.p, &new.q));
            assert_eq!(new.known_crt(), None);
        }
        // Version 1 had the other values behind the second prime.
        let mut old = key.encode().to_vec();
        old[0] = 1;
        let values = [5, 4, 3].map(|byte| [&[0, 128][..], &[byte; 128]].concat());
        old.extend(values.concat());
        let back = Object::decode(&old).unwrap();
        assert_same(&key, &back);
        assert_eq!(back.rsa.unwrap().known_crt(), key.rsa.as_ref().unwrap().known_crt());
        key.public.unique = Unique::Rsa(Buffer::from_slice(&[8; 256]).unwrap());
        assert!(Object::decode(&key.encode()).is_none());
    }

    #[test]
    fn sequences_come_back_and_go_on() {
        let mut hasher = Hasher::new(HashAlg::Sha384);
        hasher.update(b"first");
        let auth = || Secret::from_slice(b"a").unwrap();
        let sequence =
            Sequence { auth: auth(), kind: SequenceKind::Hash { hasher: hasher.clone(), ticket: Some(false) } };
        let back = Sequence::decode(&sequence.encode()).unwrap();
        assert_eq!(&*back.auth, b"a");
        let SequenceKind::Hash { hasher: mut again, ticket } = back.kind else { panic!("another kind") };
        assert_eq!(ticket, Some(false));
        hasher.update(b"second");
        again.update(b"second");
        assert_eq!(hasher.finish(), again.finish());

        let cmac = Sequence {
            auth: auth(),
            kind: SequenceKind::Cmac {
                cipher: BlockCipher::Camellia,
                key: Secret::from_slice(&[3; 16]).unwrap(),
                chain: [9; 16],
                pending: vec![1; 15],
            },
        };
        assert_eq!(Sequence::decode(&cmac.encode()).unwrap().encode(), cmac.encode());
        let hmac = Sequence { auth: auth(), kind: SequenceKind::Hmac { hmac: HmacState::new(HashAlg::Sha1, b"key") } };
        assert_eq!(Sequence::decode(&hmac.encode()).unwrap().encode(), hmac.encode());
        let event = Sequence { auth: auth(), kind: SequenceKind::Event { hashers: hashers() } };
        assert_eq!(Sequence::decode(&event.encode()).unwrap().encode(), event.encode());
        assert!(Sequence::decode(&[2, 0, 0, 4]).is_none());
    }
}
