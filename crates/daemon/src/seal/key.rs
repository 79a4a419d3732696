//! Keys and passphrases from the command line, and the keys derived from them.

use super::envelope::SealFault;
use crate::failure::{Failure, failure};
use crate::options::{KeyKind, KeyOption, PassphraseKdf, Source};
use core::hint::black_box;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use rustix::fs::{Mode, OFlags};
use sealwright_state::swtpm::{self, KeySize, SwtpmError, SwtpmKey};
use sha2::{Digest, Sha512};
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroizing;

/// PBKDF2 rounds for new passphrase-sealed states: under 0.1 s once per process.
const ROUNDS: u32 = 100_000;
/// A header that asks for more rounds than this is refused, as it would only stall the process; one that asks for
/// fewer than [`ROUNDS`] too, as what is written next would have no more.
const MAX_ROUNDS: u32 = 10_000_000;
/// Bytes of salt.
pub(super) const SALT: usize = 32;
/// Bytes of the value that tells a wrong key from damage.
pub(super) const CHECK: usize = 12;
/// Room for what keys and passphrases have...
const USUAL_SECRET: usize = 1024;
/// ...and for the longest passphrase or key file that is read.
const MAX_SECRET: usize = 64 * 1024;

/// How a secret becomes a sealing key; the number stands in the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kdf {
    /// HKDF-SHA-512 of a key.
    Key = 1,
    /// PBKDF2-HMAC-SHA-512 of a passphrase, then HKDF.
    Pbkdf2 = 2,
    /// HKDF-SHA-512 of the SHA-512 of a passphrase.
    Passphrase = 3,
}

/// What is kept of a key or passphrase for the life of the process: as little as opens blobs with any salt.
enum Material {
    /// The key itself.
    Key(Zeroizing<Vec<u8>>),
    /// Not the passphrase, but HMAC-SHA-512 keyed with it, from which PBKDF2 goes on with any salt; and the key that swtpm
    /// makes of it.
    Pbkdf2(Box<Hmac<Sha512>>, SwtpmKey),
    /// Not the passphrase, but its SHA-512, which begins with swtpm's key.
    Digest(Zeroizing<[u8; 64]>),
}

/// One derived key with what the envelope records of it.
#[derive(Clone)]
pub(super) struct Derived {
    pub(super) salt: [u8; SALT],
    pub(super) rounds: u32,
    pub(super) key: Zeroizing<[u8; 32]>,
    pub(super) check: [u8; CHECK],
}

/// A key or passphrase that seals state. Derivations are kept, so a slow one runs once.
pub(crate) struct SealKey {
    material: Material,
    /// Bytes that a key of swtpm's has by the same options.
    length: usize,
    pub(super) kdf: Kdf,
    derived: Mutex<Option<Derived>>,
}

impl core::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SealKey({:?})", self.kdf)
    }
}

fn read_all(option: &str, source: &Source) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let (fd, name) = match source {
        Source::File(path) => {
            let name = path.display().to_string();
            let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
                .map_err(|e| failure!("--{option}: cannot open {name}: {e}"))?;
            (fd, name)
        }
        Source::Descriptor(n) => {
            let fd = sealwright_keys::descriptor(*n).map_err(|e| failure!("--{option}: {e}"))?;
            (fd, format!("file descriptor {n}"))
        }
    };
    let mut bytes = Zeroizing::new(vec![0_u8; USUAL_SECRET]);
    let mut length = 0_usize;
    loop {
        if length == bytes.len() && length < MAX_SECRET {
            // Not grown in place, which would leave a copy behind that is not wiped.
            let mut larger = Zeroizing::new(vec![0_u8; MAX_SECRET]);
            larger.iter_mut().zip(bytes.iter()).for_each(|(to, from)| *to = *from);
            bytes = larger;
        }
        let Some(room) = bytes.get_mut(length..).filter(|room| !room.is_empty()) else { break };
        let asked = room.len();
        match rustix::io::read(&fd, room) {
            Ok(0) => break,
            // A parent may keep the writing end open: what came in one piece and short is all, as in swtpm.
            Ok(n) if n < asked => {
                length = length.saturating_add(n);
                break;
            }
            Ok(n) => length = length.saturating_add(n),
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(failure!("--{option}: cannot read {name}: {e}")),
        }
    }
    bytes.truncate(length);
    if bytes.is_empty() {
        return Err(failure!("--{option}: {name} is empty"));
    }
    Ok(bytes)
}

