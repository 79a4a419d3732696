//! EC Schnorr signatures (Part 1, C.4.3; TPM_ALG_ECSCHNORR), with the reference implementation's hash input: the x
//! coordinate in as many bytes as the order has, then the digest.

use super::{Signature, TRIES, random_scalar, scalar};
use crate::{Crypto, CryptoError, Curve, HashAlg, Point, Random};
use alloc::vec;
use alloc::vec::Vec;

/// `H(x || digest)`, cut to the bytes of the order and padded to them.
fn challenge(crypto: &Crypto, curve: Curve, hash: HashAlg, x: &[u8], digest: &[u8]) -> Vec<u8> {
    let full = crypto.hash.digest(hash, &[x, digest]);
    let kept = full.get(..curve.size()).unwrap_or(&full);
    let mut out = vec![0; curve.size().saturating_sub(kept.len())];
    out.extend_from_slice(kept);
    out
}

/// `s = k + r d mod n`, the common end of Schnorr and ECDAA signatures; `None` if `r` or `s` is zero.
pub(super) fn response(curve: Curve, k: &[u8], r: &[u8], d: &[u8]) -> Option<scalar::Scalar> {
    let r = scalar::reduced(curve, r);
    let s = scalar::add(curve, k, &scalar::mul(curve, &r, d));
    (!scalar::is_zero(&r) && !scalar::is_zero(&s)).then_some(s)
}

/// Signs `digest` with the private key `d`.
pub fn sign(
    crypto: &Crypto,
    curve: Curve,
    hash: HashAlg,
    d: &[u8],
    digest: &[u8],
    random: &mut dyn Random,
) -> Result<Signature, CryptoError> {
    for _ in 0..TRIES {
        let k = random_scalar(curve, random);
        let point = crypto.ecc.mul_base(curve, &k)?;
        let r = challenge(crypto, curve, hash, &point.x, digest);
        // A challenge that is not below the order would not verify: the reference returns it, here it is drawn again.
        if !scalar::in_range(curve, &r) {
            continue;
        }
        if let Some(s) = response(curve, &k, &r, d) {
            return Ok(Signature { r, s: s.to_vec() });
        }
    }
    Err(CryptoError::NoResult)
}

/// Verifies a signature of `digest`; [`CryptoError::Mismatch`] if it is not one.
pub fn verify(
    crypto: &Crypto,
    curve: Curve,
    hash: HashAlg,
    public: &Point,
    digest: &[u8],
    signature: &Signature,
) -> Result<(), CryptoError> {
    signature.check_range(curve)?;
    let minus_r = scalar::sub(curve, &[], &signature.r);
    let point = super::verification_point(crypto.ecc, curve, &signature.s, &minus_r, public)?;
    let r = challenge(crypto, curve, hash, &point.x, digest);
    // Both sides as numbers below the order: a challenge above it never equals a signature in range.
    let same = scalar::in_range(curve, &r) && scalar::reduced(curve, &r) == scalar::reduced(curve, &signature.r);
    same.then_some(()).ok_or(CryptoError::Mismatch)
}
