//! Signatures with elliptic-curve keys: ECDSA, ECDAA, SM2 and EC-Schnorr (Part 1, annex C; Part 4, TpmEcc_Signature).

use crate::object::Object;
use crate::structures::{EccPoint, EccSignature, HashAlg, Parameters, SensitiveValue, Signature, Unique};
use crate::tpm::fault_of;
use alloc::vec::Vec;
use sealwright_core::{Buffer, Fault};
use sealwright_crypto::ecc::{random_scalar, scalar};
use sealwright_crypto::{Crypto, CryptoError, Curve, Point, Random};

/// The two numbers of a signature.
pub(super) type Numbers = (Vec<u8>, Vec<u8>);

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

/// A random scalar with its point.
fn ephemeral(
    crypto: &Crypto,
    curve: Curve,
    random: &mut dyn Random,
) -> Result<(sealwright_crypto::ecc::Scalar, Point), Fault> {
    let k = random_scalar(curve, random);
    let point = crypto.ecc.mul_base(curve, &k).map_err(fault_of)?;
    Ok((k, point))
}

/// The leftmost bits of a digest, as many as the order has (FIPS 186-4, 6.4).
fn truncated(curve: Curve, digest: &[u8]) -> Vec<u8> {
    let bits = curve.bits();
    let mut out: Vec<u8> = digest.iter().take(curve.size()).copied().collect();
    let surplus = out.len().saturating_mul(8).saturating_sub(bits);
    if surplus > 0 && surplus < 8 {
        let mut carry = 0u8;
        for byte in &mut out {
            let low = *byte << 8usize.saturating_sub(surplus);
            *byte = (*byte >> surplus) | carry;
            carry = low;
        }
    }
    out
}

/// ECDSA (FIPS 186-4, 6.4).
pub(super) fn sign_ecdsa(
    crypto: &Crypto,
    key: &Object,
    digest: &[u8],
    random: &mut dyn Random,
) -> Result<Numbers, Fault> {
    let (curve, d) = key_parts(key)?;
    let e = truncated(curve, digest);
    loop {
        let (k, point) = ephemeral(crypto, curve, random)?;
        let r = scalar::reduced(curve, &point.x);
        let inverse = scalar::inverse(curve, &k).map_err(fault_of)?;
        let s = scalar::mul(curve, &inverse, &scalar::add(curve, &e, &scalar::mul(curve, &r, d)));
        if !scalar::is_zero(&r) && !scalar::is_zero(&s) {
            return Ok((r.to_vec(), s.to_vec()));
        }
    }
}

/// SM2 (GB/T 32918.2, 6); the digest is already that of the message with the signer's ZA.
pub(super) fn sign_sm2(
    crypto: &Crypto,
    key: &Object,
    digest: &[u8],
    random: &mut dyn Random,
) -> Result<Numbers, Fault> {
    let (curve, d) = key_parts(key)?;
    let inverse = scalar::inverse(curve, &scalar::add(curve, d, &[1])).map_err(fault_of)?;
    loop {
        let (k, point) = ephemeral(crypto, curve, random)?;
        let r = scalar::add(curve, digest, &point.x);
        if scalar::is_zero(&r) || scalar::is_zero(&scalar::add(curve, &r, &k)) {
            continue;
        }
        let s = scalar::mul(curve, &inverse, &scalar::sub(curve, &k, &scalar::mul(curve, &r, d)));
        if !scalar::is_zero(&s) {
            return Ok((r.to_vec(), s.to_vec()));
        }
    }
}

/// `k + r d mod n`, or `None` where it or `r` is zero and another nonce is needed.
fn schnorr_s(curve: Curve, k: &[u8], r: &[u8], d: &[u8]) -> Option<Vec<u8>> {
    let s = scalar::add(curve, k, &scalar::mul(curve, r, d));
    let usable = !scalar::is_zero(&scalar::reduced(curve, r)) && !scalar::is_zero(&s);
    usable.then(|| s.to_vec())
}

/// The hash of a point's x coordinate and the digest, cut to the size of the order.
fn schnorr_r(crypto: &Crypto, curve: Curve, hash: HashAlg, x: &[u8], digest: &[u8]) -> Vec<u8> {
    crypto.hash.digest(hash, &[x, digest]).iter().take(curve.size()).copied().collect()
}

/// Big-endian `number` with exactly `size` bytes; it must fit.
fn padded(number: &[u8], size: usize) -> Vec<u8> {
    let mut out = alloc::vec![0; size.saturating_sub(number.len())];
    out.extend_from_slice(number);
    out
}

