//! swtpm's encryption: AES-CBC, and HMAC-SHA-256 with the same key.

use super::{SwtpmError, SwtpmKey};
use sealwright_crypto::{BlockCipher, CipherMode, HashAlg, RUST};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes of the IV that count; what is stored has as many as the key.
const IV: usize = 16;

fn crypt(key: &SwtpmKey, iv: &[u8], encrypt: bool, data: &mut [u8]) -> Option<()> {
    let mut iv: [u8; IV] = *iv.first_chunk()?;
    RUST.cipher.crypt(BlockCipher::Aes, CipherMode::Cbc, encrypt, key.bytes(), &mut iv, data).ok()
}

fn code(key: &SwtpmKey, encrypted: &[u8], iv: &[u8]) -> sealwright_crypto::Digest {
    RUST.hash.hmac(HashAlg::Sha256, key.bytes(), &[encrypted, iv])
}

/// Something encrypted.
pub(super) struct Encrypted {
    pub(super) data: Vec<u8>,
    pub(super) iv: Vec<u8>,
    pub(super) hmac: Vec<u8>,
}

/// Encrypts.
pub(super) fn encrypt(key: &SwtpmKey, plain: &[u8]) -> Result<Encrypted, SwtpmError> {
    let size = key.bytes().len();
    let mut iv = vec![0; size];
    crate::entropy::fill(&mut iv)?;
    // Padding to a multiple of the key's size, not of the block.
    let pad = size.saturating_sub(plain.len().checked_rem(size).unwrap_or(0));
    let mut data = Zeroizing::new(Vec::with_capacity(plain.len().saturating_add(pad)));
    data.extend_from_slice(plain);
    data.resize(plain.len().saturating_add(pad), u8::try_from(pad).unwrap_or(0));
    crypt(key, &iv, true, &mut data).ok_or_else(|| SwtpmError::damaged("encryption failed"))?;
    let hmac = code(key, &data, &iv).to_vec();
    Ok(Encrypted { data: data.to_vec(), iv, hmac })
}

/// Decrypts what has this code. States of old versions have no IV.
pub(super) fn decrypt(
    key: &SwtpmKey,
    what: &'static str,
    encrypted: &[u8],
    iv: Option<&[u8]>,
    hmac: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SwtpmError> {
    let wrong = || SwtpmError::WrongKey { what };
    if !bool::from(code(key, encrypted, iv.unwrap_or_default()).ct_eq(hmac)) {
        return Err(wrong());
    }
    decrypt_unchecked(key, encrypted, iv.unwrap_or(&[0; IV])).ok_or_else(wrong)
}

/// Decrypts and removes the padding, without a look at any code.
pub(super) fn decrypt_unchecked(key: &SwtpmKey, encrypted: &[u8], iv: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut data = Zeroizing::new(encrypted.to_vec());
    crypt(key, iv, false, &mut data)?;
    let pad = usize::from(*data.last()?);
    let size = data.len().checked_sub(pad)?;
    let good = (1..=key.bytes().len()).contains(&pad) && data.get(size..)?.iter().all(|byte| usize::from(*byte) == pad);
    data.truncate(size);
    good.then_some(data)
}
