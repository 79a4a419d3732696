//! Keys of CAs: RSA and the NIST curves, in files or in a hardware security module.

use super::exponent::private_exponent;
use super::legacy;
use super::pem;
use super::pkcs11::TokenKey;
use crate::certificate::PublicKey;
use crate::failure::{Failure, failure};
use der::asn1::{Any, OctetStringRef, Uint, UintRef};
use der::{Decode, Encode, SecretDocument, Sequence};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use sealwright_crypto::ecc::{KeyPair, Private, ecdsa};
use sealwright_crypto::primes::SeedCompatLevel;
use sealwright_crypto::rsa::{self, pkcs1};
use sealwright_crypto::{Curve, HashAlg, RsaKey};
use sealwright_crypto_native::NATIVE;
use x509_cert::spki::{AlgorithmIdentifierOwned, ObjectIdentifier, SubjectPublicKeyInfoOwned};
use zeroize::Zeroizing;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// PBKDF2 rounds for keys that are written: a key in a file on the host that uses it is opened for each certificate.
const ROUNDS: u32 = 100_000;

/// RSAPrivateKey (RFC 8017, A.1.2), of two primes.
#[derive(Sequence)]
struct RsaPrivateKey<'a> {
    version: u8,
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
    private_exponent: UintRef<'a>,
    prime1: UintRef<'a>,
    prime2: UintRef<'a>,
    exponent1: UintRef<'a>,
    exponent2: UintRef<'a>,
    coefficient: UintRef<'a>,
}

/// Ecdsa-Sig-Value (RFC 3279, 2.2.3).
#[derive(Sequence)]
struct EcdsaSignature {
    r: Uint,
    s: Uint,
}

enum Secret {
    Rsa(Box<RsaKey>),
    Ecc(Curve, KeyPair),
    Token(TokenKey),
}

/// The private key of a CA.
pub struct SigningKey {
    secret: Secret,
    public: SubjectPublicKeyInfoOwned,
}

impl core::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SigningKey({})", self.public.algorithm.oid)
    }
}

/// What a signature algorithm is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// RSASSA-PKCS1-v1_5.
    Rsa,
    /// ECDSA on this curve.
    Ecc(Curve),
}

fn not_usable(why: impl core::fmt::Display) -> Failure {
    failure!("the signing key cannot be used: {why}")
}

/// ECDSA-Sig-Value of the two numbers.
pub(super) fn ecdsa_value(r: &[u8], s: &[u8]) -> Result<Vec<u8>, Failure> {
    Ok(EcdsaSignature { r: Uint::new(r)?, s: Uint::new(s)? }.to_der()?)
}

impl SigningKey {
    /// A new RSA key with so many bits.
    pub fn generate_rsa(bits: u16) -> Result<Self, Failure> {
        let mut random = crate::random::generator()?;
        let level = SeedCompatLevel::RsaPrimeAdjustFix;
        let key = rsa::generate(&NATIVE, bits, 0, &mut random, level, &mut || false).map_err(not_usable)?;
        Self::of_rsa(key)
    }

    fn of_rsa(key: RsaKey) -> Result<Self, Failure> {
        let public = PublicKey::Rsa { modulus: key.n.clone(), exponent: key.e }.info()?;
        Ok(Self { secret: Secret::Rsa(Box::new(key)), public })
    }

    fn of_scalar(curve: Curve, private: &[u8]) -> Result<Self, Failure> {
        let point = NATIVE.ecc.mul_base(curve, private).map_err(not_usable)?;
        let public = PublicKey::Ecc { curve, point: point.clone() }.info()?;
        let pair = KeyPair { private: Private(Zeroizing::new(private.to_vec())), public: point };
        Ok(Self { secret: Secret::Ecc(curve, pair), public })
    }

