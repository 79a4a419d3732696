//! Wrapping a data key under a secret of this process: what all managers do that hand out or protect a secret.
//!
//! The layout is in `docs/reference/wrapped-key.md`. AES-256-GCM-SIV (RFC 8452) is misuse resistant: a repeated nonce would
//! show that two data keys are equal, and no more. Its key comes by HKDF-SHA-512 (RFC 5869) from the secret and a fresh
//! salt; a passphrase goes through Argon2id (RFC 9106) or PBKDF2 (RFC 8018) first.

use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use hkdf::Hkdf;
use sealwright_state::key::{DataKey, KeyContext};
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::secret::Secret;

const MAGIC: &[u8; 4] = b"SWWK";
const VERSION: u8 = 1;
const CHECKSUM: usize = 8;
/// The longest token of a manager.
const MAX_TOKEN: usize = 8 * 1024;

/// How a secret becomes a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stretch {
    /// It is a key already: 16 random bytes or more.
    Key,
    /// Argon2id, with this many KiB of memory and passes.
    Argon2id { memory: u32, passes: u32 },
    /// PBKDF2-HMAC-SHA-512, with this many rounds.
    Pbkdf2 { rounds: u32 },
}

impl Stretch {
    /// What OWASP's password storage advice asks for at least; 60 ms and 19 MiB, once.
    pub(crate) const ARGON2ID: Self = Self::Argon2id { memory: 19 * 1024, passes: 2 };
    /// The same advice for PBKDF2-HMAC-SHA-512.
    pub(crate) const PBKDF2: Self = Self::Pbkdf2 { rounds: 210_000 };

    const fn encode(self) -> (u8, u32, u32) {
        match self {
            Self::Key => (1, 0, 0),
            Self::Argon2id { memory, passes } => (2, memory, passes),
            Self::Pbkdf2 { rounds } => (3, rounds, 0),
        }
    }

    /// `None` for what would take too much time or memory, or protect too little.
    fn decode(kind: u8, a: u32, b: u32) -> Option<Self> {
        match (kind, a, b) {
            (1, 0, 0) => Some(Self::Key),
            (2, memory @ 8_192..=1_048_576, passes @ 1..=16) => Some(Self::Argon2id { memory, passes }),
            (3, rounds @ 100_000..=10_000_000, 0) => Some(Self::Pbkdf2 { rounds }),
            _ => None,
        }
    }

    fn run(self, secret: &[u8], salt: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut out = Zeroizing::new(vec![0; 64]);
        match self {
            Self::Key => out = Zeroizing::new(secret.to_vec()),
            Self::Argon2id { memory, passes } => {
                let parameters = argon2::Params::new(memory, passes, 1, Some(64)).ok()?;
                let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, parameters);
                argon2.hash_password_into(secret, salt, &mut out).ok()?;
            }
            Self::Pbkdf2 { rounds } => pbkdf2::pbkdf2_hmac::<Sha512>(secret, salt, rounds, &mut out),
        }
        Some(out)
    }
}

/// What [`seal`] made, taken apart.
pub(crate) struct Sealed<'a> {
    stretch: Stretch,
    salt: [u8; 32],
    nonce: [u8; 12],
    check: [u8; 12],
    context: [u8; 16],
    /// What the manager needs to give the secret again.
    pub(crate) token: &'a [u8],
    header: &'a [u8],
    body: &'a [u8],
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = bytes.split_first_chunk::<N>()?;
    *bytes = tail;
    Some(*head)
}

fn context_digest(manager: &str, context: &KeyContext) -> [u8; 16] {
    let digest = Sha256::new().chain_update(manager).chain_update([0]).chain_update(context.bytes()).finalize();
    digest.first_chunk().copied().unwrap_or_default()
}

pub(crate) fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    Sha256::digest(bytes).first_chunk().copied().unwrap_or_default()
}

