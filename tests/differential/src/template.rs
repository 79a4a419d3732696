//! Public areas and keys for the scenarios.

use crate::codes::*;
use crate::wire::{Out, unhex};

/// The attributes of an ordinary storage parent.
pub const STORAGE: u32 =
    FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | USER_WITH_AUTH | NO_DA | RESTRICTED | KEY_DECRYPT;
/// A signing key made in the TPM.
pub const SIGNING: u32 = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | USER_WITH_AUTH | NO_DA | KEY_SIGN;
/// A decryption key made in the TPM.
pub const DECRYPTION: u32 = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | USER_WITH_AUTH | NO_DA | KEY_DECRYPT;

/// TPMT_SYM_DEF_OBJECT of AES-CFB.
pub fn aes_cfb(bits: u16) -> Out {
    Out::new().u16(AES).u16(bits).u16(CFB)
}

/// TPM_ALG_NULL.
pub fn null() -> Out {
    Out::new().u16(NULL)
}

/// A scheme with one hash.
pub fn scheme(alg: u16, hash: u16) -> Out {
    Out::new().u16(alg).u16(hash)
}

/// TPMT_PUBLIC from its parts; `parameters` and `unique` are marshalled already.
pub fn public(kind: u16, name_alg: u16, attributes: u32, policy: &[u8], parameters: Out, unique: Out) -> Vec<u8> {
    Out::new().u16(kind).u16(name_alg).u32(attributes).sized(policy).raw(&parameters.0).raw(&unique.0).0
}

/// An RSA public area without a modulus.
pub fn rsa(attributes: u32, symmetric: Out, scheme: Out, bits: u16) -> Vec<u8> {
    let parameters = Out::new().raw(&symmetric.0).raw(&scheme.0).u16(bits).u32(0);
    public(RSA, SHA256, attributes, &[], parameters, Out::new().sized(&[]))
}

/// An ECC public area without a point.
pub fn ecc(attributes: u32, symmetric: Out, scheme: Out, curve: u16) -> Vec<u8> {
    ecc_named(SHA256, attributes, symmetric, scheme, curve)
}

/// An ECC public area with another name algorithm.
pub fn ecc_named(name_alg: u16, attributes: u32, symmetric: Out, scheme: Out, curve: u16) -> Vec<u8> {
    let parameters = Out::new().raw(&symmetric.0).raw(&scheme.0).u16(curve).u16(NULL);
    public(ECC, name_alg, attributes, &[], parameters, Out::new().sized(&[]).sized(&[]))
}

/// The storage parent that most scenarios use: P-256 with AES-128-CFB.
pub fn storage_parent() -> Vec<u8> {
    ecc(STORAGE, aes_cfb(128), null(), 3)
}

/// A keyed-hash object: sealed data (NULL scheme) or an HMAC key.
pub fn keyed_hash(attributes: u32, scheme: Out, policy: &[u8]) -> Vec<u8> {
    public(KEYEDHASH, SHA256, attributes, policy, scheme, Out::new().sized(&[]))
}

/// A symmetric cipher key.
pub fn symmetric(attributes: u32, alg: u16, bits: u16, mode: u16) -> Vec<u8> {
    public(SYMCIPHER, SHA256, attributes, &[], Out::new().u16(alg).u16(bits).u16(mode), Out::new().sized(&[]))
}

/// TPM2B_SENSITIVE_CREATE.
pub fn sensitive(auth: &[u8], data: &[u8]) -> Out {
    Out::new().sized(&Out::new().sized(auth).sized(data).0)
}

/// The parameters of TPM2_Create and TPM2_CreatePrimary with no outside information and no PCR.
pub fn create(auth: &[u8], data: &[u8], public: &[u8]) -> Out {
    sensitive(auth, data).sized(public).sized(&[]).u32(0)
}

/// TPML_PCR_SELECTION with one bank and three bytes.
pub fn pcrs(alg: u16, map: [u8; 3]) -> Out {
    Out::new().u32(1).u16(alg).u8(3).raw(&map)
}

/// The fixed RSA-2048 key of these tests: modulus and first prime.
pub fn rsa_key() -> (Vec<u8>, Vec<u8>) {
    let text = include_str!("../keys/rsa2048.txt");
    let mut lines = text.lines().filter(|l| !l.starts_with('#'));
    (unhex(lines.next().unwrap_or("")), unhex(lines.next().unwrap_or("")))
}

/// A public area with a modulus: for LoadExternal and Import of [`rsa_key`].
pub fn rsa_with(attributes: u32, symmetric: Out, scheme: Out, modulus: &[u8]) -> Vec<u8> {
    let bits = (modulus.len() * 8) as u16;
    let parameters = Out::new().raw(&symmetric.0).raw(&scheme.0).u16(bits).u32(0);
    public(RSA, SHA256, attributes, &[], parameters, Out::new().sized(modulus))
}

/// A TPM2B_SENSITIVE for LoadExternal.
pub fn loaded_sensitive(kind: u16, auth: &[u8], seed: &[u8], secret: &[u8]) -> Out {
    Out::new().sized(&Out::new().u16(kind).sized(auth).sized(seed).sized(secret).0)
}