    /// The key of a PEM file: PKCS#8, plain or encrypted (PBES2), PKCS#1 or SEC 1, plain or encrypted in OpenSSL's
    /// old way.
    pub fn from_pem(text: &[u8], password: Option<&[u8]>) -> Result<Self, Failure> {
        if let Some(opened) = legacy::open(text, password) {
            let (label, plain) = opened?;
            return if label.starts_with("RSA") { Self::from_pkcs1(&plain) } else { Self::from_sec1(&plain, None) };
        }
        let decode = |label: &str| -> Option<Result<SecretDocument, Failure>> {
            let block = core::str::from_utf8(pem::first(text, label)?).ok()?;
            let decoded = SecretDocument::from_pem(block);
            Some(decoded.map(|(_, document)| document).map_err(|error| failure!("the signing key is damaged: {error}")))
        };
        if let Some(document) = decode("ENCRYPTED PRIVATE KEY") {
            let password =
                password.ok_or_else(|| failure!("the signing key is encrypted, and no password was given"))?;
            let document = document?;
            let info = EncryptedPrivateKeyInfoRef::from_der(document.as_bytes()).map_err(not_usable)?;
            let plain = info.decrypt(password);
            let plain = plain.map_err(|_| failure!("the signing key does not open: its password is another one"))?;
            return Self::from_pkcs8(plain.as_bytes());
        }
        if let Some(document) = decode("PRIVATE KEY") {
            return Self::from_pkcs8(document?.as_bytes());
        }
        if let Some(document) = decode("RSA PRIVATE KEY") {
            return Self::from_pkcs1(document?.as_bytes());
        }
        if let Some(document) = decode("EC PRIVATE KEY") {
            return Self::from_sec1(document?.as_bytes(), None);
        }
        Err(failure!("there is no private key in PEM in it"))
    }

    fn from_pkcs8(bytes: &[u8]) -> Result<Self, Failure> {
        let info = PrivateKeyInfoRef::from_der(bytes).map_err(not_usable)?;
        match info.algorithm.oid {
            RSA => Self::from_pkcs1(info.private_key.as_bytes()),
            EC => {
                let curve = info.algorithm.parameters_oid().map_err(not_usable)?;
                Self::from_sec1(info.private_key.as_bytes(), Some(curve))
            }
            other => Err(not_usable(format!("its algorithm {other} is neither RSA nor ECDSA"))),
        }
    }

    fn from_pkcs1(bytes: &[u8]) -> Result<Self, Failure> {
        let key = RsaPrivateKey::from_der(bytes).map_err(not_usable)?;
        let exponent = key.public_exponent.as_bytes();
        let exponent = exponent.iter().try_fold(0u32, |value, byte| Some(value.checked_mul(256)? | u32::from(*byte)));
        let exponent = exponent.ok_or_else(|| not_usable("its public exponent is too large"))?;
        let made = RsaKey::from_primes(exponent, key.prime1.as_bytes(), key.prime2.as_bytes());
        let made = made.map_err(|_| not_usable("its primes do not fit together"))?;
        if made.n != key.modulus.as_bytes() {
            return Err(not_usable("its modulus is not the product of its primes"));
        }
        Self::of_rsa(made)
    }

    fn from_sec1(bytes: &[u8], curve: Option<ObjectIdentifier>) -> Result<Self, Failure> {
        let key = sec1::EcPrivateKey::from_der(bytes).map_err(not_usable)?;
        let named = key.parameters.and_then(|parameters| parameters.named_curve());
        let oid = curve.or(named).ok_or_else(|| not_usable("it does not name its curve"))?;
        let known = [Curve::P256, Curve::P384, Curve::P521];
        let curve = known.into_iter().find(|curve| crate::certificate::curve_oid(*curve) == Some(oid));
        Self::of_scalar(curve.ok_or_else(|| not_usable(format!("its curve {oid} is not known")))?, key.private_key)
    }

    /// A key in a hardware security module.
    pub(super) const fn of_token(key: TokenKey, public: SubjectPublicKeyInfoOwned) -> Self {
        Self { secret: Secret::Token(key), public }
    }