/// The key that seals, and the value by which a wrong one is known.
fn derive(stretch: Stretch, secret: &Secret, salt: &[u8; 32]) -> Option<(Zeroizing<[u8; 32]>, [u8; 12])> {
    let material = stretch.run(secret.bytes(), salt)?;
    let hkdf = Hkdf::<Sha512>::new(Some(salt), &material);
    let (mut key, mut check) = (Zeroizing::new([0; 32]), [0; 12]);
    hkdf.expand(b"sealwright wrapped key v1: key", key.as_mut()).ok()?;
    hkdf.expand(b"sealwright wrapped key v1: check", &mut check).ok()?;
    Some((key, check))
}

/// Wraps `key` under `secret`. `token` is kept in it, readable and authenticated.
pub(crate) fn seal(
    manager: &str,
    context: &KeyContext,
    secret: &Secret,
    stretch: Stretch,
    token: &[u8],
    key: &DataKey,
) -> Result<Vec<u8>, Failure> {
    let failed = || Failure::damaged("the data key cannot be sealed under this secret");
    let (mut salt, mut nonce) = ([0_u8; 32], [0_u8; 12]);
    crate::secret::random(&mut salt)?;
    crate::secret::random(&mut nonce)?;
    let (sealing, check) = derive(stretch, secret, &salt).ok_or_else(failed)?;
    let length = u16::try_from(token.len()).ok().filter(|n| usize::from(*n) <= MAX_TOKEN).ok_or_else(failed)?;
    let (kind, a, b) = stretch.encode();
    let parts: [&[u8]; 11] = [
        MAGIC,
        &[VERSION, kind, 0, 0],
        &a.to_be_bytes(),
        &b.to_be_bytes(),
        &salt,
        &nonce,
        &check,
        &context_digest(manager, context),
        &length.to_be_bytes(),
        token,
        &[],
    ];
    let mut out = parts.concat();
    let cipher = Aes256GcmSiv::new(&(*sealing).into());
    let bound = [&out[..], &context.bytes()].concat();
    let body = cipher.encrypt(&Nonce::from(nonce), Payload { msg: key.expose(), aad: &bound }).map_err(|_| failed())?;
    out.extend(body);
    out.extend(checksum(&out));
    Ok(out)
}