fn from_hex(option: &str, text: &[u8], length: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let text = text.strip_prefix(b"0x").unwrap_or(text);
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    let digits = text.get(..end).unwrap_or_default();
    if digits.len() != length.saturating_mul(2) {
        return Err(failure!(
            "--{option}: the key has {} hexadecimal digits; this mode needs {}",
            digits.len(),
            length.saturating_mul(2)
        ));
    }
    let mut key = Zeroizing::new(Vec::with_capacity(length));
    let mut high = None;
    for digit in digits {
        let value = match digit {
            b'0'..=b'9' => digit.wrapping_sub(b'0'),
            b'a'..=b'f' => digit.wrapping_sub(b'a').wrapping_add(10),
            b'A'..=b'F' => digit.wrapping_sub(b'A').wrapping_add(10),
            _ => return Err(failure!("--{option}: the key is not made of hexadecimal digits")),
        };
        match high.take() {
            None => high = Some(value),
            Some(high) => key.push((high << 4) | value),
        }
    }
    Ok(key)
}

/// The first block of PBKDF2-HMAC-SHA-512 (RFC 8018, 5.2), with an HMAC that is keyed with the passphrase already.
fn pbkdf2(keyed: &Hmac<Sha512>, salt: &[u8], rounds: u32) -> Zeroizing<[u8; 64]> {
    let mut block = Zeroizing::new([0; 64]);
    let first = keyed.clone().chain_update(salt).chain_update(1_u32.to_be_bytes()).finalize();
    let mut last = Zeroizing::new(<[u8; 64]>::from(first.into_bytes()));
    *block = *last;
    for _ in 1..rounds {
        *last = keyed.clone().chain_update(last.as_ref()).finalize().into_bytes().into();
        block.iter_mut().zip(last.iter()).for_each(|(to, from)| *to ^= *from);
    }
    block
}

/// Overwrites what hash functions left of a passphrase on the unused stack.
#[inline(never)]
fn wipe_stack() {
    black_box(&mut [0_u8; 16 * 1024]);
}

impl SealKey {
    /// Reads what `--key` or `--migration-key` names, and removes the file if told so.
    pub(crate) fn read(option: &str, from: &KeyOption) -> Result<Self, Failure> {
        let read = Self::read_now(option, from);
        wipe_stack();
        read
    }

    /// The same, in a part of the stack of its own.
    #[inline(never)]
    fn read_now(option: &str, from: &KeyOption) -> Result<Self, Failure> {
        let bytes = read_all(option, &from.source)?;
        let size = if from.length == KeySize::Aes256.bytes() { KeySize::Aes256 } else { KeySize::Aes128 };
        let (material, kdf) = match from.kind {
            KeyKind::Hex => (Material::Key(from_hex(option, &bytes, from.length)?), Kdf::Key),
            KeyKind::Binary if bytes.len() == from.length => {
                // A copy of the right size: this one has room for the longest key.
                (Material::Key(Zeroizing::new(bytes.to_vec())), Kdf::Key)
            }
            KeyKind::Binary => {
                return Err(failure!("--{option}: the key has {} bytes; this mode needs {}", bytes.len(), from.length));
            }
            KeyKind::Passphrase(PassphraseKdf::Pbkdf2) => {
                let keyed =
                    Hmac::new_from_slice(&bytes).map_err(|_| failure!("--{option}: the passphrase cannot be used"))?;
                let swtpm = SwtpmKey::from_passphrase(&bytes, swtpm::Kdf::Pbkdf2, size);
                (Material::Pbkdf2(Box::new(keyed), swtpm), Kdf::Pbkdf2)
            }
            KeyKind::Passphrase(PassphraseKdf::Sha512) => {
                let mut digest = Zeroizing::new([0; 64]);
                digest.copy_from_slice(&Sha512::digest(&bytes));
                (Material::Digest(digest), Kdf::Passphrase)
            }
        };
        if let (true, Source::File(path)) = (from.remove, &from.source) {
            rustix::fs::unlink(path).map_err(|e| failure!("--{option}: cannot remove {}: {e}", path.display()))?;
        }
        Ok(Self { material, length: from.length, kdf, derived: Mutex::new(None) })
    }

    /// The key that swtpm makes of the same options, for states that it wrote.
    pub(crate) fn swtpm(&self) -> Result<SwtpmKey, SwtpmError> {
        match &self.material {
            Material::Key(key) => SwtpmKey::new(key),
            Material::Pbkdf2(_, key) => Ok(key.clone()),
            Material::Digest(digest) => SwtpmKey::new(digest.get(..self.length).unwrap_or_default()),
        }
    }

    fn derive(&self, salt: [u8; SALT], rounds: u32) -> Result<Derived, SealFault> {
        let slow;
        let material: &[u8] = match &self.material {
            Material::Key(key) => key,
            Material::Digest(digest) => digest.as_ref(),
            Material::Pbkdf2(keyed, _) => {
                if !(ROUNDS..=MAX_ROUNDS).contains(&rounds) {
                    return Err(SealFault::Damaged);
                }
                slow = pbkdf2(keyed, &salt, rounds);
                slow.as_ref()
            }
        };
        let hkdf = Hkdf::<Sha512>::new(Some(&salt), material);
        let mut derived = Derived { salt, rounds, key: Zeroizing::new([0; 32]), check: [0; CHECK] };
        hkdf.expand(b"vtpmd state v1: sealing key", derived.key.as_mut()).map_err(|_| SealFault::Damaged)?;
        hkdf.expand(b"vtpmd state v1: key check", &mut derived.check).map_err(|_| SealFault::Damaged)?;
        Ok(derived)
    }

