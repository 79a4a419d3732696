//! ECDSA (FIPS 186-4, 6; TPM_ALG_ECDSA).

use super::{Signature, TRIES, random_scalar, scalar};
use crate::{Crypto, CryptoError, Curve, Ecc, Point, Random};
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// The leftmost bits of a digest, as many as the order has (FIPS 186-4, 6.4).
fn truncate(curve: Curve, digest: &[u8]) -> Vec<u8> {
    let mut number = digest.get(..curve.size()).unwrap_or(digest).to_vec();
    let spare = curve.size().saturating_mul(8).saturating_sub(curve.bits());
    if spare > 0 && number.len() == curve.size() {
        // `spare` is 1 to 7 here: shift the bytes right by it.
        let mut carry = 0_u16;
        for byte in &mut number {
            let window = carry << 8 | u16::from(*byte);
            carry = u16::from(*byte);
            *byte = (window >> spare).to_be_bytes()[1];
        }
    }
    number
}

/// Signs `digest` with the private key `d`.
pub fn sign(
    crypto: &Crypto,
    curve: Curve,
    d: &[u8],
    digest: &[u8],
    random: &mut dyn Random,
) -> Result<Signature, CryptoError> {
    let e = truncate(curve, digest);
    for _ in 0..TRIES {
        let k = random_scalar(curve, random);
        let point = crypto.ecc.mul_base(curve, &k)?;
        let r = scalar::reduced(curve, &point.x);
        let s = scalar::mul(curve, &scalar::inverse(curve, &k)?, &scalar::add(curve, &e, &scalar::mul(curve, &r, d)));
        if !scalar::is_zero(&r) && !scalar::is_zero(&s) {
            return Ok(Signature { r: r.to_vec(), s: s.to_vec() });
        }
    }
    Err(CryptoError::NoResult)
}

/// Verifies a signature of `digest`; [`CryptoError::Mismatch`] if it is not one.
pub fn verify(
    crypto: &Crypto,
    curve: Curve,
    public: &Point,
    digest: &[u8],
    signature: &Signature,
) -> Result<(), CryptoError> {
    signature.check_range(curve)?;
    crypto.ecc.verify_ecdsa(curve, public, digest, signature)
}

/// The verification for providers that only calculate with points.
pub(crate) fn verify_by_sum<E: Ecc + ?Sized>(
    ecc: &E,
    curve: Curve,
    public: &Point,
    digest: &[u8],
    signature: &Signature,
) -> Result<(), CryptoError> {
    let w = scalar::inverse(curve, &signature.s)?;
    let u1 = scalar::mul(curve, &truncate(curve, digest), &w);
    let u2 = scalar::mul(curve, &signature.r, &w);
    let point = super::verification_point(ecc, curve, &u1, &u2, public)?;
    let same = Zeroizing::new(scalar::sub(curve, &point.x, &signature.r));
    scalar::is_zero(&same).then_some(()).ok_or(CryptoError::Mismatch)
}
