//! Signatures with RSA keys: RSASSA-PKCS1-v1_5 and RSASSA-PSS (PKCS #1 v2.2, 8).

use crate::object::Object;
use crate::structures::{HashAlg, Parameters, Signature, Unique};
use crate::tpm::fault_of;
use alloc::vec::Vec;
use sealwright_core::Fault;
use sealwright_crypto::rsa::{DEFAULT_EXPONENT, pkcs1, pss};
use sealwright_crypto::{Crypto, Random, RsaKey};

/// Modulus and public exponent of an RSA key.
pub(crate) fn public_parts(key: &Object) -> Result<(&[u8], u32), Fault> {
    match (&key.public.parameters, &key.public.unique) {
        (Parameters::Rsa(rsa), Unique::Rsa(n)) => {
            Ok((n.as_slice(), if rsa.exponent == 0 { DEFAULT_EXPONENT } else { rsa.exponent }))
        }
        _ => Err(Fault::SCHEME),
    }
}

/// The private key of an object.
pub(crate) fn private_part(key: &Object) -> Result<&RsaKey, Fault> {
    key.rsa.as_deref().ok_or(Fault::BINDING)
}

/// Size of the salt of PSS: that of the hash, or as much as fits (Part 4, CryptRsaPssSaltSize).
pub(super) fn pss_salt_size(hash: HashAlg, modulus: usize) -> usize {
    modulus.saturating_sub(hash.size()).saturating_sub(2).min(hash.size())
}

/// Signs with PKCS #1 v1.5 padding.
pub(super) fn sign_pkcs1(crypto: &Crypto, key: &Object, hash: HashAlg, digest: &[u8]) -> Result<Vec<u8>, Fault> {
    pkcs1::sign(crypto, private_part(key)?, hash, digest).map_err(fault_of)
}

/// Signs with PSS padding.
pub(super) fn sign_pss(
    crypto: &Crypto,
    key: &Object,
    hash: HashAlg,
    digest: &[u8],
    random: &mut dyn Random,
) -> Result<Vec<u8>, Fault> {
    pss::sign(crypto, private_part(key)?, hash, digest, random).map_err(fault_of)
}

/// Checks a signature (Part 4, CryptRsaValidateSignature).
pub(super) fn verify(crypto: &Crypto, key: &Object, digest: &[u8], signature: &Signature) -> Result<(), Fault> {
    let (n, e) = public_parts(key)?;
    let good = match signature {
        Signature::Rsassa(value) => pkcs1::verify(crypto, n, e, value.hash, digest, &value.value),
        Signature::Rsapss(value) => pss::verify(crypto, n, e, value.hash, digest, &value.value),
        _ => return Err(Fault::SCHEME),
    };
    good.map_err(|_| Fault::SIGNATURE)
}