    /// The key for sealing: that of what was opened last, or a new one with a fresh salt.
    pub(super) fn for_sealing(&self) -> Result<Derived, SealFault> {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(derived) = &*derived {
            return Ok(derived.clone());
        }
        let mut salt = [0; SALT];
        sealwright_state::entropy::fill(&mut salt).map_err(|_| SealFault::Entropy)?;
        let rounds = if self.kdf == Kdf::Pbkdf2 { ROUNDS } else { 0 };
        Ok(derived.insert(self.derive(salt, rounds)?).clone())
    }

    /// The key for opening an envelope with this salt and number of rounds.
    pub(super) fn for_opening(&self, salt: [u8; SALT], rounds: u32) -> Result<Derived, SealFault> {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        match &*derived {
            Some(derived) if derived.salt == salt && derived.rounds == rounds => Ok(derived.clone()),
            _ => Ok(derived.insert(self.derive(salt, rounds)?).clone()),
        }
    }

    #[cfg(test)]
    pub(crate) fn test(secret: &[u8]) -> Self {
        let (material, length) = (Material::Key(Zeroizing::new(secret.to_vec())), secret.len());
        Self { material, length, kdf: Kdf::Key, derived: Mutex::new(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn pipe(bytes: &[u8], kind: KeyKind, length: usize) -> Result<SealKey, Failure> {
        use rustix::fd::AsRawFd;
        let (read, mut write) = std::io::pipe().unwrap();
        write.write_all(bytes).unwrap();
        // The writing end stays open on purpose.
        let key = SealKey::read(
            "key",
            &KeyOption { source: Source::Descriptor(read.as_raw_fd()), kind, length, remove: false },
        );
        drop(write);
        key
    }

    fn bytes(key: &SealKey) -> Vec<u8> {
        match &key.material {
            Material::Key(bytes) => bytes.to_vec(),
            _ => panic!("a passphrase"),
        }
    }

    #[test]
    fn reads_keys_as_swtpm_does() {
        let hex = b"0x000102030405060708090a0b0c0D0E0F\n";
        let key = pipe(hex, KeyKind::Hex, 16).unwrap();
        assert_eq!(bytes(&key), (0..16).collect::<Vec<u8>>());
        assert!(pipe(hex, KeyKind::Hex, 32).is_err());
        assert!(pipe(b"zz0102030405060708090a0b0c0d0e0f", KeyKind::Hex, 16).is_err());
        assert_eq!(bytes(&pipe(&[7; 32], KeyKind::Binary, 32).unwrap()), [7; 32]);
        assert!(pipe(&[7; 31], KeyKind::Binary, 32).is_err());
        let phrase = pipe(b"correct horse", KeyKind::Passphrase(PassphraseKdf::Pbkdf2), 32).unwrap();
        assert_eq!(phrase.kdf, Kdf::Pbkdf2);
    }

    #[test]
    fn passphrases_give_the_keys_that_pbkdf2_and_swtpm_give() {
        // Python: hashlib.pbkdf2_hmac("sha512", b"password", b"salt", 3)
        let expected = [0xb6, 0xb0, 0x7c, 0xb2, 0xce, 0xbf, 0x4a, 0xd8, 0x44, 0x68, 0x39, 0x1a, 0x54, 0x38, 0x24, 0xfc];
        let keyed = Hmac::new_from_slice(b"password").unwrap();
        assert_eq!(pbkdf2(&keyed, b"salt", 3)[..16], expected);
        for (ours, theirs) in [(PassphraseKdf::Pbkdf2, swtpm::Kdf::Pbkdf2), (PassphraseKdf::Sha512, swtpm::Kdf::Sha512)]
        {
            for size in [KeySize::Aes128, KeySize::Aes256] {
                let key = pipe(b"correct horse", KeyKind::Passphrase(ours), size.bytes()).unwrap();
                assert!(key.swtpm().unwrap() == SwtpmKey::from_passphrase(b"correct horse", theirs, size));
            }
        }
    }

    #[test]
    fn too_many_and_too_few_rounds_are_refused_at_once() {
        let key = pipe(b"x", KeyKind::Passphrase(PassphraseKdf::Pbkdf2), 32).unwrap();
        assert!(key.for_opening([0; SALT], u32::MAX).is_err());
        assert!(key.for_opening([0; SALT], 1).is_err());
    }
}
