//! Public areas (Part 2, 12.2).

use super::{
    Digest, EccScheme, KdfScheme, KeyedHashScheme, MAX_DIGEST, MAX_ECC, MAX_RSA, ObjectAttributes, ObjectType,
    RsaScheme, SymCipher,
};
use sealwright_core::{Buffer, Fault, Reader, Wire, Writer, wire::max};
use sealwright_crypto::{Curve, HashAlg};
use sealwright_derive::Wire;

/// TPM2B_ECC_PARAMETER.
pub type EccParameter = Buffer<MAX_ECC>;
/// TPM2B_PUBLIC_KEY_RSA.
pub type RsaModulus = Buffer<MAX_RSA>;
/// TPM2B_NAME: a handle, or an algorithm and its digest. Its limit is the size of TPMU_NAME in C, which is aligned to a
/// handle: two bytes more than the longest Name.
pub type Name = Buffer<{ MAX_DIGEST + 4 }>;

/// TPMS_ECC_POINT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Wire)]
pub struct EccPoint {
    /// x coordinate.
    pub x: EccParameter,
    /// y coordinate.
    pub y: EccParameter,
}

/// TPMS_RSA_PARMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RsaParameters {
    /// Symmetric algorithm of a parent, else NULL.
    pub symmetric: Option<SymCipher>,
    /// Scheme.
    pub scheme: RsaScheme,
    /// Size of the modulus in bits: 1024, 2048, 3072 or 4096.
    pub bits: u16,
    /// Public exponent; 0 means 65537.
    pub exponent: u32,
}

impl Wire for RsaParameters {
    const MAX_SIZE: usize = SymCipher::MAX_SIZE + RsaScheme::MAX_SIZE + 6;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let (symmetric, scheme, bits) = (Wire::read(r)?, Wire::read(r)?, u16::read(r)?);
        if !matches!(bits, 1024 | 2048 | 3072 | 4096) || !r.accepts_bits(super::Alg::RSA.0, bits) {
            return Err(Fault::VALUE);
        }
        Ok(Self { symmetric, scheme, bits, exponent: u32::read(r)? })
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        self.symmetric.write(w)?;
        self.scheme.write(w)?;
        self.bits.write(w)?;
        self.exponent.write(w)
    }
}

/// TPMS_ECC_PARMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
pub struct EccParameters {
    /// Symmetric algorithm of a parent, else NULL.
    pub symmetric: Option<SymCipher>,
    /// Scheme.
    pub scheme: EccScheme,
    /// The curve.
    pub curve: Curve,
    /// KDF of the scheme.
    pub kdf: KdfScheme,
}

/// TPMT_PUBLIC_PARMS: type and parameters; also the selector of everything else about the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameters {
    /// TPMS_RSA_PARMS.
    Rsa(RsaParameters),
    /// TPMS_KEYEDHASH_PARMS.
    KeyedHash(KeyedHashScheme),
    /// TPMS_ECC_PARMS.
    Ecc(EccParameters),
    /// TPMS_SYMCIPHER_PARMS.
    SymCipher(SymCipher),
}

impl Parameters {
    /// The type of the object.
    pub const fn object_type(&self) -> ObjectType {
        match self {
            Self::Rsa(_) => ObjectType::Rsa,
            Self::KeyedHash(_) => ObjectType::KeyedHash,
            Self::Ecc(_) => ObjectType::Ecc,
            Self::SymCipher(_) => ObjectType::SymCipher,
        }
    }

    fn read_body(object_type: ObjectType, r: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(match object_type {
            ObjectType::Rsa => Self::Rsa(Wire::read(r)?),
            ObjectType::KeyedHash => Self::KeyedHash(Wire::read(r)?),
            ObjectType::Ecc => Self::Ecc(Wire::read(r)?),
            ObjectType::SymCipher => Self::SymCipher(Wire::read(r)?),
        })
    }

    fn write_body(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        match self {
            Self::Rsa(p) => p.write(w),
            Self::KeyedHash(p) => p.write(w),
            Self::Ecc(p) => p.write(w),
            Self::SymCipher(p) => p.write(w),
        }
    }
}

impl Wire for Parameters {
    const MAX_SIZE: usize = 2 + max(RsaParameters::MAX_SIZE, EccParameters::MAX_SIZE);
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let object_type = ObjectType::read(r)?;
        Self::read_body(object_type, r)
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        self.object_type().write(w)?;
        self.write_body(w)
    }
}

