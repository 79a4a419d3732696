//! Keys and passphrases from the command line, and the keys derived from them.

use super::envelope::SealFault;
use crate::failure::{Failure, failure};
use crate::options::{KeyKind, KeyOption, PassphraseKdf, Source};
use hkdf::Hkdf;
use rustix::fs::{Mode, OFlags};
use sealwright_state::swtpm::{self, KeySize, SwtpmError, SwtpmKey};
use sha2::Sha512;
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
/// The longest passphrase or key file that is read.
const MAX_SECRET: usize = 64 * 1024;

/// How a secret becomes a sealing key; the number stands in the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kdf {
    /// HKDF-SHA-512 of a key.
    Key = 1,
    /// PBKDF2-HMAC-SHA-512 of a passphrase, then HKDF.
    Pbkdf2 = 2,
    /// HKDF-SHA-512 of a passphrase.
    Passphrase = 3,
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
    secret: Zeroizing<Vec<u8>>,
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
            let fd = crate::descriptor::take(*n).map_err(|e| failure!("--{option}: {e}"))?;
            (fd, format!("file descriptor {n}"))
        }
    };
    // Held at full size from the start: growing would leave copies behind.
    let mut bytes = Zeroizing::new(vec![0_u8; MAX_SECRET]);
    let mut length = 0_usize;
    while let Some(room) = bytes.get_mut(length..).filter(|r| !r.is_empty()) {
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

impl SealKey {
    /// Reads what `--key` or `--migration-key` names, and removes the file if told so.
    pub(crate) fn read(option: &str, from: &KeyOption) -> Result<Self, Failure> {
        let bytes = read_all(option, &from.source)?;
        let (secret, kdf) = match from.kind {
            KeyKind::Hex => (from_hex(option, &bytes, from.length)?, Kdf::Key),
            KeyKind::Binary if bytes.len() == from.length => (bytes, Kdf::Key),
            KeyKind::Binary => {
                return Err(failure!("--{option}: the key has {} bytes; this mode needs {}", bytes.len(), from.length));
            }
            KeyKind::Passphrase(PassphraseKdf::Pbkdf2) => (bytes, Kdf::Pbkdf2),
            KeyKind::Passphrase(PassphraseKdf::Sha512) => (bytes, Kdf::Passphrase),
        };
        if let (true, Source::File(path)) = (from.remove, &from.source) {
            rustix::fs::unlink(path).map_err(|e| failure!("--{option}: cannot remove {}: {e}", path.display()))?;
        }
        Ok(Self { secret, length: from.length, kdf, derived: Mutex::new(None) })
    }

    /// The key that swtpm makes of the same options, for states that it wrote.
    pub(crate) fn swtpm(&self) -> Result<SwtpmKey, SwtpmError> {
        let size = if self.length == KeySize::Aes256.bytes() { KeySize::Aes256 } else { KeySize::Aes128 };
        match self.kdf {
            Kdf::Key => SwtpmKey::new(&self.secret),
            Kdf::Pbkdf2 => Ok(SwtpmKey::from_passphrase(&self.secret, swtpm::Kdf::Pbkdf2, size)),
            Kdf::Passphrase => Ok(SwtpmKey::from_passphrase(&self.secret, swtpm::Kdf::Sha512, size)),
        }
    }

    fn derive(&self, salt: [u8; SALT], rounds: u32) -> Result<Derived, SealFault> {
        let mut slow = Zeroizing::new([0_u8; 64]);
        let material: &[u8] = match self.kdf {
            Kdf::Key | Kdf::Passphrase => &self.secret,
            Kdf::Pbkdf2 => {
                if !(ROUNDS..=MAX_ROUNDS).contains(&rounds) {
                    return Err(SealFault::Damaged);
                }
                pbkdf2::pbkdf2_hmac::<Sha512>(&self.secret, &salt, rounds, slow.as_mut());
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
        crate::random::fill(&mut salt).map_err(|_| SealFault::Entropy)?;
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
        let length = secret.len();
        Self { secret: Zeroizing::new(secret.to_vec()), length, kdf: Kdf::Key, derived: Mutex::new(None) }
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

    #[test]
    fn reads_keys_as_swtpm_does() {
        let hex = b"0x000102030405060708090a0b0c0D0E0F\n";
        let key = pipe(hex, KeyKind::Hex, 16).unwrap();
        assert_eq!(*key.secret, (0..16).collect::<Vec<u8>>());
        assert!(pipe(hex, KeyKind::Hex, 32).is_err());
        assert!(pipe(b"zz0102030405060708090a0b0c0d0e0f", KeyKind::Hex, 16).is_err());
        assert_eq!(*pipe(&[7; 32], KeyKind::Binary, 32).unwrap().secret, [7; 32]);
        assert!(pipe(&[7; 31], KeyKind::Binary, 32).is_err());
        let phrase = pipe(b"correct horse", KeyKind::Passphrase(PassphraseKdf::Pbkdf2), 32).unwrap();
        assert_eq!((&**phrase.secret, phrase.kdf), (&b"correct horse"[..], Kdf::Pbkdf2));
    }

    #[test]
    fn too_many_and_too_few_rounds_are_refused_at_once() {
        let key = pipe(b"x", KeyKind::Passphrase(PassphraseKdf::Pbkdf2), 32).unwrap();
        assert!(key.for_opening([0; SALT], u32::MAX).is_err());
        assert!(key.for_opening([0; SALT], 1).is_err());
    }
}
