//! Keys that OpenSSL encrypted in its old way: PEM blocks with the headers of RFC 1421, and a key that is one round of MD5
//! of the password. They are read because operators have them, and never written.

use super::pem;
use crate::failure::{Failure, failure};
use md5::{Digest, Md5};
use sealwright_crypto::{BlockCipher, CipherMode};
use sealwright_crypto_native::NATIVE;
use zeroize::Zeroizing;

/// Bytes of the IV that are the salt.
const SALT: usize = 8;

/// The cipher of its name: kind, and bytes of the key.
fn cipher(name: &str) -> Option<(BlockCipher, usize)> {
    match name {
        "AES-128-CBC" => Some((BlockCipher::Aes, 16)),
        "AES-192-CBC" => Some((BlockCipher::Aes, 24)),
        "AES-256-CBC" => Some((BlockCipher::Aes, 32)),
        "DES-EDE3-CBC" => Some((BlockCipher::Tdes, 24)),
        _ => None,
    }
}

/// The key of a password (EVP_BytesToKey with one round).
fn stretch(password: &[u8], salt: &[u8], size: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(size.saturating_add(16)));
    let mut last = Zeroizing::new([0u8; 16]);
    while key.len() < size {
        let mut hash = Md5::new();
        if !key.is_empty() {
            hash.update(*last);
        }
        hash.update(password);
        hash.update(salt);
        *last = hash.finalize().into();
        key.extend_from_slice(&*last);
    }
    key.truncate(size);
    key
}

/// The label of a block, and its content in the clear.
type Opened = (&'static str, Zeroizing<Vec<u8>>);

/// The label of a block that is encrypted so, and its content in the clear; `None` if there is no such block.
pub(super) fn open(text: &[u8], password: Option<&[u8]>) -> Option<Result<Opened, Failure>> {
    let labels = ["RSA PRIVATE KEY", "EC PRIVATE KEY"];
    let (label, block) = labels.into_iter().find_map(|label| Some((label, pem::first(text, label)?)))?;
    let block = core::str::from_utf8(block).ok()?;
    block.contains("Proc-Type: 4,ENCRYPTED").then(|| Ok((label, decrypt(label, block, password)?)))
}

fn decrypt(label: &str, block: &str, password: Option<&[u8]>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let password = password.ok_or_else(|| failure!("the signing key is encrypted, and no password was given"))?;
    let information = block.lines().find_map(|line| line.strip_prefix("DEK-Info:"));
    let (name, digits) = information.and_then(|text| text.trim().split_once(',')).unwrap_or_default();
    let (kind, size) = cipher(name).ok_or_else(|| {
        failure!(
            "the signing key is encrypted with {name}; convert it with: openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out NEW"
        )
    })?;
    let damaged = || failure!("the signing key is damaged: its encryption does not fit together");
    let mut iv = crate::certificate::from_hex(digits)?;
    let salt = iv.get(..SALT).filter(|_| iv.len() == kind.block()).ok_or_else(damaged)?;
    let key = stretch(password, salt, size);
    // Without the headers it is an ordinary block.
    let plain: String =
        block.lines().filter(|line| !line.contains(": ") && !line.is_empty()).fold(String::new(), |mut all, line| {
            all.push_str(line);
            all.push('\n');
            all
        });
    let (_, content) = der::pem::decode_vec(plain.as_bytes()).map_err(|_| damaged())?;
    let mut content = Zeroizing::new(content);
    if !content.len().is_multiple_of(kind.block()) {
        return Err(damaged());
    }
    let another = || failure!("the signing key does not open: its password is another one ({label})");
    NATIVE.cipher.crypt(kind, CipherMode::Cbc, false, &key, &mut iv, &mut content).map_err(|_| damaged())?;
    let padding = content.last().copied().map(usize::from).ok_or_else(damaged)?;
    let end =
        content.len().checked_sub(padding).filter(|_| (1..=kind.block()).contains(&padding)).ok_or_else(another)?;
    if content.iter().skip(end).any(|byte| usize::from(*byte) != padding) {
        return Err(another());
    }
    content.truncate(end);
    Ok(content)
}
