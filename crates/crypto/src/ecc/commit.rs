//! The commitment of a split signature (TPM2_Commit; Part 3, 19.2; Part 1, C.2).

use super::modulus::{from_bytes, to_bytes};
use super::scalar::{self, Scalar};
use crate::{Crypto, CryptoError, Curve, HashAlg, Point};
use alloc::vec;
use crypto_bigint::{NonZero, U704};

/// The three points of the answer; a point that was not asked for is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commitment {
    /// `K = [d] P2`.
    pub k: Option<Point>,
    /// `L = [r] P2`.
    pub l: Option<Point>,
    /// `E = [r] P1`, or `[r] G` if neither point was given.
    pub e: Option<Point>,
}

/// The point `P2 = (H(s2) mod p, y2)`; [`CryptoError::InvalidInput`] if it is not on the curve.
pub fn second_point(crypto: &Crypto, curve: Curve, hash: HashAlg, s2: &[u8], y2: &[u8]) -> Result<Point, CryptoError> {
    let digest = crypto.hash.digest(hash, &[s2]);
    let prime = NonZero::new(from_bytes::<{ U704::LIMBS }>(curve.parameters().p)).into_option();
    let x = from_bytes::<{ U704::LIMBS }>(&digest).rem(&prime.ok_or(CryptoError::Unsupported)?);
    let mut point = Point { x: vec![0; curve.size()], y: y2.to_vec() };
    to_bytes(&x, &mut point.x);
    if crypto.ecc.on_curve(curve, &point) { Ok(point) } else { Err(CryptoError::InvalidInput) }
}

/// Computes the points from the private key `d`, the commit value `r` and the caller's points.
///
/// [`CryptoError::InvalidInput`] means that a point is not on the curve or that `r` is not in `1..n`.
pub fn compute(
    crypto: &Crypto,
    curve: Curve,
    d: &[u8],
    r: &[u8],
    p1: Option<&Point>,
    p2: Option<&Point>,
) -> Result<Commitment, CryptoError> {
    if !scalar::in_range(curve, r) {
        return Err(CryptoError::InvalidInput);
    }
    let mut out = Commitment::default();
    if let Some(p2) = p2 {
        out.k = Some(crypto.ecc.mul(curve, d, p2)?);
        out.l = Some(crypto.ecc.mul(curve, r, p2)?);
    }
    out.e = match (p1, p2) {
        (Some(p1), _) => Some(crypto.ecc.mul(curve, r, p1)?),
        (None, None) => Some(crypto.ecc.mul_base(curve, r)?),
        (None, Some(_)) => None,
    };
    Ok(out)
}

/// The value `r` of a commitment: the first candidate below the order with a bit set in its upper half.
///
/// `next` yields candidates of as many bits as [`Curve::size`] has in bytes: KDFa over the commit nonce, the key's
/// name and the commit counter, with a running block counter (Part 1, C.2.2). [`CryptoError::NoResult`] after as many
/// candidates as libtpms tries.
pub fn commit_value(curve: Curve, next: &mut dyn FnMut() -> Scalar) -> Result<Scalar, CryptoError> {
    for _ in 0..1_000_000 {
        let candidate = next();
        // libtpms looks at one byte more than half.
        let upper = candidate.get(..=curve.size() / 2).unwrap_or(&candidate);
        if scalar::in_range(curve, &candidate) && !scalar::is_zero(upper) {
            return Ok(candidate);
        }
    }
    Err(CryptoError::NoResult)
}
