//! RSAES-OAEP (PKCS #1, 7.1; Part 1, B.4), with the same hash for the label and for MGF1.

use alloc::vec;
use alloc::vec::Vec;

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use crate::kdf::mgf1;
use crate::provider::{Crypto, CryptoError, HashAlg, Random, RsaKey};

/// Encrypts. `label` is the octets that are hashed: of a TPM label, with its trailing NUL. A key too small for the hash
/// is [`CryptoError::Unsupported`] (TPM_RC_HASH), a message too long [`CryptoError::InvalidInput`] (TPM_RC_VALUE).
pub fn encrypt(
    crypto: &Crypto,
    n: &[u8],
    e: u32,
    alg: HashAlg,
    label: &[u8],
    message: &[u8],
    rng: &mut dyn Random,
) -> Result<Vec<u8>, CryptoError> {
    let hash = alg.size();
    let room = n.len().checked_sub(2 * hash + 2).ok_or(CryptoError::Unsupported)?;
    let zeros = room.checked_sub(message.len()).ok_or(CryptoError::InvalidInput)?;
    let mut block = Zeroizing::new(vec![0; n.len()]);
    let (_, rest) = block.split_first_mut().ok_or(CryptoError::Unsupported)?;
    let (seed, data) = rest.split_at_mut_checked(hash).ok_or(CryptoError::Unsupported)?;
    // data = label hash || zeros || 1 || message
    let label = crypto.hash.digest(alg, &[label]);
    let content = label.iter().chain(core::iter::repeat_n(&0, zeros)).chain(&[1]).chain(message);
    for (to, from) in data.iter_mut().zip(content) {
        *to = *from;
    }
    rng.fill(seed);
    xor(data, &mgf1(crypto, alg, seed, data.len()));
    xor(seed, &mgf1(crypto, alg, data, seed.len()));
    crypto.rsa.public(n, e, &block)
}

/// Decrypts. A `cipher` without the size of the modulus is [`CryptoError::InvalidInput`] (TPM_RC_SIZE), one not below
/// the modulus [`CryptoError::TooLarge`] (TPM_RC_SIZE); whatever is wrong with the padding is
/// [`CryptoError::Mismatch`] (TPM_RC_VALUE), found in the same time.
pub fn decrypt(
    crypto: &Crypto,
    key: &RsaKey,
    alg: HashAlg,
    label: &[u8],
    cipher: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let mut block = super::decrypt_raw(crypto, key, cipher)?;
    let hash = alg.size();
    if block.len() < 2 * hash + 2 {
        return Err(CryptoError::Mismatch);
    }
    let (first, rest) = block.split_first_mut().ok_or(CryptoError::Mismatch)?;
    let (seed, data) = rest.split_at_mut_checked(hash).ok_or(CryptoError::Mismatch)?;
    xor(seed, &mgf1(crypto, alg, data, seed.len()));
    xor(data, &mgf1(crypto, alg, seed, data.len()));
    let (label_hash, content) = data.split_at_checked(hash).ok_or(CryptoError::Mismatch)?;
    let mut good = first.ct_eq(&0) & label_hash.ct_eq(&crypto.hash.digest(alg, &[label]));
    // The message follows the first one; only zeros may be before it.
    let mut found = Choice::from(0);
    let mut start = 0u64;
    for (byte, next) in content.iter().zip(1u64..) {
        let is_one = byte.ct_eq(&1);
        good &= found | is_one | byte.ct_eq(&0);
        start.conditional_assign(&next, is_one & !found);
        found |= is_one;
    }
    good &= found;
    let start = usize::try_from(start).map_err(|_| CryptoError::Mismatch)?;
    if bool::from(good) {
        Ok(Zeroizing::new(content.get(start..).unwrap_or_default().to_vec()))
    } else {
        block.zeroize();
        Err(CryptoError::Mismatch)
    }
}

fn xor(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to ^= from;
    }
}
