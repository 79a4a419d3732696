//! Hashes, HMAC, KDFa, KDFe, AES-CFB, XOR obfuscation, MGF1 and OAEP, for the client's side.

use crate::codes::*;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use hmac::{Hmac, Mac};
use num_bigint::BigUint;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The digest of the concatenated parts; empty for an unknown algorithm.
pub fn hash(alg: u16, parts: &[&[u8]]) -> Vec<u8> {
    let data = parts.concat();
    match alg {
        SHA1 => Sha1::digest(&data).to_vec(),
        SHA256 => Sha256::digest(&data).to_vec(),
        SHA384 => Sha384::digest(&data).to_vec(),
        SHA512 => Sha512::digest(&data).to_vec(),
        _ => Vec::new(),
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut m = <M as KeyInit>::new_from_slice(key).expect("HMAC takes any key length");
    m.update(data);
    m.finalize().into_bytes().to_vec()
}

/// HMAC of the concatenated parts.
pub fn hmac(alg: u16, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let data = parts.concat();
    match alg {
        SHA1 => mac::<Hmac<Sha1>>(key, &data),
        SHA256 => mac::<Hmac<Sha256>>(key, &data),
        SHA384 => mac::<Hmac<Sha384>>(key, &data),
        SHA512 => mac::<Hmac<Sha512>>(key, &data),
        _ => Vec::new(),
    }
}

/// KDFa of Part 1, 11.4.10.2.
pub fn kdfa(alg: u16, key: &[u8], label: &str, u: &[u8], v: &[u8], bits: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut counter = 0u32;
    while out.len() * 8 < bits {
        counter += 1;
        let (n, total) = (counter.to_be_bytes(), (bits as u32).to_be_bytes());
        out.extend(hmac(alg, key, &[&n, label.as_bytes(), &[0], u, v, &total]));
    }
    out.truncate(bits.div_ceil(8));
    out
}

/// KDFe of Part 1, 11.4.10.3.
pub fn kdfe(alg: u16, z: &[u8], label: &str, u: &[u8], v: &[u8], bits: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut counter = 0u32;
    while out.len() * 8 < bits {
        counter += 1;
        out.extend(hash(alg, &[&counter.to_be_bytes(), z, label.as_bytes(), &[0], u, v]));
    }
    out.truncate(bits.div_ceil(8));
    out
}

fn aes_block(key: &[u8], block: &[u8; 16]) -> [u8; 16] {
    let mut b = Array::from(*block);
    match key.len() {
        16 => aes::Aes128::new_from_slice(key).expect("16 bytes").encrypt_block(&mut b),
        24 => aes::Aes192::new_from_slice(key).expect("24 bytes").encrypt_block(&mut b),
        _ => aes::Aes256::new_from_slice(key).expect("32 bytes").encrypt_block(&mut b),
    }
    b.into()
}

/// AES in CFB mode with full blocks, in place; `decrypt` says which way.
pub fn aes_cfb(key: &[u8], iv: &[u8], data: &mut [u8], decrypt: bool) {
    let mut register: [u8; 16] = iv.try_into().expect("16-byte IV");
    for chunk in data.chunks_mut(16) {
        let stream = aes_block(key, &register);
        for (i, byte) in chunk.iter_mut().enumerate() {
            let input = *byte;
            *byte ^= stream[i];
            register[i] = if decrypt { input } else { *byte };
        }
    }
}

/// The symmetric algorithm of a session (TPMT_SYM_DEF).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symmetric {
    /// No parameter encryption.
    Null,
    /// AES-CFB with this many key bits.
    Aes(u16),
    /// XOR obfuscation with this hash.
    Xor(u16),
}

/// Encrypts or decrypts a session parameter in place.
pub fn parameter(sym: Symmetric, alg: u16, key: &[u8], newer: &[u8], older: &[u8], data: &mut [u8], decrypt: bool) {
    match sym {
        Symmetric::Null => {}
        Symmetric::Aes(bits) => {
            let stream = kdfa(alg, key, "CFB", newer, older, usize::from(bits) + 128);
            let (k, iv) = stream.split_at(usize::from(bits) / 8);
            aes_cfb(k, iv, data, decrypt);
        }
        // The mask comes from the session's hash (Part 1, 19.3), whatever the TPMT_SYM_DEF says.
        Symmetric::Xor(_) => {
            let mask = kdfa(alg, key, "XOR", newer, older, data.len() * 8);
            data.iter_mut().zip(mask).for_each(|(d, m)| *d ^= m);
        }
    }
}

/// MGF1 of PKCS #1.
pub fn mgf1(alg: u16, seed: &[u8], len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut counter = 0u32;
    while out.len() < len {
        out.extend(hash(alg, &[seed, &counter.to_be_bytes()]));
        counter += 1;
    }
    out.truncate(len);
    out
}

/// RSA public operation, result as long as the modulus.
pub fn rsa_public(n: &[u8], e: u32, input: &[u8]) -> Vec<u8> {
    let (modulus, base) = (BigUint::from_bytes_be(n), BigUint::from_bytes_be(input));
    left_pad(&base.modpow(&BigUint::from(if e == 0 { 65537 } else { e }), &modulus).to_bytes_be(), n.len())
}

/// OAEP encryption with the given seed; `label` is followed by its terminating zero already.
pub fn oaep(alg: u16, n: &[u8], e: u32, label: &[u8], seed: &[u8], message: &[u8]) -> Vec<u8> {
    let h = digest_size(alg);
    let mut db = hash(alg, &[label]);
    db.resize(n.len() - h - 2 - message.len(), 0);
    db.push(1);
    db.extend_from_slice(message);
    let masked_db: Vec<u8> = db.iter().zip(mgf1(alg, seed, db.len())).map(|(a, b)| a ^ b).collect();
    let masked_seed: Vec<u8> = seed.iter().zip(mgf1(alg, &masked_db, h)).map(|(a, b)| a ^ b).collect();
    rsa_public(n, e, &[&[0u8][..], &masked_seed, &masked_db].concat())
}

/// `bytes` with leading zeros up to `len`.
pub fn left_pad(bytes: &[u8], len: usize) -> Vec<u8> {
    let mut out = vec![0; len.saturating_sub(bytes.len())];
    out.extend_from_slice(bytes);
    out
}

/// The DER prefix of a DigestInfo (RFC 8017, 9.2, note 1).
pub fn digest_info_prefix(alg: u16) -> &'static [u8] {
    match alg {
        SHA1 => &[0x30, 0x21, 0x30, 9, 6, 5, 0x2B, 14, 3, 2, 0x1A, 5, 0, 4, 0x14],
        SHA256 => &[0x30, 0x31, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20],
        SHA384 => &[0x30, 0x41, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2, 5, 0, 4, 0x30],
        _ => &[0x30, 0x51, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3, 5, 0, 4, 0x40],
    }
}
