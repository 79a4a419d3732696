//! Schemes over block ciphers and KDFa that protect parameters and objects, and keys for TDES.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::kdf::kdfa;
use crate::provider::{BlockCipher, CipherMode, Crypto, CryptoError, HashAlg, Random};

/// XOR obfuscation (Part 1, 11.4.7.3): `data` is XORed with KDFa(`key`, "XOR", `context_u`, `context_v`) of its size;
/// the same call undoes it.
pub fn xor_obfuscation(
    crypto: &Crypto,
    alg: HashAlg,
    key: &[u8],
    context_u: &[u8],
    context_v: &[u8],
    data: &mut [u8],
) -> Result<(), CryptoError> {
    let bits = u32::try_from(data.len()).ok().and_then(|len| len.checked_mul(8)).ok_or(CryptoError::InvalidInput)?;
    let mask = kdfa(crypto, alg, key, b"XOR", context_u, context_v, bits);
    for (to, from) in data.iter_mut().zip(mask.iter()) {
        *to ^= from;
    }
    Ok(())
}

/// CFB with an IV of zeros: the encryption of the sensitive area of an object (Part 1, 22.4), whose key is new each time.
pub fn cfb_zero_iv(
    crypto: &Crypto,
    cipher: BlockCipher,
    encrypt: bool,
    key: &[u8],
    data: &mut [u8],
) -> Result<(), CryptoError> {
    cfb(crypto, cipher, encrypt, key, &[0; 16], data)
}

/// CFB with the first block of `iv`, which is not changed.
pub fn cfb(
    crypto: &Crypto,
    cipher: BlockCipher,
    encrypt: bool,
    key: &[u8],
    iv: &[u8],
    data: &mut [u8],
) -> Result<(), CryptoError> {
    let mut chain = [0; 16];
    let chain = chain.get_mut(..cipher.block()).ok_or(CryptoError::InvalidInput)?;
    chain.copy_from_slice(iv.get(..cipher.block()).ok_or(CryptoError::InvalidInput)?);
    crypto.cipher.crypt(cipher, CipherMode::Cfb, encrypt, key, chain, data)
}

/// Parameter encryption in CFB mode (Part 1, 19.3): key and IV are KDFa(`session_value`, "CFB", `nonce_newer`,
/// `nonce_older`).
#[expect(clippy::too_many_arguments, reason = "they are the inputs of the specification's formula")]
pub fn parameter_cfb(
    crypto: &Crypto,
    alg: HashAlg,
    cipher: BlockCipher,
    key_bits: u16,
    encrypt: bool,
    session_value: &[u8],
    nonce_newer: &[u8],
    nonce_older: &[u8],
    data: &mut [u8],
) -> Result<(), CryptoError> {
    let key_size = usize::from(key_bits).div_ceil(8);
    let bits = u32::try_from(key_size.saturating_add(cipher.block()).saturating_mul(8))
        .map_err(|_| CryptoError::InvalidInput)?;
    let made = kdfa(crypto, alg, session_value, b"CFB", nonce_newer, nonce_older, bits);
    let (key, iv) = made.split_at_checked(key_size).ok_or(CryptoError::InvalidInput)?;
    cfb(crypto, cipher, encrypt, key, iv, data)
}

/// True if `key` may be used: any key of a size that the cipher has, except TDES keys that contain a weak, semi-weak or
/// possibly weak DES key, or equal neighbours (SP 800-67, 3.3.2; Part 4, CryptDesValidateKey). Parity bits are ignored.
pub fn key_is_valid(cipher: BlockCipher, key: &[u8]) -> bool {
    match cipher {
        BlockCipher::Aes | BlockCipher::Camellia => matches!(key.len(), 16 | 24 | 32),
        BlockCipher::Tdes => {
            let same = |a: &[u8], b: &[u8]| a.iter().zip(b).all(|(a, b)| odd_parity(*a) == odd_parity(*b));
            matches!(key.len(), 16 | 24)
                && !key.chunks(8).any(is_weak)
                && !key.chunks(8).zip(key.chunks(8).skip(1)).any(|(a, b)| same(a, b))
        }
    }
}

/// A new key of `bits`. TDES keys get odd parity, and are drawn until [`key_is_valid`] (Part 4, CryptGenerateKeyDes).
pub fn generate_key(cipher: BlockCipher, bits: u16, rng: &mut dyn Random) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let mut key = Zeroizing::new(alloc::vec![0; usize::from(bits).div_ceil(8)]);
    let sizes: &[u16] = if cipher == BlockCipher::Tdes { &[128, 192] } else { &[128, 192, 256] };
    if !sizes.contains(&bits) {
        return Err(CryptoError::InvalidInput);
    }
    // A generator that gives a weak key more than a few times in a row is broken.
    for _ in 0..100 {
        rng.fill(&mut key);
        if cipher == BlockCipher::Tdes {
            for byte in key.iter_mut() {
                *byte = odd_parity(*byte);
            }
        }
        if key_is_valid(cipher, &key) {
            return Ok(key);
        }
    }
    Err(CryptoError::NoResult)
}

/// The byte with its lowest bit set so that the number of ones is odd.
const fn odd_parity(byte: u8) -> u8 {
    let upper = byte & 0xfe;
    upper | ((upper.count_ones() as u8 & 1) ^ 1)
}

/// True for the 64 weak, semi-weak and possibly weak DES keys (SP 800-67, 3.3.2), with odd parity: the first four bytes
/// are of 01, 1f, e0, fe, the last four of 01, 0e, f1, fe in the same places, and the numbers of the places XOR to zero.
fn is_weak(key: &[u8]) -> bool {
    const FIRST: [u8; 4] = [0x01, 0x1f, 0xe0, 0xfe];
    const LAST: [u8; 4] = [0x01, 0x0e, 0xf1, 0xfe];
    let mut sum = 0;
    for (first, last) in key.iter().zip(key.iter().skip(4)).take(4) {
        let pattern = FIRST.iter().zip(LAST).position(|(a, b)| *a == odd_parity(*first) && b == odd_parity(*last));
        match pattern {
            Some(pattern) => sum ^= pattern,
            None => return false,
        }
    }
    sum == 0
}

#[cfg(test)]
#[path = "symmetric_tests.rs"]
mod tests;
