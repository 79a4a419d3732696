//! Signatures (Part 2, 11.3).

use super::{EccParameter, RsaModulus};
use sealwright_core::{Fault, Reader, Wire, Writer};
use sealwright_crypto::HashAlg;
use sealwright_derive::Wire;

/// TPMT_HA: a hash algorithm and a digest of its size, without a size field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashValue {
    /// The algorithm.
    pub hash: HashAlg,
    /// The digest; the first [`HashAlg::size`] bytes count.
    pub digest: [u8; 64],
}

impl HashValue {
    /// Copies up to 64 bytes of digest.
    pub fn new(hash: HashAlg, bytes: &[u8]) -> Self {
        let mut digest = [0; 64];
        digest.iter_mut().zip(bytes.iter().take(hash.size())).for_each(|(to, from)| *to = *from);
        Self { hash, digest }
    }
    /// The digest.
    pub fn bytes(&self) -> &[u8] {
        self.digest.get(..self.hash.size()).unwrap_or(&[])
    }
}

impl Default for HashValue {
    fn default() -> Self {
        Self { hash: HashAlg::Sha1, digest: [0; 64] }
    }
}

impl Wire for HashValue {
    const MAX_SIZE: usize = 66;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let hash = HashAlg::read(r)?;
        Ok(Self::new(hash, r.bytes(hash.size())?))
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        self.hash.write(w)?;
        w.bytes(self.bytes())
    }
}

/// TPMS_SIGNATURE_ECC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
pub struct EccSignature {
    /// Hash of the signed message.
    pub hash: HashAlg,
    /// r.
    pub r: EccParameter,
    /// s.
    pub s: EccParameter,
}

/// TPMS_SIGNATURE_RSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
pub struct RsaSignature {
    /// Hash of the signed message.
    pub hash: HashAlg,
    /// The signature, as large as the modulus.
    pub value: RsaModulus,
}

/// TPMT_SIGNATURE+.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
#[wire(tag = u16, refuse = "SCHEME", algorithm)]
#[expect(missing_docs, reason = "each is TPM_ALG_<name>")]
pub enum Signature {
    #[wire(value = 0x0005)]
    Hmac(HashValue),
    #[wire(value = 0x0010)]
    Null,
    #[wire(value = 0x0014)]
    Rsassa(RsaSignature),
    #[wire(value = 0x0016)]
    Rsapss(RsaSignature),
    #[wire(value = 0x0018)]
    Ecdsa(EccSignature),
    #[wire(value = 0x001A)]
    Ecdaa(EccSignature),
    #[wire(value = 0x001B)]
    Sm2(EccSignature),
    #[wire(value = 0x001C)]
    EcSchnorr(EccSignature),
}

impl Signature {
    /// The hash of the signed message.
    pub const fn hash(&self) -> Option<HashAlg> {
        match self {
            Self::Null => None,
            Self::Hmac(value) => Some(value.hash),
            Self::Rsassa(signature) | Self::Rsapss(signature) => Some(signature.hash),
            Self::Ecdsa(signature) | Self::Ecdaa(signature) | Self::Sm2(signature) | Self::EcSchnorr(signature) => {
                Some(signature.hash)
            }
        }
    }
}

/// TPMT_SIGNATURE as a command takes it: there must be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenSignature(pub Signature);

impl Wire for GivenSignature {
    const MAX_SIZE: usize = Signature::MAX_SIZE;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        match Signature::read(r)? {
            Signature::Null => Err(Fault::SCHEME),
            signature => Ok(Self(signature)),
        }
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        self.0.write(w)
    }
}