    /// The key as PEM (PKCS#8), encrypted with the password if there is one. Keys of modules and of curves are not
    /// written: CAs that are made here have RSA keys.
    pub fn to_pem(&self, password: Option<&[u8]>) -> Result<Zeroizing<String>, Failure> {
        let Secret::Rsa(key) = &self.secret else { return Err(not_usable("it cannot be written")) };
        let crt = key.crt(NATIVE.rsa).map_err(not_usable)?;
        let d = private_exponent(key.e, &key.n, &key.p, &key.q)
            .ok_or_else(|| not_usable("its primes do not fit together"))?;
        let uint = |bytes| UintRef::new(bytes).map_err(not_usable);
        let exponent = key.e.to_be_bytes();
        let pkcs1 = RsaPrivateKey {
            version: 0,
            modulus: uint(&key.n)?,
            public_exponent: uint(&exponent)?,
            private_exponent: uint(&d)?,
            prime1: uint(&key.p)?,
            prime2: uint(&key.q)?,
            exponent1: uint(&crt.dp)?,
            exponent2: uint(&crt.dq)?,
            coefficient: uint(&crt.qinv)?,
        };
        let pkcs1 = Zeroizing::new(pkcs1.to_der()?);
        let algorithm = x509_cert::spki::AlgorithmIdentifierRef { oid: RSA, parameters: Some(der::asn1::AnyRef::NULL) };
        let info = PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(&pkcs1)?);
        let plain = SecretDocument::encode_msg(&info)?;
        let document = match password {
            None => return plain.to_pem("PRIVATE KEY", der::pem::LineEnding::LF).map_err(not_usable),
            Some(password) => {
                let (mut salt, mut iv) = ([0; 16], [0; 16]);
                crate::random::fill(&mut salt)?;
                crate::random::fill(&mut iv)?;
                let scheme = pkcs8::pkcs5::pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ROUNDS, &salt, iv);
                info.encrypt_with_params(scheme.map_err(not_usable)?, password).map_err(not_usable)?
            }
        };
        document.to_pem("ENCRYPTED PRIVATE KEY", der::pem::LineEnding::LF).map_err(not_usable)
    }

    /// Its public key.
    pub const fn public(&self) -> &SubjectPublicKeyInfoOwned {
        &self.public
    }

    fn sort(&self) -> Sort {
        match &self.secret {
            Secret::Rsa(_) => Sort::Rsa,
            Secret::Ecc(curve, _) => Sort::Ecc(*curve),
            Secret::Token(key) => key.sort(),
        }
    }

    /// The hash for its signatures, as strong as the key.
    pub fn hash(&self) -> HashAlg {
        match self.sort() {
            Sort::Rsa if self.public.subject_public_key.raw_bytes().len() < 300 => HashAlg::Sha256,
            Sort::Rsa | Sort::Ecc(Curve::P384) => HashAlg::Sha384,
            Sort::Ecc(Curve::P521) => HashAlg::Sha512,
            Sort::Ecc(_) => HashAlg::Sha256,
        }
    }

    /// The identifier of its signatures with this hash (RFC 4055, 5758).
    pub fn algorithm(&self, hash: HashAlg) -> Result<AlgorithmIdentifierOwned, Failure> {
        let (oid, parameters) = match (self.sort(), hash) {
            (Sort::Rsa, HashAlg::Sha1) => ("1.2.840.113549.1.1.5", Some(Any::null())),
            (Sort::Rsa, HashAlg::Sha256) => ("1.2.840.113549.1.1.11", Some(Any::null())),
            (Sort::Rsa, HashAlg::Sha384) => ("1.2.840.113549.1.1.12", Some(Any::null())),
            (Sort::Rsa, HashAlg::Sha512) => ("1.2.840.113549.1.1.13", Some(Any::null())),
            (Sort::Ecc(_), HashAlg::Sha1) => ("1.2.840.10045.4.1", None),
            (Sort::Ecc(_), HashAlg::Sha256) => ("1.2.840.10045.4.3.2", None),
            (Sort::Ecc(_), HashAlg::Sha384) => ("1.2.840.10045.4.3.3", None),
            (Sort::Ecc(_), HashAlg::Sha512) => ("1.2.840.10045.4.3.4", None),
        };
        Ok(AlgorithmIdentifierOwned { oid: ObjectIdentifier::new(oid).map_err(not_usable)?, parameters })
    }

    /// Signs a message; the signature is as certificates have it.
    pub fn sign(&self, hash: HashAlg, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let digest = NATIVE.hash.digest(hash, &[message]);
        match &self.secret {
            Secret::Rsa(key) => pkcs1::sign(&NATIVE, key, hash, &digest).map_err(not_usable),
            Secret::Ecc(curve, pair) => {
                let mut random = crate::random::generator()?;
                let made = ecdsa::sign(&NATIVE, *curve, &pair.private, &digest, &mut random).map_err(not_usable)?;
                ecdsa_value(&made.r, &made.s)
            }
            Secret::Token(key) => key.sign(hash, &digest),
        }
    }
}
