//! RSA keys and schemes (Part 1, annex B; PKCS #1; Part 4, CryptRsa.c) over the modular exponentiation of a provider.
//!
//! Messages and digests are the bytes that the TPM commands carry. Errors: [`CryptoError::InvalidInput`] is a wrong size
//! of an input (TPM_RC_SIZE or TPM_RC_VALUE, as Part 3 says of it), [`CryptoError::TooLarge`] a number not below the
//! modulus, [`CryptoError::Unsupported`] a key too small for the scheme's hash, and [`CryptoError::Mismatch`] a padding
//! or signature that is wrong.

mod coefficient;
pub mod keygen;
pub mod oaep;
pub mod pkcs1;
pub mod pss;

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::provider::{Crypto, CryptoError, RsaKey};

pub use coefficient::LargerFirst;
pub use keygen::{DEFAULT_EXPONENT, exponent_is_valid, generate};

/// Encryption without padding (TPM_ALG_NULL): `message` is a number, with any count of leading zeros.
pub fn encrypt_raw(crypto: &Crypto, n: &[u8], e: u32, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let zeros = message.iter().take_while(|byte| **byte == 0).count();
    let message = message.get(zeros..).unwrap_or_default();
    if message.len() > n.len() {
        return Err(CryptoError::InvalidInput);
    }
    crypto.rsa.public(n, e, message)
}

/// Decryption without padding: the number, in the size of the modulus. `cipher` must have that size.
pub fn decrypt_raw(crypto: &Crypto, key: &RsaKey, cipher: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    if cipher.len() != key.n.len() {
        return Err(CryptoError::InvalidInput);
    }
    crypto.rsa.private(key, cipher)
}

/// The padded block that a signature hides; anything wrong with its size is a wrong signature.
fn open_signature(crypto: &Crypto, n: &[u8], e: u32, signature: &[u8]) -> Result<Vec<u8>, CryptoError> {
    if signature.len() != n.len() {
        return Err(CryptoError::Mismatch);
    }
    crypto.rsa.public(n, e, signature).map_err(|_| CryptoError::Mismatch)
}

#[cfg(test)]
mod tests;
