//! RSASSA-PSS (PKCS #1, 8.1; Part 1, B.6), with the same hash for the message and for MGF1.

use alloc::vec;
use alloc::vec::Vec;

use subtle::ConstantTimeEq;

use crate::kdf::mgf1;
use crate::provider::{Crypto, CryptoError, HashAlg, Random, RsaKey};

/// Size of the salt of our signatures: that of the digest (FIPS 186-4), or less where the key is too small.
pub const fn salt_size(alg: HashAlg, key_size: usize) -> usize {
    let room = key_size.saturating_sub(alg.size() + 2);
    if room < alg.size() { room } else { alg.size() }
}

/// Signs a digest made with `alg`. A digest of another size is [`CryptoError::InvalidInput`] (TPM_RC_VALUE), a key too
/// small for it [`CryptoError::Unsupported`] (TPM_RC_SIZE).
pub fn sign(
    crypto: &Crypto,
    key: &RsaKey,
    alg: HashAlg,
    digest: &[u8],
    rng: &mut dyn Random,
) -> Result<Vec<u8>, CryptoError> {
    if digest.len() != alg.size() {
        return Err(CryptoError::InvalidInput);
    }
    let (size, unused_bits) = encoded_size(&key.n);
    let mut salt = vec![0; salt_size(alg, size)];
    rng.fill(&mut salt);
    let hash = crypto.hash.digest(alg, &[&[0; 8], digest, &salt]);
    let masked = size.checked_sub(alg.size() + 1).ok_or(CryptoError::Unsupported)?;
    let mut block = mgf1(crypto, alg, &hash, masked).to_vec();
    let zeros = masked.checked_sub(salt.len() + 1).ok_or(CryptoError::Unsupported)?;
    for (to, from) in block.iter_mut().skip(zeros).zip([1].iter().chain(&salt)) {
        *to ^= from;
    }
    if let Some(first) = block.first_mut() {
        *first &= 0xff >> unused_bits;
    }
    block.extend(hash.iter());
    block.push(0xbc);
    Ok(core::mem::take(&mut *crypto.rsa.private(key, &block)?))
}

/// Verifies a signature of a digest, with a salt of any size; anything wrong is [`CryptoError::Mismatch`]
/// (TPM_RC_SIGNATURE).
pub fn verify(
    crypto: &Crypto,
    n: &[u8],
    e: u32,
    alg: HashAlg,
    digest: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    let opened = super::open_signature(crypto, n, e, signature)?;
    check(crypto, n, alg, digest, &opened).ok_or(CryptoError::Mismatch)
}

/// EMSA-PSS-VERIFY (PKCS #1, 9.1.2).
fn check(crypto: &Crypto, n: &[u8], alg: HashAlg, digest: &[u8], opened: &[u8]) -> Option<()> {
    let (size, unused_bits) = encoded_size(n);
    let (leading, block) = opened.split_at_checked(opened.len().checked_sub(size)?)?;
    let (masked, rest) = block.split_at_checked(size.checked_sub(alg.size() + 1)?)?;
    let (trailer, hash) = rest.split_last()?;
    let unused = !(0xffu8 >> unused_bits);
    if digest.len() != alg.size()
        || leading.iter().any(|byte| *byte != 0)
        || *trailer != 0xbc
        || masked.first()? & unused != 0
    {
        return None;
    }
    let mut data = mgf1(crypto, alg, hash, masked.len());
    for (to, from) in data.iter_mut().zip(masked) {
        *to ^= from;
    }
    *data.first_mut()? &= !unused;
    let zeros = data.iter().position(|byte| *byte != 0)?;
    let (separator, salt) = data.get(zeros..)?.split_first()?;
    let expected = crypto.hash.digest(alg, &[&[0; 8], digest, salt]);
    (*separator == 1 && bool::from(expected.ct_eq(hash))).then_some(())
}

/// Bytes of the encoded message, which has one bit less than the modulus, and the unused bits of the first.
fn encoded_size(n: &[u8]) -> (usize, u32) {
    let zeros = n.iter().take_while(|byte| **byte == 0).count();
    let top = n.get(zeros).map_or(0, |byte| byte.leading_zeros());
    let bytes = n.len().saturating_sub(zeros);
    // Where the first byte of the modulus is 1, the encoded message needs one byte less.
    if top == 7 { (bytes.saturating_sub(1), 0) } else { (bytes, top + 1) }
}