/// TPMU_PUBLIC_ID; in a template it is the caller's `unique`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "it is Copy, and most are moduli or become points")]
pub enum Unique {
    /// The modulus.
    Rsa(RsaModulus),
    /// Digest of the key (KEYEDHASH and SYMCIPHER).
    Digest(Digest),
    /// The point.
    Ecc(EccPoint),
}

impl Unique {
    fn read_body(object_type: ObjectType, r: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(match object_type {
            ObjectType::Rsa => Self::Rsa(Wire::read(r)?),
            ObjectType::KeyedHash | ObjectType::SymCipher => Self::Digest(Wire::read(r)?),
            ObjectType::Ecc => Self::Ecc(Wire::read(r)?),
        })
    }

    fn write_body(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        match self {
            Self::Rsa(n) => n.write(w),
            Self::Digest(d) => d.write(w),
            Self::Ecc(p) => p.write(w),
        }
    }
}

/// TPMT_PUBLIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Public {
    /// The name algorithm; `None` is TPM_ALG_NULL (allowed for external objects only).
    pub name_alg: Option<HashAlg>,
    /// Attributes.
    pub attributes: ObjectAttributes,
    /// Policy digest, or empty.
    pub auth_policy: Digest,
    /// Type and parameters.
    pub parameters: Parameters,
    /// The identifier; always of the variant that fits the type.
    pub unique: Unique,
}

impl Public {
    /// The type of the object.
    pub const fn object_type(&self) -> ObjectType {
        self.parameters.object_type()
    }
    /// True if all bits of `attributes` are set.
    pub const fn has(&self, attributes: ObjectAttributes) -> bool {
        self.attributes.has(attributes)
    }
    fn read_head(
        r: &mut Reader<'_>,
    ) -> Result<(ObjectType, Option<HashAlg>, ObjectAttributes, Digest, Parameters), Fault> {
        let object_type = ObjectType::read(r)?;
        let (name_alg, attributes, auth_policy) = (Wire::read(r)?, Wire::read(r)?, Wire::read(r)?);
        Ok((object_type, name_alg, attributes, auth_policy, Parameters::read_body(object_type, r)?))
    }
    fn write_head(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        self.object_type().write(w)?;
        self.name_alg.write(w)?;
        self.attributes.write(w)?;
        self.auth_policy.write(w)?;
        self.parameters.write_body(w)
    }
}

/// TPMT_PUBLIC+ : a NULL name algorithm parses; whoever does not allow it answers TPM_RC_HASH ([`super::PublicWithName`]).
impl Wire for Public {
    const MAX_SIZE: usize = 8 + Digest::MAX_SIZE + Parameters::MAX_SIZE + max(RsaModulus::MAX_SIZE, EccPoint::MAX_SIZE);
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let (object_type, name_alg, attributes, auth_policy, parameters) = Self::read_head(r)?;
        Ok(Self { name_alg, attributes, auth_policy, parameters, unique: Unique::read_body(object_type, r)? })
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        self.write_head(w)?;
        self.unique.write_body(w)
    }
}

/// TPMT_PUBLIC whose name algorithm may not be NULL: TPM_RC_HASH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicWithName(pub Public);

impl Wire for PublicWithName {
    const MAX_SIZE: usize = Public::MAX_SIZE;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let mut ahead = *r;
        ObjectType::read(&mut ahead)?;
        HashAlg::read(&mut ahead)?;
        Public::read(r).map(Self)
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        self.0.write(w)
    }
}

/// TPMS_DERIVE, which stands in the place of `unique` in a template for derivation (12.2.3.? TPMT_TEMPLATE).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Wire)]
pub struct Derive {
    /// Label.
    pub label: Buffer<32>,
    /// Context.
    pub context: Buffer<32>,
}

/// TPM2B_TEMPLATE: the bytes of a TPMT_PUBLIC, or of one that ends in TPMS_DERIVE.
pub type Template = Buffer<{ Public::MAX_SIZE }>;

impl Public {
    /// Reads a template for a derivation parent: the `unique` field holds TPMS_DERIVE.
    pub fn read_derivation(r: &mut Reader<'_>) -> Result<(Self, Derive), Fault> {
        let (object_type, name_alg, attributes, auth_policy, parameters) = Self::read_head(r)?;
        let derive = Derive::read(r)?;
        let unique = match object_type {
            ObjectType::Rsa => Unique::Rsa(Buffer::EMPTY),
            ObjectType::KeyedHash | ObjectType::SymCipher => Unique::Digest(Buffer::EMPTY),
            ObjectType::Ecc => Unique::Ecc(EccPoint::default()),
        };
        Ok((Self { name_alg, attributes, auth_policy, parameters, unique }, derive))
    }
}
