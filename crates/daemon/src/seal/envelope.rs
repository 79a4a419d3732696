//! The envelope of state blobs: 80 bytes of header, then the engine's bytes, sealed or with a digest. The layout is in
//! `docs/reference/state-blobs.md`.

use super::key::{CHECK, Kdf, SALT, SealKey};
use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use core::fmt;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const MAGIC: [u8; 8] = *b"VTPMSTAT";
const VERSION: u16 = 1;
/// The engine whose bytes are inside: TPM 2.0.
const ENGINE: u8 = 2;
const HEADER: usize = 80;
const DIGEST: usize = 32;
/// More than any state; bounds what is read into memory.
pub(crate) const MAX_ENVELOPE: usize = 16 * 1024 * 1024;

/// Which state is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What survives power-off.
    Permanent = 1,
    /// What a running TPM holds besides.
    Volatile = 2,
}

/// What protects the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    /// A digest against damage.
    Digest = 0,
    /// The state key.
    State = 1,
    /// The migration key, around an envelope of one of the other layers.
    Migration = 2,
}

/// Why an envelope was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SealFault {
    /// There are no bytes.
    Empty,
    /// The bytes end before the length in the header, or before the header itself.
    Torn,
    /// They do not begin as an envelope does.
    NotAState,
    /// A newer version wrote it.
    Version,
    /// It is a state of the other kind.
    OtherKind,
    /// Digest or seal do not fit.
    Damaged,
    /// Sealed, and no key was given.
    KeyMissing,
    /// Sealed with another key.
    WrongKey,
    /// The kernel gave no random bytes.
    Entropy,
}

impl fmt::Display for SealFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::Torn => "it is cut off",
            Self::NotAState => "it is not a state blob of vtpmd",
            Self::Version => "a newer version of vtpmd wrote it; run that version",
            Self::OtherKind => "it is a state of another kind (permanent and volatile were exchanged)",
            Self::Damaged => "it is damaged: its checksum is wrong",
            Self::KeyMissing => "it is encrypted and no key was given; give the key with --key",
            Self::WrongKey => "it is encrypted with another key than the one given",
            Self::Entropy => "the system gave no random numbers",
        })
    }
}

struct Header {
    kind: u8,
    layer: u8,
    kdf: u8,
    rounds: u32,
    length: u32,
    salt: [u8; SALT],
    nonce: [u8; 12],
    check: [u8; CHECK],
}

impl Header {
    fn encode(&self) -> [u8; HEADER] {
        let [v0, v1] = VERSION.to_be_bytes();
        let mut out = [0; HEADER];
        let parts: [&[u8]; 8] = [
            &MAGIC,
            &[v0, v1, self.kind, self.layer, self.kdf, ENGINE, 0, 80],
            &self.rounds.to_be_bytes(),
            &self.length.to_be_bytes(),
            &self.salt,
            &self.nonce,
            &self.check,
            &[],
        ];
        for (to, from) in out.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        out
    }

    fn decode(bytes: &[u8; HEADER]) -> Result<Self, SealFault> {
        let mut rest: &[u8] = bytes;
        let mut take = |n: usize| -> &[u8] {
            let (head, tail) = rest.split_at_checked(n).unwrap_or((rest, &[]));
            rest = tail;
            head
        };
        if take(8) != MAGIC {
            return Err(SealFault::NotAState);
        }
        if take(2) != VERSION.to_be_bytes() {
            return Err(SealFault::Version);
        }
        let &[kind, layer, kdf, engine, h0, h1] = take(6) else { return Err(SealFault::Torn) };
        if engine != ENGINE || [h0, h1] != [0, 80] {
            return Err(SealFault::Version);
        }
        fn array<const N: usize>(from: &[u8]) -> Result<[u8; N], SealFault> {
            from.try_into().map_err(|_| SealFault::Torn)
        }
        Ok(Self {
            kind,
            layer,
            kdf,
            rounds: u32::from_be_bytes(array(take(4))?),
            length: u32::from_be_bytes(array(take(4))?),
            salt: array(take(SALT))?,
            nonce: array(take(12))?,
            check: array(take(CHECK))?,
        })
    }
}

/// The layer of these bytes, as far as the header says.
pub(crate) fn layer(bytes: &[u8]) -> Result<Layer, SealFault> {
    let Some((header, _)) = bytes.split_first_chunk::<HEADER>() else {
        return Err(if bytes.is_empty() {
            SealFault::Empty
        } else if bytes.starts_with(&MAGIC) || MAGIC.starts_with(bytes) {
            SealFault::Torn
        } else {
            SealFault::NotAState
        });
    };
    match Header::decode(header)?.layer {
        0 => Ok(Layer::Digest),
        1 => Ok(Layer::State),
        2 => Ok(Layer::Migration),
        _ => Err(SealFault::Version),
    }
}

/// Wraps `content` without encryption; the digest finds damage.
pub(crate) fn wrap_plain(kind: Kind, content: &[u8]) -> Result<Vec<u8>, SealFault> {
    let length = content.len().checked_add(DIGEST).and_then(|n| u32::try_from(n).ok()).ok_or(SealFault::Damaged)?;
    let header = Header {
        kind: kind as u8,
        layer: Layer::Digest as u8,
        kdf: 0,
        rounds: 0,
        length,
        salt: [0; SALT],
        nonce: [0; 12],
        check: [0; CHECK],
    }
    .encode();
    let digest = Sha256::new().chain_update(header).chain_update(content).finalize();
    Ok([&header, content, &digest[..]].concat())
}