impl<'a> Sealed<'a> {
    /// Takes a wrapped key apart. Damage is found here, before any manager is asked.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Failure> {
        let (content, sum) = bytes.split_last_chunk::<CHECKSUM>().ok_or_else(|| Failure::damaged("it is cut off"))?;
        if !content.starts_with(MAGIC) {
            return Err(Failure::damaged("it does not begin as a wrapped key does"));
        }
        if checksum(content) != *sum {
            return Err(Failure::damaged("its checksum is wrong"));
        }
        match content.get(4) {
            Some(&VERSION) => {}
            Some(v) => {
                return Err(Failure::damaged(format!(
                    "it has the format version {v}, which this program does not know"
                )));
            }
            None => return Err(Failure::damaged("it is cut off")),
        }
        Self::fields(content).ok_or_else(|| Failure::damaged("its fields contradict each other"))
    }

    fn fields(content: &'a [u8]) -> Option<Self> {
        let mut rest = content;
        let [_, _, _, _, _, kind, 0, 0] = array::<8>(&mut rest)? else { return None };
        let a = u32::from_be_bytes(array(&mut rest)?);
        let b = u32::from_be_bytes(array(&mut rest)?);
        let stretch = Stretch::decode(kind, a, b)?;
        let (salt, nonce, check, context) =
            (array(&mut rest)?, array(&mut rest)?, array(&mut rest)?, array(&mut rest)?);
        let length = usize::from(u16::from_be_bytes(array(&mut rest)?));
        let (token, body) = rest.split_at_checked(length)?;
        let header = content.get(..content.len().checked_sub(body.len())?)?;
        (body.len() == 48).then_some(Self { stretch, salt, nonce, check, context, token, header, body })
    }

    /// Refuses a wrapped key of another VM, kind, data key or manager, before any manager is asked.
    pub(crate) fn is_for(&self, manager: &str, context: &KeyContext) -> Result<(), Failure> {
        match self.context == context_digest(manager, context) {
            true => Ok(()),
            false => Err(Failure::wrong_key("it was wrapped for another VM, kind or data key")),
        }
    }

    /// Whether this secret wrapped it.
    pub(crate) fn is_under(&self, secret: &Secret) -> bool {
        derive(self.stretch, secret, &self.salt).is_some_and(|(_, check)| bool::from(check.ct_eq(&self.check)))
    }

    /// The data key, if `secret` is the one that wrapped it.
    pub(crate) fn open(&self, context: &KeyContext, secret: &Secret) -> Result<DataKey, Failure> {
        let derived = derive(self.stretch, secret, &self.salt);
        let (key, check) = derived.ok_or_else(|| Failure::damaged("its key derivation does not work"))?;
        if !bool::from(check.ct_eq(&self.check)) {
            return Err(Failure::wrong_key("another key wrapped it"));
        }
        let bound = [self.header, &context.bytes()].concat();
        let payload = Payload { msg: self.body, aad: &bound };
        let opened = Aes256GcmSiv::new(&(*key).into()).decrypt(&Nonce::from(self.nonce), payload).map(Zeroizing::new);
        let opened = opened.map_err(|_| Failure::damaged("its seal is broken"))?;
        DataKey::from_slice(&opened).ok_or_else(|| Failure::damaged("it holds no data key"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::tpm_of;

    /// The layout is for ever. The file was made by another implementation (AES-GCM-SIV of Python's cryptography), from
    /// the description in `docs/reference/wrapped-key.md` alone.
    #[test]
    fn opens_what_the_first_version_wrapped() {
        let text = include_str!("../tests/wrapped-key-v1.hex");
        let bytes = crate::secret::from_hex(text.trim().as_bytes()).unwrap();
        let sealed = Sealed::read(&bytes).unwrap();
        assert_eq!(sealed.token, b"token");
        sealed.is_for("golden", &tpm_of("golden")).unwrap();
        let key = sealed.open(&tpm_of("golden"), &Secret::new(vec![0x5A; 32])).unwrap();
        assert_eq!(key.expose(), &[0xA5; 32]);
    }

    /// Random bytes, and random changes behind a right checksum, are refused without a panic.
    #[test]
    fn garbage_is_refused() {
        let (context, secret) = (tpm_of("a"), Secret::new(vec![1; 32]));
        let good = seal("x", &context, &secret, Stretch::Key, b"token", &DataKey::new([2; 32])).unwrap();
        let mut noise = vec![0_u8; 4];
        for round in 0..2000_usize {
            crate::secret::random(&mut noise).unwrap();
            let mut bytes = good.clone();
            // The stretching's costs stay, or this test would take as long as they ask.
            let at = [4, 6, 7]
                .into_iter()
                .chain(16..good.len() - 8)
                .nth(usize::from(u16::from_le_bytes([noise[0], noise[1]])) % 180);
            let at = at.unwrap_or(100);
            bytes[at] ^= noise[2] | 1;
            if round % 3 == 0 {
                bytes.truncate(usize::from(noise[3]));
            }
            let content = bytes.len().saturating_sub(8);
            let sum = checksum(&bytes[..content]);
            bytes.truncate(content);
            bytes.extend(sum);
            let opened =
                Sealed::read(&bytes).and_then(|s| s.is_for("x", &context).and_then(|()| s.open(&context, &secret)));
            assert!(opened.is_err(), "byte {at}, round {round}");
        }
    }

    #[test]
    fn costs_that_would_hang_or_not_protect_are_refused() {
        for (kind, a, b) in [
            (1, 1, 0),
            (2, 1, 1),
            (2, u32::MAX, 1),
            (2, 19_456, 1000),
            (3, 1, 0),
            (3, u32::MAX, 0),
            (0, 0, 0),
            (4, 0, 0),
        ] {
            assert_eq!(Stretch::decode(kind, a, b), None);
        }
        for good in [Stretch::Key, Stretch::ARGON2ID, Stretch::PBKDF2] {
            let (kind, a, b) = good.encode();
            assert_eq!(Stretch::decode(kind, a, b), Some(good));
        }
    }
}
