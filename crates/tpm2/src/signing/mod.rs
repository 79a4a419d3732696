//! Signing and verifying with keys of every type (Part 1, 32; Part 4, CryptUtil.c), and attestation.

pub(crate) mod attest;
mod commit;
pub(crate) mod der;
pub(crate) mod ecc;
pub(crate) mod rsa;
pub(crate) mod x509;

#[cfg(test)]
mod tests;

use crate::object::Object;
use crate::profile::attribute;
use crate::structures::{
    EccScheme, HashAlg, HashValue, KeyedHashScheme, ObjectAttributes, ObjectType, Parameters, RsaModulus, RsaScheme,
    RsaSignature, SigScheme, Signature,
};
use crate::tpm::Tpm;
use sealwright_core::Fault;
use subtle::ConstantTimeEq as _;

/// True if the object may sign: it has the sign attribute, which for a symmetric cipher means encryption.
pub(crate) fn is_signing_key(key: &Object) -> bool {
    key.has(ObjectAttributes::SIGN) && key.public.object_type() != ObjectType::SymCipher
}

/// The default scheme of a key as a scheme of signing; `Err` if it has one that cannot sign.
fn default_scheme(key: &Object) -> Result<SigScheme, Fault> {
    match &key.public.parameters {
        Parameters::Rsa(rsa) => match rsa.scheme {
            RsaScheme::Null => Ok(SigScheme::Null),
            RsaScheme::Rsassa(hash) => Ok(SigScheme::Rsassa(hash)),
            RsaScheme::Rsapss(hash) => Ok(SigScheme::Rsapss(hash)),
            RsaScheme::Rsaes | RsaScheme::Oaep(_) => Err(Fault::SCHEME),
        },
        Parameters::Ecc(ecc) => match ecc.scheme {
            EccScheme::Null => Ok(SigScheme::Null),
            EccScheme::Ecdsa(hash) => Ok(SigScheme::Ecdsa(hash)),
            EccScheme::Ecdaa(hash, count) => Ok(SigScheme::Ecdaa(hash, count)),
            EccScheme::Sm2(hash) => Ok(SigScheme::Sm2(hash)),
            EccScheme::EcSchnorr(hash) => Ok(SigScheme::EcSchnorr(hash)),
            EccScheme::Ecdh(_) | EccScheme::EcMqv(_) => Err(Fault::SCHEME),
        },
        Parameters::KeyedHash(KeyedHashScheme::Hmac(hash)) => Ok(SigScheme::Hmac(*hash)),
        Parameters::KeyedHash(KeyedHashScheme::Null) => Ok(SigScheme::Null),
        Parameters::KeyedHash(KeyedHashScheme::Xor(..)) | Parameters::SymCipher(_) => Err(Fault::SCHEME),
    }
}

/// True if keys of this type can sign with the scheme.
const fn fits(object_type: ObjectType, scheme: SigScheme) -> bool {
    match scheme {
        SigScheme::Null => false,
        SigScheme::Rsassa(_) | SigScheme::Rsapss(_) => matches!(object_type, ObjectType::Rsa),
        SigScheme::Hmac(_) => matches!(object_type, ObjectType::KeyedHash),
        SigScheme::Ecdsa(_) | SigScheme::Ecdaa(..) | SigScheme::Sm2(_) | SigScheme::EcSchnorr(_) => {
            matches!(object_type, ObjectType::Ecc)
        }
    }
}

/// True if both name the same algorithm and hash; the commit counter of ECDAA is the caller's.
fn same_scheme(a: SigScheme, b: SigScheme) -> bool {
    core::mem::discriminant(&a) == core::mem::discriminant(&b) && a.hash() == b.hash()
}

/// True for schemes whose signatures do not tell the signer.
pub(crate) const fn is_anonymous(scheme: SigScheme) -> bool {
    matches!(scheme, SigScheme::Ecdaa(..))
}