/// EC-Schnorr (Part 1, C.4.3).
pub(super) fn sign_schnorr(
    crypto: &Crypto,
    key: &Object,
    hash: HashAlg,
    digest: &[u8],
    random: &mut dyn Random,
) -> Result<Numbers, Fault> {
    let (curve, d) = key_parts(key)?;
    loop {
        let (k, point) = ephemeral(crypto, curve, random)?;
        let r = schnorr_r(crypto, curve, hash, &point.x, digest);
        if let Some(s) = schnorr_s(curve, &k, &r, d) {
            return Ok((padded(&r, curve.size()), s));
        }
    }
}

/// ECDAA (Part 1, C.4.2): `r` is the committed random number; the first number of the signature is a nonce.
pub(super) fn sign_ecdaa(
    crypto: &Crypto,
    key: &Object,
    hash: HashAlg,
    digest: &[u8],
    r: &[u8],
    random: &mut dyn Random,
) -> Result<Numbers, Fault> {
    let (curve, d) = key_parts(key)?;
    loop {
        let nonce = random_scalar(curve, random);
        let nonce: Vec<u8> = nonce.iter().copied().skip_while(|byte| *byte == 0).collect();
        let t = crypto.hash.digest(hash, &[&nonce, digest]);
        if let Some(s) = schnorr_s(curve, r, &t, d) {
            return Ok((nonce, s));
        }
    }
}

/// Checks a signature (Part 4, CryptEccValidateSignature); those of ECDAA cannot be checked by a TPM.
pub(super) fn verify(crypto: &Crypto, key: &Object, digest: &[u8], signature: &Signature) -> Result<(), Fault> {
    let (Parameters::Ecc(ecc), Unique::Ecc(q)) = (&key.public.parameters, &key.public.unique) else {
        return Err(Fault::SCHEME);
    };
    let (curve, q) = (ecc.curve, point_of(q));
    let (Signature::Ecdsa(numbers) | Signature::EcSchnorr(numbers) | Signature::Sm2(numbers)) = signature else {
        return Err(Fault::SCHEME);
    };
    let EccSignature { hash, r, s } = numbers;
    if !scalar::in_range(curve, r) || !scalar::in_range(curve, s) {
        return Err(Fault::SIGNATURE);
    }
    let good = match signature {
        Signature::Ecdsa(_) => verify_ecdsa(crypto, curve, &q, digest, r, s),
        Signature::Sm2(_) => verify_sm2(crypto, curve, &q, digest, r, s),
        _ => verify_schnorr(crypto, curve, *hash, &q, digest, r, s),
    };
    // An unsuitable point, such as infinity, is a wrong signature and no more.
    if good.unwrap_or(false) { Ok(()) } else { Err(Fault::SIGNATURE) }
}

fn verify_ecdsa(
    crypto: &Crypto,
    curve: Curve,
    q: &Point,
    digest: &[u8],
    r: &[u8],
    s: &[u8],
) -> Result<bool, CryptoError> {
    let w = scalar::inverse(curve, s)?;
    let u = scalar::mul(curve, &truncated(curve, digest), &w);
    let v = scalar::mul(curve, r, &w);
    let point = crypto.ecc.mul_add(curve, &u, &v, q)?;
    Ok(scalar::reduced(curve, &point.x) == scalar::reduced(curve, r))
}

fn verify_sm2(
    crypto: &Crypto,
    curve: Curve,
    q: &Point,
    digest: &[u8],
    r: &[u8],
    s: &[u8],
) -> Result<bool, CryptoError> {
    let t = scalar::add(curve, r, s);
    if scalar::is_zero(&t) {
        return Ok(false);
    }
    let point = crypto.ecc.mul_add(curve, s, &t, q)?;
    Ok(scalar::add(curve, digest, &point.x) == scalar::reduced(curve, r))
}

fn verify_schnorr(
    crypto: &Crypto,
    curve: Curve,
    hash: HashAlg,
    q: &Point,
    digest: &[u8],
    r: &[u8],
    s: &[u8],
) -> Result<bool, CryptoError> {
    let minus_r = scalar::sub(curve, &[], r);
    let point = crypto.ecc.mul_add(curve, s, &minus_r, q)?;
    let expected = schnorr_r(crypto, curve, hash, &point.x, digest);
    Ok(padded(&expected, curve.size()) == *scalar::reduced(curve, r))
}
