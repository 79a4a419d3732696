//! Public keys of TPMs.

use crate::failure::{Failure, failure};
use der::asn1::{Any, BitString, Uint};
use der::{Decode, DecodePem, Encode, Sequence};
use sealwright_crypto::{Curve, Point};
use x509_cert::spki::{AlgorithmIdentifierOwned, ObjectIdentifier, SubjectPublicKeyInfoOwned};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// Post-quantum keys by swtpm's names: identifier and bytes (FIPS 203 and 204; RFC 9935, 9881).
const POST_QUANTUM: [(&str, &str, usize); 6] = [
    ("ml-kem-512", "2.16.840.1.101.3.4.4.1", 800),
    ("ml-kem-768", "2.16.840.1.101.3.4.4.2", 1184),
    ("ml-kem-1024", "2.16.840.1.101.3.4.4.3", 1568),
    ("ml-dsa-44", "2.16.840.1.101.3.4.3.17", 1312),
    ("ml-dsa-65", "2.16.840.1.101.3.4.3.18", 1952),
    ("ml-dsa-87", "2.16.840.1.101.3.4.3.19", 2592),
];

/// A public key as command lines name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// RSA.
    Rsa {
        /// Modulus.
        modulus: Vec<u8>,
        /// Exponent.
        exponent: u32,
    },
    /// A point of P-256, P-384 or P-521.
    Ecc {
        /// The curve.
        curve: Curve,
        /// The point.
        point: Point,
    },
}

/// RSAPublicKey (RFC 8017, A.1.1).
#[derive(Sequence)]
struct RsaPublicKey {
    modulus: Uint,
    exponent: Uint,
}

