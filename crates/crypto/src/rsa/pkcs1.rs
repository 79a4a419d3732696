//! The schemes of PKCS #1 version 1.5: RSAES encryption (7.2; Part 1, B.3) and RSASSA signatures (8.2; Part 1, B.5).

use alloc::vec;
use alloc::vec::Vec;

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeGreater};
use zeroize::Zeroizing;

use crate::provider::{Crypto, CryptoError, HashAlg, Random, RsaKey};

/// Bytes of a block around the content: 0, its type, eight bytes of padding at least, and 0.
const OVERHEAD: usize = 11;
/// Bytes of padding of an encrypted block, at least.
const SHORTEST_PADDING: u64 = 8;

/// Encrypts. A message too long is [`CryptoError::InvalidInput`] (TPM_RC_VALUE). Padding bytes that `rng` gives as zero
/// become 0x55, as in Part 4.
pub fn encrypt(
    crypto: &Crypto,
    n: &[u8],
    e: u32,
    message: &[u8],
    rng: &mut dyn Random,
) -> Result<Vec<u8>, CryptoError> {
    let room = n.len().checked_sub(OVERHEAD).ok_or(CryptoError::Unsupported)?;
    if message.len() > room {
        return Err(CryptoError::InvalidInput);
    }
    let mut padding = vec![0; n.len().saturating_sub(message.len()).saturating_sub(3)];
    rng.fill(&mut padding);
    for byte in padding.iter_mut().filter(|byte| **byte == 0) {
        *byte = 0x55;
    }
    let block = Zeroizing::new([&[0, 2], &*padding, &[0], message].concat());
    crypto.rsa.public(n, e, &block)
}

/// Decrypts; errors as [`super::oaep::decrypt`] has them, found in the same time. That a padding is wrong is known to the
/// caller in any case; not how.
pub fn decrypt(crypto: &Crypto, key: &RsaKey, cipher: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let block = super::decrypt_raw(crypto, key, cipher)?;
    let (head, rest) = block.split_first_chunk::<2>().ok_or(CryptoError::Mismatch)?;
    // The message follows the first zero.
    let mut found = Choice::from(0);
    let mut start = 0u64;
    for (byte, next) in rest.iter().zip(1u64..) {
        let is_zero = byte.ct_eq(&0);
        start.conditional_assign(&next, is_zero & !found);
        found |= is_zero;
    }
    let long_enough = start.ct_gt(&SHORTEST_PADDING);
    if bool::from(head.ct_eq(&[0, 2]) & found & long_enough) {
        let start = usize::try_from(start).map_err(|_| CryptoError::Mismatch)?;
        Ok(Zeroizing::new(rest.get(start..).unwrap_or_default().to_vec()))
    } else {
        Err(CryptoError::Mismatch)
    }
}

/// Signs a digest made with `alg`. A digest of another size is [`CryptoError::InvalidInput`] (TPM_RC_VALUE), a key too
/// small for it [`CryptoError::Unsupported`] (TPM_RC_SIZE).
pub fn sign(crypto: &Crypto, key: &RsaKey, alg: HashAlg, digest: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let block = signature_block(key.n.len(), alg, digest)?;
    Ok(core::mem::take(&mut *crypto.rsa.private(key, &block)?))
}

/// Verifies a signature of a digest; anything wrong is [`CryptoError::Mismatch`] (TPM_RC_SIGNATURE).
pub fn verify(
    crypto: &Crypto,
    n: &[u8],
    e: u32,
    alg: HashAlg,
    digest: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    let opened = super::open_signature(crypto, n, e, signature)?;
    let block = signature_block(n.len(), alg, digest).map_err(|_| CryptoError::Mismatch)?;
    if bool::from(opened.ct_eq(&block)) { Ok(()) } else { Err(CryptoError::Mismatch) }
}

/// EMSA-PKCS1-v1_5 (PKCS #1, 9.2).
fn signature_block(size: usize, alg: HashAlg, digest: &[u8]) -> Result<Vec<u8>, CryptoError> {
    if digest.len() != alg.size() {
        return Err(CryptoError::InvalidInput);
    }
    let info = digest_info(alg);
    let padding = size
        .checked_sub(info.len().saturating_add(digest.len()).saturating_add(3))
        .filter(|padding| *padding >= OVERHEAD - 3)
        .ok_or(CryptoError::Unsupported)?;
    Ok([&[0, 1], &*vec![0xff; padding], &[0], info, digest].concat())
}

/// DER of DigestInfo up to the digest (PKCS #1, 9.2, note 1).
const fn digest_info(alg: HashAlg) -> &'static [u8] {
    match alg {
        HashAlg::Sha1 => b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
        HashAlg::Sha256 => b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
        HashAlg::Sha384 => b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
        HashAlg::Sha512 => b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
    }
}
