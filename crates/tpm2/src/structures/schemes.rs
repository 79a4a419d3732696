//! Schemes of keys and of operations (Part 2, 11.1.17 to 11.2).

use super::Kdf;
use sealwright_crypto::HashAlg;
use sealwright_derive::Wire;

/// TPMT_KEYEDHASH_SCHEME+.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
#[wire(tag = u16, refuse = "VALUE", algorithm)]
pub enum KeyedHashScheme {
    /// HMAC with this hash.
    #[wire(value = 0x0005)]
    Hmac(HashAlg),
    /// XOR obfuscation.
    #[wire(value = 0x000A)]
    Xor(HashAlg, Option<Kdf>),
    /// None: sealed data, or chosen at use.
    #[wire(value = 0x0010)]
    Null,
}

/// TPMT_RSA_DECRYPT+: the padding that a caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
#[wire(tag = u16, refuse = "VALUE", algorithm)]
pub enum RsaDecryptScheme {
    /// None, or that of the key.
    #[wire(value = 0x0010)]
    Null,
    /// RSAES-PKCS1-v1_5.
    #[wire(value = 0x0015)]
    Rsaes,
    /// RSAES-OAEP.
    #[wire(value = 0x0017)]
    Oaep(HashAlg),
}

/// TPMT_RSA_SCHEME+.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
#[wire(tag = u16, refuse = "VALUE", algorithm)]
pub enum RsaScheme {
    /// None, or chosen at use.
    #[wire(value = 0x0010)]
    Null,
    /// RSASSA-PKCS1-v1_5.
    #[wire(value = 0x0014)]
    Rsassa(HashAlg),
    /// RSAES-PKCS1-v1_5.
    #[wire(value = 0x0015)]
    Rsaes,
    /// RSASSA-PSS.
    #[wire(value = 0x0016)]
    Rsapss(HashAlg),
    /// RSAES-OAEP.
    #[wire(value = 0x0017)]
    Oaep(HashAlg),
}

/// TPMT_ECC_SCHEME+.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
#[wire(tag = u16, refuse = "SCHEME", algorithm)]
#[expect(missing_docs, reason = "each is TPM_ALG_<name>")]
pub enum EccScheme {
    #[wire(value = 0x0010)]
    Null,
    #[wire(value = 0x0018)]
    Ecdsa(HashAlg),
    #[wire(value = 0x0019)]
    Ecdh(HashAlg),
    /// With the commit counter.
    #[wire(value = 0x001A)]
    Ecdaa(HashAlg, u16),
    #[wire(value = 0x001B)]
    Sm2(HashAlg),
    #[wire(value = 0x001C)]
    EcSchnorr(HashAlg),
    #[wire(value = 0x001D)]
    EcMqv(HashAlg),
}

/// TPMT_SIG_SCHEME+: what a command asks a signing key to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
#[wire(tag = u16, refuse = "SCHEME", algorithm)]
#[expect(missing_docs, reason = "each is TPM_ALG_<name>")]
pub enum SigScheme {
    #[wire(value = 0x0005)]
    Hmac(HashAlg),
    #[wire(value = 0x0010)]
    Null,
    #[wire(value = 0x0014)]
    Rsassa(HashAlg),
    #[wire(value = 0x0016)]
    Rsapss(HashAlg),
    #[wire(value = 0x0018)]
    Ecdsa(HashAlg),
    /// With the commit counter.
    #[wire(value = 0x001A)]
    Ecdaa(HashAlg, u16),
    #[wire(value = 0x001B)]
    Sm2(HashAlg),
    #[wire(value = 0x001C)]
    EcSchnorr(HashAlg),
}

impl SigScheme {
    /// The hash of the scheme.
    pub const fn hash(self) -> Option<HashAlg> {
        match self {
            Self::Null => None,
            Self::Hmac(h)
            | Self::Rsassa(h)
            | Self::Rsapss(h)
            | Self::Ecdsa(h)
            | Self::Ecdaa(h, _)
            | Self::Sm2(h)
            | Self::EcSchnorr(h) => Some(h),
        }
    }
}

/// TPMT_KDF_SCHEME+.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
#[wire(tag = u16, refuse = "KDF", algorithm)]
#[expect(missing_docs, reason = "each is TPM_ALG_<name>")]
pub enum KdfScheme {
    #[wire(value = 0x0007)]
    Mgf1(HashAlg),
    #[wire(value = 0x0010)]
    Null,
    #[wire(value = 0x0020)]
    Sp800_56a(HashAlg),
    #[wire(value = 0x0021)]
    Kdf2(HashAlg),
    #[wire(value = 0x0022)]
    Sp800_108(HashAlg),
}