/// Bytes of hexadecimal digits.
pub fn from_hex(digits: &str) -> Result<Vec<u8>, Failure> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.is_empty() {
        return Err(failure!("a number of hexadecimal digits must have an even count of them, and at least two"));
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(byte);
    pairs
        .iter()
        .map(|[high, low]| Ok(digit(*high)? << 4 | digit(*low)?))
        .map(|value| value.map(|value| u8::try_from(value).unwrap_or(u8::MAX)))
        .collect::<Result<_, u8>>()
        .map_err(|byte| failure!("Illegal hex character '{}'.", char::from(byte).escape_default()))
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The identifier of a curve.
pub(crate) fn curve_oid(curve: Curve) -> Option<ObjectIdentifier> {
    match curve {
        Curve::P256 => Some(ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7")),
        Curve::P384 => Some(ObjectIdentifier::new_unwrap("1.3.132.0.34")),
        Curve::P521 => Some(ObjectIdentifier::new_unwrap("1.3.132.0.35")),
        _ => None,
    }
}

/// The curve of swtpm's name for it; without a name, P-256.
pub fn curve_named(name: Option<&str>) -> Result<Curve, Failure> {
    match name {
        None | Some("secp256r1") => Ok(Curve::P256),
        Some("secp384r1") => Ok(Curve::P384),
        Some("secp521r1") => Ok(Curve::P521),
        Some(other) => Err(failure!("Unsupported ECC curve id: {other}")),
    }
}

impl PublicKey {
    /// A point of coordinates, which may be shorter than the field.
    pub fn of_coordinates(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, Failure> {
        let padded = |bytes: &[u8]| -> Result<Vec<u8>, Failure> {
            let zeros = curve.size().checked_sub(bytes.len());
            let zeros =
                zeros.ok_or_else(|| failure!("EC X or Y parameter exceeds expected size of {} bytes", curve.size()))?;
            Ok([&vec![0; zeros][..], bytes].concat())
        };
        let point = Point { x: padded(x)?, y: padded(y)? };
        if !sealwright_crypto_native::NATIVE.ecc.on_curve(curve, &point) {
            return Err(failure!("the EC X and Y parameters are no point of the curve"));
        }
        Ok(Self::Ecc { curve, point })
    }

    /// A key as `swtpm_localca --ek` takes it: a modulus, or `x=…,y=…[,id=…]`.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        if !text.contains('=') {
            return Ok(Self::Rsa { modulus: from_hex(text)?, exponent: 65537 });
        }
        let (mut x, mut y, mut id) = (None, None, None);
        for field in text.split(',') {
            match field.split_once('=') {
                Some(("x", value)) => x = Some(from_hex(value)?),
                Some(("y", value)) => y = Some(from_hex(value)?),
                Some(("id", value)) => id = Some(value),
                _ => return Err(failure!("the key has '{field}'; a modulus, or x=HEX,y=HEX[,id=CURVE] is wanted")),
            }
        }
        let (Some(x), Some(y)) = (x, y) else { return Err(failure!("the key must have both x= and y=")) };
        Self::of_coordinates(curve_named(id)?, &x, &y)
    }

    /// The key as `swtpm_localca --ek` takes it.
    pub fn argument(&self) -> String {
        match self {
            Self::Rsa { modulus, .. } => to_hex(modulus),
            Self::Ecc { curve, point } => {
                let name = crate::vtpm::KeyAlgorithm::Ecc(*curve).name();
                format!("x={},y={},id={name}", to_hex(&point.x), to_hex(&point.y))
            }
        }
    }

    /// True for a key of an elliptic curve.
    pub const fn is_ecc(&self) -> bool {
        matches!(self, Self::Ecc { .. })
    }

    /// The key as certificates have it (RFC 5280, 4.1.2.7).
    pub fn info(&self) -> Result<SubjectPublicKeyInfoOwned, Failure> {
        match self {
            Self::Rsa { modulus, exponent } => {
                let key = RsaPublicKey { modulus: Uint::new(modulus)?, exponent: Uint::new(&exponent.to_be_bytes())? };
                let algorithm = AlgorithmIdentifierOwned { oid: RSA, parameters: Some(Any::null()) };
                Ok(SubjectPublicKeyInfoOwned { algorithm, subject_public_key: BitString::from_bytes(&key.to_der()?)? })
            }
            Self::Ecc { curve, point } => {
                let oid = curve_oid(*curve).ok_or_else(|| failure!("there are no certificates for this curve"))?;
                let algorithm = AlgorithmIdentifierOwned { oid: EC, parameters: Some(Any::from_der(&oid.to_der()?)?) };
                let bytes = [&[4][..], &point.x, &point.y].concat();
                Ok(SubjectPublicKeyInfoOwned { algorithm, subject_public_key: BitString::from_bytes(&bytes)? })
            }
        }
    }
}

/// A key of a PEM file (`PUBLIC KEY`).
pub fn from_pem(text: &[u8]) -> Result<SubjectPublicKeyInfoOwned, Failure> {
    SubjectPublicKeyInfoOwned::from_pem(text).map_err(|error| failure!("it is no public key in PEM: {error}"))
}

/// True for RSA; false for everything else.
pub fn is_rsa(info: &SubjectPublicKeyInfoOwned) -> bool {
    info.algorithm.oid == RSA
}

/// True for a key of an elliptic curve.
pub fn is_ecc(info: &SubjectPublicKeyInfoOwned) -> bool {
    info.algorithm.oid == EC
}

/// A post-quantum key by the name of its algorithm.
pub fn post_quantum(algorithm: &str, key: &[u8]) -> Result<SubjectPublicKeyInfoOwned, Failure> {
    let found = POST_QUANTUM.iter().find(|(name, _, _)| *name == algorithm);
    let (_, oid, size) = found.ok_or_else(|| failure!("Unsupported key type '{algorithm}'."))?;
    if key.len() != *size {
        return Err(failure!("a public key of {algorithm} has {size} bytes, and this one {}", key.len()));
    }
    let oid = ObjectIdentifier::new(oid).map_err(|error| failure!("{algorithm}: {error}"))?;
    let algorithm = AlgorithmIdentifierOwned { oid, parameters: None };
    Ok(SubjectPublicKeyInfoOwned { algorithm, subject_public_key: BitString::from_bytes(key)? })
}