impl Tpm<'_> {
    /// The scheme that `key` signs with when the caller asks for `scheme`, or TPM_RC_SCHEME (Part 4,
    /// CryptSelectSignScheme). The key's own scheme wins over NULL, and must otherwise be the same; a split scheme
    /// must always be named, because the caller's holds the counter.
    pub(crate) fn select_sign_scheme(&self, key: &Object, scheme: SigScheme) -> Result<SigScheme, Fault> {
        let default = default_scheme(key)?;
        let selected = match (default, scheme) {
            (SigScheme::Null, asked) => asked,
            (default, SigScheme::Null) if !is_anonymous(default) => default,
            (_, SigScheme::Null) => return Err(Fault::SCHEME),
            (default, asked) if same_scheme(default, asked) => asked,
            _ => return Err(Fault::SCHEME),
        };
        if fits(key.public.object_type(), selected) { Ok(selected) } else { Err(Fault::SCHEME) }
    }

    /// Signs a digest (Part 4, CryptSign). The scheme is one that [`Tpm::select_sign_scheme`] chose; whether the key
    /// may sign this digest is the caller's business.
    pub(crate) fn sign(&mut self, key: &Object, scheme: SigScheme, digest: &[u8]) -> Result<Signature, Fault> {
        let refused = match scheme {
            SigScheme::Hmac(_) => attribute::NO_SHA1_HMAC_CREATION,
            _ => attribute::NO_SHA1_SIGNING,
        };
        if scheme.hash() == Some(HashAlg::Sha1) && self.has_attribute(refused) {
            return Err(Fault::HASH);
        }
        Ok(match scheme {
            SigScheme::Null => Signature::Null,
            SigScheme::Hmac(hash) => Signature::Hmac(HashValue::new(hash, &self.hmac_of(key, hash, digest)?)),
            SigScheme::Rsassa(hash) => {
                let value = rsa::sign_pkcs1(self.crypto, key, hash, digest)?;
                Signature::Rsassa(RsaSignature { hash, value: RsaModulus::from_slice(&value)? })
            }
            SigScheme::Rsapss(hash) => {
                let value = rsa::sign_pss(self.crypto, key, hash, digest, &mut self.state.drbg)?;
                Signature::Rsapss(RsaSignature { hash, value: RsaModulus::from_slice(&value)? })
            }
            SigScheme::Ecdsa(_) | SigScheme::Sm2(_) | SigScheme::EcSchnorr(_) => {
                ecc::sign(self.crypto, key, scheme, digest, &mut self.state.drbg)?
            }
            SigScheme::Ecdaa(hash, count) => {
                let (curve, _) = ecc::key_parts(key)?;
                let r = self.committed_r(count, curve, &key.name).ok_or(Fault::VALUE)?;
                let signature = ecc::sign_ecdaa(self.crypto, key, hash, digest, &r, &mut self.state.drbg)?;
                self.end_commit(count);
                signature
            }
        })
    }

    /// HMAC of a digest under a KEYEDHASH key.
    fn hmac_of(&self, key: &Object, hash: HashAlg, digest: &[u8]) -> Result<sealwright_crypto::Digest, Fault> {
        match (&key.public.parameters, &key.sensitive) {
            (Parameters::KeyedHash(_), Some(sensitive)) => Ok(self.crypto.hash.hmac(hash, &sensitive.value, &[digest])),
            _ => Err(Fault::SCHEME),
        }
    }

    /// Checks a signature with a loaded key (Part 4, CryptValidateSignature): TPM_RC_SIGNATURE if it is not of this
    /// digest, TPM_RC_SCHEME if the key cannot have made it, TPM_RC_HANDLE if an HMAC key has no sensitive part.
    /// The code has no position yet.
    pub(crate) fn verify_signature(&self, key_handle: u32, digest: &[u8], signature: &Signature) -> Result<(), Fault> {
        let key = self.object(key_handle).map_err(|_| Fault::SCHEME)?;
        let refused = match signature {
            Signature::Hmac(_) => attribute::NO_SHA1_HMAC_VERIFICATION,
            _ => attribute::NO_SHA1_VERIFICATION,
        };
        if signature.hash() == Some(HashAlg::Sha1) && self.has_attribute(refused) {
            return Err(Fault::HASH);
        }
        match &key.public.parameters {
            _ if *signature == Signature::Null => Err(Fault::SIGNATURE),
            Parameters::Rsa(_) => rsa::verify(self.crypto, &key, digest, signature),
            Parameters::Ecc(_) => ecc::verify(self.crypto, &key, digest, signature),
            Parameters::KeyedHash(scheme) => self.verify_hmac(&key, *scheme, digest, signature),
            Parameters::SymCipher(_) => Err(Fault::SCHEME),
        }
    }

    fn verify_hmac(
        &self,
        key: &Object,
        scheme: KeyedHashScheme,
        digest: &[u8],
        signature: &Signature,
    ) -> Result<(), Fault> {
        if key.sensitive.is_none() {
            return Err(Fault::HANDLE);
        }
        let Signature::Hmac(mac) = signature else { return Err(Fault::SCHEME) };
        if scheme != KeyedHashScheme::Null && scheme != KeyedHashScheme::Hmac(mac.hash) {
            return Err(Fault::SIGNATURE);
        }
        let expected = self.hmac_of(key, mac.hash, digest)?;
        if bool::from(expected.ct_eq(mac.bytes())) { Ok(()) } else { Err(Fault::SIGNATURE) }
    }
}
