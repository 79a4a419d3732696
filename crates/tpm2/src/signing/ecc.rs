//! Signatures with elliptic-curve keys: ECDSA, ECDAA, SM2 and EC-Schnorr (Part 1, annex C).

use crate::object::Object;
use crate::structures::{EccPoint, EccSignature, HashAlg, Parameters, SensitiveValue, SigScheme, Signature, Unique};
use crate::tpm::fault_of;
use sealwright_core::{Buffer, Fault};
use sealwright_crypto::ecc::{self, ecdaa, ecdsa, schnorr, sm2};
use sealwright_crypto::{Crypto, Curve, Point, Random};

/// A point of the wire as one of the provider.
pub(crate) fn point_of(point: &EccPoint) -> Point {
    Point { x: point.x.to_vec(), y: point.y.to_vec() }
}

/// A point of the provider as one of the wire.
pub(crate) fn wire_point(point: &Point) -> Result<EccPoint, Fault> {
    Ok(EccPoint { x: Buffer::from_slice(&point.x)?, y: Buffer::from_slice(&point.y)? })
}

/// Curve and private scalar of a loaded key.
pub(super) fn key_parts(key: &Object) -> Result<(Curve, &SensitiveValue), Fault> {
    match (&key.public.parameters, &key.sensitive) {
        (Parameters::Ecc(ecc), Some(sensitive)) => Ok((ecc.curve, &sensitive.value)),
        _ => Err(Fault::SCHEME),
    }
}

fn wire_signature(hash: HashAlg, signature: &ecc::Signature) -> Result<EccSignature, Fault> {
    Ok(EccSignature { hash, r: Buffer::from_slice(&signature.r)?, s: Buffer::from_slice(&signature.s)? })
}

/// Signs with a scheme that has one phase; others are TPM_RC_SCHEME.
pub(super) fn sign(
    crypto: &Crypto,
    key: &Object,
    scheme: SigScheme,
    digest: &[u8],
    random: &mut dyn Random,
) -> Result<Signature, Fault> {
    let (curve, d) = key_parts(key)?;
    let signed = match scheme {
        SigScheme::Ecdsa(_) => ecdsa::sign(crypto, curve, d, digest, random),
        SigScheme::Sm2(_) => sm2::sign(crypto, curve, d, digest, random),
        SigScheme::EcSchnorr(hash) => schnorr::sign(crypto, curve, hash, d, digest, random),
        _ => return Err(Fault::SCHEME),
    };
    let numbers = wire_signature(scheme.hash().ok_or(Fault::SCHEME)?, &signed.map_err(fault_of)?)?;
    Ok(match scheme {
        SigScheme::Ecdsa(_) => Signature::Ecdsa(numbers),
        SigScheme::Sm2(_) => Signature::Sm2(numbers),
        _ => Signature::EcSchnorr(numbers),
    })
}

/// Signs with ECDAA and the committed number `r`.
pub(super) fn sign_ecdaa(
    crypto: &Crypto,
    key: &Object,
    hash: HashAlg,
    digest: &[u8],
    r: &[u8],
    random: &mut dyn Random,
) -> Result<Signature, Fault> {
    let (curve, d) = key_parts(key)?;
    let signed = ecdaa::sign(crypto, curve, hash, d, r, digest, random).map_err(fault_of)?;
    wire_signature(hash, &signed).map(Signature::Ecdaa)
}

/// Checks a signature (Part 4, CryptEccValidateSignature); those of ECDAA cannot be checked by a TPM.
pub(super) fn verify(crypto: &Crypto, key: &Object, digest: &[u8], signature: &Signature) -> Result<(), Fault> {
    let (Parameters::Ecc(parameters), Unique::Ecc(q)) = (&key.public.parameters, &key.public.unique) else {
        return Err(Fault::SCHEME);
    };
    let (Signature::Ecdsa(numbers) | Signature::EcSchnorr(numbers) | Signature::Sm2(numbers)) = signature else {
        return Err(Fault::SCHEME);
    };
    let (curve, q) = (parameters.curve, point_of(q));
    let given = ecc::Signature { r: numbers.r.to_vec(), s: numbers.s.to_vec() };
    let good = match signature {
        Signature::Ecdsa(_) => ecdsa::verify(crypto, curve, &q, digest, &given),
        Signature::Sm2(_) => sm2::verify(crypto, curve, &q, digest, &given),
        _ => schnorr::verify(crypto, curve, numbers.hash, &q, digest, &given),
    };
    // An unsuitable point, such as infinity, is a wrong signature and no more.
    good.map_err(|_| Fault::SIGNATURE)
}
