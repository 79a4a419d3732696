//! Secrets shared with the owner of a key (Part 1, annexes B.10 and C.6; Part 4, CryptSecretEncrypt and
//! CryptSecretDecrypt): seeds of duplicates and credentials, and salts of sessions.
//!
//! Labels are given without the NUL that ends them.

use super::{Object, encoding::marshalled, protect::Wiped};
use crate::structures::{
    EccParameter, EccPoint, EncryptedSecret, HashAlg, ObjectAttributes, Parameters, RsaScheme, Unique,
};
use crate::tpm::Tpm;
use alloc::vec::Vec;
use sealwright_core::{Buffer, Fault, Reader, Wire};
use sealwright_crypto::{Crypto, CryptoError, Curve, Point, ecc, kdf::kdfe, rsa::oaep, symmetric};
use zeroize::Zeroizing;

/// The label of seeds of duplicates.
pub(crate) const DUPLICATE: &[u8] = b"DUPLICATE";
/// The label of seeds of credentials.
pub(crate) const IDENTITY: &[u8] = b"IDENTITY";

fn with_nul(label: &[u8]) -> Vec<u8> {
    let mut out = label.to_vec();
    out.push(0);
    out
}

fn derived(crypto: &Crypto, hash: HashAlg, z: &Point, label: &[u8], ephemeral: &[u8], fixed: &[u8]) -> Wiped {
    let bits = u32::try_from(hash.size().saturating_mul(8)).unwrap_or(0);
    kdfe(crypto, hash, &z.x, label, ephemeral, fixed, bits)
}

fn decrypt_rsa(crypto: &Crypto, key: &Object, scheme: RsaScheme, label: &[u8], secret: &[u8]) -> Result<Wiped, Fault> {
    let hash = match scheme {
        RsaScheme::Null => key.public.name_alg.ok_or(Fault::SCHEME)?,
        RsaScheme::Oaep(hash) => hash,
        _ => return Err(Fault::SCHEME),
    };
    let rsa = key.rsa.as_ref().ok_or(Fault::VALUE)?;
    if secret.len() != rsa.n.len() {
        return Err(Fault::SIZE);
    }
    let data = oaep::decrypt(crypto, rsa, hash, &with_nul(label), secret).map_err(|_| Fault::VALUE)?;
    if data.len() > hash.size() { Err(Fault::VALUE) } else { Ok(data) }
}

fn decrypt_ecc(crypto: &Crypto, key: &Object, curve: Curve, label: &[u8], secret: &[u8]) -> Result<Wiped, Fault> {
    let point = EccPoint::read(&mut Reader::new(secret))?;
    let Unique::Ecc(own) = &key.public.unique else { return Err(Fault::VALUE) };
    let hash = key.public.name_alg.ok_or(Fault::HASH)?;
    let private = &key.sensitive.as_ref().ok_or(Fault::VALUE)?.value;
    let ephemeral = Point { x: point.x.to_vec(), y: point.y.to_vec() };
    if !crypto.ecc.on_curve(curve, &ephemeral) {
        return Err(Fault::ECC_POINT);
    }
    let z = crypto.ecc.mul(curve, private, &ephemeral).map_err(|error| match error {
        CryptoError::NoResult => Fault::NO_RESULT,
        _ => Fault::ECC_POINT,
    })?;
    Ok(derived(crypto, hash, &z, label, &point.x, &own.x))
}

fn decrypt_symmetric(crypto: &Crypto, key: &Object, nonce: &[u8], secret: &[u8]) -> Result<Wiped, Fault> {
    let hash = key.public.name_alg.ok_or(Fault::HASH)?;
    if secret.len() > hash.size() {
        return Err(Fault::VALUE);
    }
    let value = &key.sensitive.as_ref().ok_or(Fault::VALUE)?.value;
    let mut data = Zeroizing::new(secret.to_vec());
    match &key.public.parameters {
        Parameters::SymCipher(symmetric) => {
            let mut iv = [0; 16];
            iv.iter_mut().zip(nonce).for_each(|(to, from)| *to = *from);
            symmetric::cfb(crypto, symmetric.cipher, false, value, &iv, &mut data).map_err(|_| Fault::FAILURE)?;
        }
        _ => symmetric::xor_obfuscation(crypto, hash, value, nonce, &[], &mut data).map_err(|_| Fault::FAILURE)?,
    }
    Ok(data)
}

impl Tpm<'_> {
    /// A new secret of the size of the key's name algorithm, and the same encrypted for the key.
    pub(crate) fn secret_encrypt(&mut self, key: &Object, label: &[u8]) -> Result<(Wiped, EncryptedSecret), Fault> {
        if !key.has(ObjectAttributes::DECRYPT) {
            return Err(Fault::ATTRIBUTES);
        }
        let hash = key.public.name_alg.ok_or(Fault::HASH)?;
        match (&key.public.parameters, &key.public.unique) {
            (Parameters::Rsa(p), Unique::Rsa(n)) => {
                let secret = self.random_bytes(hash.size());
                let e = if p.exponent == 0 { sealwright_crypto::rsa::DEFAULT_EXPONENT } else { p.exponent };
                let drbg = &mut self.state.drbg;
                let encrypted = oaep::encrypt(self.crypto, n, e, hash, &with_nul(label), &secret, drbg)
                    .map_err(|_| Fault::FAILURE)?;
                Ok((secret, Buffer::from_slice(&encrypted)?))
            }
            (Parameters::Ecc(p), Unique::Ecc(point)) => {
                let other = Point { x: point.x.to_vec(), y: point.y.to_vec() };
                if !self.crypto.ecc.on_curve(p.curve, &other) {
                    return Err(Fault::KEY);
                }
                let pair = ecc::generate_key(self.crypto, p.curve, &mut self.state.drbg).map_err(|_| Fault::KEY)?;
                let z = self.crypto.ecc.mul(p.curve, &pair.private, &other).map_err(|_| Fault::KEY)?;
                let ephemeral = EccPoint {
                    x: EccParameter::from_slice(&pair.public.x)?,
                    y: EccParameter::from_slice(&pair.public.y)?,
                };
                let secret = derived(self.crypto, hash, &z, label, &ephemeral.x, &point.x);
                Ok((secret, Buffer::from_slice(&marshalled(&ephemeral)?)?))
            }
            _ => Err(Fault::KEY),
        }
    }

    /// The secret that somebody encrypted for the key. `nonce_caller` counts for symmetric keys only.
    pub(crate) fn secret_decrypt(
        &self,
        key: &Object,
        nonce_caller: &[u8],
        label: &[u8],
        secret: &EncryptedSecret,
    ) -> Result<Wiped, Fault> {
        match &key.public.parameters {
            Parameters::Rsa(p) => decrypt_rsa(self.crypto, key, p.scheme, label, secret),
            Parameters::Ecc(p) => decrypt_ecc(self.crypto, key, p.curve, label, secret),
            Parameters::KeyedHash(_) | Parameters::SymCipher(_) => {
                decrypt_symmetric(self.crypto, key, nonce_caller, secret)
            }
        }
    }
}