/// Seals `content` with `key`.
pub(crate) fn seal(kind: Kind, layer: Layer, key: &SealKey, content: &[u8]) -> Result<Vec<u8>, SealFault> {
    let kdf = key.kdf as u8;
    let derived = key.for_sealing()?;
    let mut nonce = [0; 12];
    sealwright_state::entropy::fill(&mut nonce).map_err(|_| SealFault::Entropy)?;
    let length = content.len().checked_add(16).and_then(|n| u32::try_from(n).ok()).ok_or(SealFault::Damaged)?;
    let header = Header {
        kind: kind as u8,
        layer: layer as u8,
        kdf,
        rounds: derived.rounds,
        length,
        salt: derived.salt,
        nonce,
        check: derived.check,
    }
    .encode();
    let cipher = Aes256GcmSiv::new_from_slice(derived.key.as_ref()).map_err(|_| SealFault::Damaged)?;
    let sealed =
        cipher.encrypt(&Nonce::from(nonce), Payload { msg: content, aad: &header }).map_err(|_| SealFault::Damaged)?;
    Ok([&header, &sealed[..]].concat())
}

/// Opens an envelope of any layer; `key` is the key of the layer that it has.
pub(crate) fn open(kind: Kind, key: Option<&SealKey>, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealFault> {
    let layer = layer(bytes)?;
    let Some((head, body)) = bytes.split_first_chunk::<HEADER>() else { return Err(SealFault::Torn) };
    let header = Header::decode(head)?;
    match usize::try_from(header.length).map_err(|_| SealFault::Damaged)?.cmp(&body.len()) {
        core::cmp::Ordering::Greater => return Err(SealFault::Torn),
        core::cmp::Ordering::Less => return Err(SealFault::Damaged),
        core::cmp::Ordering::Equal => {}
    }
    if header.kind != kind as u8 {
        return Err(if matches!(header.kind, 1 | 2) { SealFault::OtherKind } else { SealFault::Damaged });
    }
    if layer == Layer::Digest {
        let split = body.len().checked_sub(DIGEST).and_then(|n| body.split_at_checked(n));
        let (content, digest) = split.ok_or(SealFault::Torn)?;
        let found = Sha256::new().chain_update(head).chain_update(content).finalize();
        return if found[..] == *digest { Ok(Zeroizing::new(content.to_vec())) } else { Err(SealFault::Damaged) };
    }
    let key = key.ok_or(SealFault::KeyMissing)?;
    if ![Kdf::Key, Kdf::Pbkdf2, Kdf::Passphrase].iter().any(|k| *k as u8 == header.kdf) {
        return Err(SealFault::Version);
    }
    if header.kdf != key.kdf as u8 {
        return Err(SealFault::WrongKey);
    }
    let derived = key.for_opening(header.salt, header.rounds)?;
    if derived.check != header.check {
        return Err(SealFault::WrongKey);
    }
    let cipher = Aes256GcmSiv::new_from_slice(derived.key.as_ref()).map_err(|_| SealFault::Damaged)?;
    let content =
        cipher.decrypt(&Nonce::from(header.nonce), Payload { msg: body, aad: head }).map_err(|_| SealFault::Damaged)?;
    Ok(Zeroizing::new(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_sealed_come_back() {
        let plain = wrap_plain(Kind::Permanent, b"state").unwrap();
        assert_eq!(&**open(Kind::Permanent, None, &plain).unwrap(), b"state");
        let key = SealKey::test(&[1; 32]);
        let sealed = seal(Kind::Volatile, Layer::State, &key, b"state").unwrap();
        assert!(!sealed.windows(5).any(|w| w == b"state"));
        assert_eq!(&**open(Kind::Volatile, Some(&key), &sealed).unwrap(), b"state");
        let fresh = SealKey::test(&[1; 32]);
        assert_eq!(&**open(Kind::Volatile, Some(&fresh), &sealed).unwrap(), b"state");
        assert_eq!(layer(&sealed), Ok(Layer::State));
    }

    #[test]
    fn each_fault_has_its_name() {
        let key = SealKey::test(&[1; 32]);
        let sealed = seal(Kind::Permanent, Layer::State, &key, b"state").unwrap();
        let wrong = SealKey::test(&[2; 32]);
        let open_p = |k: Option<&SealKey>, b: &[u8]| open(Kind::Permanent, k, b).map(|_| ()).unwrap_err();
        assert_eq!(open_p(None, &sealed), SealFault::KeyMissing);
        assert_eq!(open_p(Some(&wrong), &sealed), SealFault::WrongKey);
        assert_eq!(open_p(None, b""), SealFault::Empty);
        assert_eq!(open_p(None, b"VTPM"), SealFault::Torn);
        assert_eq!(open_p(None, &[9; 200]), SealFault::NotAState);
        assert_eq!(open(Kind::Volatile, Some(&key), &sealed).unwrap_err(), SealFault::OtherKind);
        let mut newer = sealed.clone();
        newer[9] = 2;
        assert_eq!(open_p(Some(&key), &newer), SealFault::Version);
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_found() {
        let key = SealKey::test(&[1; 32]);
        let plain = wrap_plain(Kind::Permanent, b"some state bytes").unwrap();
        let sealed = seal(Kind::Permanent, Layer::State, &key, b"some state bytes").unwrap();
        for bytes in [&plain, &sealed] {
            for end in 0..bytes.len() {
                assert!(open(Kind::Permanent, Some(&key), &bytes[..end]).is_err());
            }
            for at in 0..bytes.len() {
                let mut bad = bytes.clone();
                bad[at] ^= 1;
                assert!(open(Kind::Permanent, Some(&key), &bad).is_err(), "byte {at}");
            }
            let longer = [bytes.as_slice(), b"x"].concat();
            assert!(open(Kind::Permanent, Some(&key), &longer).is_err());
        }
    }
}
