//! Keys as swtpm takes them: bytes, or a passphrase.

use super::SwtpmError;
use core::fmt;
use sealwright_crypto::{HashAlg, RUST};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of the largest key.
const MOST: usize = 32;
/// What swtpm mixes into every passphrase.
const SALT: &[u8] = b"swtpm";
const ITERATIONS: u32 = 1000;

/// Size of a key of swtpm's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySize {
    /// `aes-cbc`, `aes-128-cbc`.
    Aes128,
    /// `aes-256-cbc`.
    Aes256,
}

impl KeySize {
    /// Bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes256 => 32,
        }
    }
}

/// How swtpm makes a key of a passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kdf {
    /// PBKDF2 with HMAC-SHA-512, a fixed salt and 1000 iterations; swtpm's default.
    Pbkdf2,
    /// The first bytes of SHA-512.
    Sha512,
}

/// A key of swtpm's: it encrypts and authenticates.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct SwtpmKey {
    bytes: [u8; MOST],
    #[zeroize(skip)]
    size: usize,
}

impl fmt::Debug for SwtpmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SwtpmKey({} bits)", self.size.saturating_mul(8))
    }
}

impl SwtpmKey {
    /// The key of 16 or 32 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, SwtpmError> {
        let mut key = Self { bytes: [0; MOST], size: bytes.len() };
        match (bytes.len(), key.bytes.get_mut(..bytes.len())) {
            (16 | 32, Some(place)) => place.copy_from_slice(bytes),
            (len, _) => return Err(SwtpmError::Key { why: format!("it has {len} bytes, not 16 or 32") }),
        }
        Ok(key)
    }

    /// The key of hexadecimal digits, which may follow `0x`. What follows the digits of the key is left out, as swtpm
    /// does.
    pub fn from_hex(text: &[u8], size: KeySize) -> Result<Self, SwtpmError> {
        let text = text.strip_prefix(b"0x").unwrap_or(text);
        let mut bytes = Zeroizing::new(Vec::with_capacity(MOST));
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (pairs, _) = text.as_chunks::<2>();
        for [high, low] in pairs.iter().take(size.bytes()) {
            let value = digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low);
            let value = value.and_then(|value| u8::try_from(value).ok());
            bytes.push(value.ok_or_else(|| SwtpmError::Key { why: "it has something else than digits".to_owned() })?);
        }
        if bytes.len() == size.bytes() {
            Self::new(&bytes)
        } else {
            Err(SwtpmError::Key { why: format!("it has fewer than {} digits", size.bytes().saturating_mul(2)) })
        }
    }

    /// The key of a passphrase.
    pub fn from_passphrase(passphrase: &[u8], kdf: Kdf, size: KeySize) -> Self {
        let mut block = Zeroizing::new([0u8; 64]);
        match kdf {
            Kdf::Sha512 => {
                let mut digest = RUST.hash.digest(HashAlg::Sha512, &[passphrase]);
                block.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
                digest.zeroize();
            }
            Kdf::Pbkdf2 => {
                // The key is not longer than one block (RFC 8018, 5.2).
                let mut last = RUST.hash.hmac(HashAlg::Sha512, passphrase, &[SALT, &1u32.to_be_bytes()]);
                block.iter_mut().zip(last.iter()).for_each(|(to, from)| *to = *from);
                for _ in 1..ITERATIONS {
                    last = RUST.hash.hmac(HashAlg::Sha512, passphrase, &[&last]);
                    block.iter_mut().zip(last.iter()).for_each(|(to, from)| *to ^= *from);
                }
                last.zeroize();
            }
        }
        let mut key = Self { bytes: [0; MOST], size: size.bytes() };
        key.bytes.iter_mut().zip(block.iter()).take(size.bytes()).for_each(|(to, from)| *to = *from);
        key
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.size).unwrap_or_default()
    }

    /// True if it has 256 bits.
    pub(super) const fn is_256(&self) -> bool {
        self.size == 32
    }

    /// Bits.
    pub(super) const fn bits(&self) -> usize {
        self.size.saturating_mul(8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_passphrases() {
        // Python: hashlib.pbkdf2_hmac('sha512', b'password', b'swtpm', 1000, 32).hex(), and sha512(b'password').
        let key = SwtpmKey::from_passphrase(b"password", Kdf::Pbkdf2, KeySize::Aes256);
        assert_eq!(key, SwtpmKey::from_hex(PBKDF2, KeySize::Aes256).unwrap());
        let key = SwtpmKey::from_passphrase(b"password", Kdf::Sha512, KeySize::Aes128);
        assert_eq!(key, SwtpmKey::from_hex(b"b109f3bbbc244eb82441917ed06d618b", KeySize::Aes128).unwrap());
    }

    const PBKDF2: &[u8] = b"e7e0e1e00b313f678bfda581bf72a7e25053d797e2180b6ca57b3a359123865a";

    #[test]
    fn keys_of_digits() {
        let key = SwtpmKey::from_hex(b"0x000102030405060708090a0b0c0d0e0F\n", KeySize::Aes128).unwrap();
        assert_eq!(key.bytes(), (0..16).collect::<Vec<u8>>());
        assert!(SwtpmKey::from_hex(b"00", KeySize::Aes128).is_err());
        assert!(SwtpmKey::from_hex(b"zz0102030405060708090a0b0c0d0e0F", KeySize::Aes128).is_err());
        assert!(SwtpmKey::new(&[0; 24]).is_err());
    }

    #[test]
    fn a_key_shows_nothing() {
        assert_eq!(format!("{:?}", SwtpmKey::new(&[0x41; 32]).unwrap()), "SwtpmKey(256 bits)");
    }
}
