//! SM2 signatures and key agreement (GB/T 32918.2 and .3; TPM_ALG_SM2). They are defined on every curve, as in the
//! reference implementation; the standard's own is [`Curve::Sm2`].

use super::mqv::agreement;
use super::{Signature, TRIES, random_scalar, scalar};
use crate::{Crypto, CryptoError, Curve, Point, Random};

/// Signs `digest` with the private key `d`. The digest is the standard's `e`: the caller has hashed the signer's
/// identity and key before the message (GB/T 32918.2, 5.5).
pub fn sign(
    crypto: &Crypto,
    curve: Curve,
    d: &[u8],
    digest: &[u8],
    random: &mut dyn Random,
) -> Result<Signature, CryptoError> {
    let divisor = scalar::inverse(curve, &scalar::add(curve, d, &[1]))?;
    for _ in 0..TRIES {
        let k = random_scalar(curve, random);
        let point = crypto.ecc.mul_base(curve, &k)?;
        let r = scalar::add(curve, digest, &point.x);
        let sum = scalar::add(curve, &r, &k);
        let s = scalar::mul(curve, &divisor, &scalar::sub(curve, &k, &scalar::mul(curve, &r, d)));
        if !scalar::is_zero(&r) && !scalar::is_zero(&sum) && !scalar::is_zero(&s) {
            return Ok(Signature { r: r.to_vec(), s: s.to_vec() });
        }
    }
    Err(CryptoError::NoResult)
}

/// Verifies a signature of `digest` (the standard's `e`); [`CryptoError::Mismatch`] if it is not one.
pub fn verify(
    crypto: &Crypto,
    curve: Curve,
    public: &Point,
    digest: &[u8],
    signature: &Signature,
) -> Result<(), CryptoError> {
    signature.check_range(curve)?;
    let t = scalar::add(curve, &signature.r, &signature.s);
    if scalar::is_zero(&t) {
        return Err(CryptoError::Mismatch);
    }
    let point = super::verification_point(crypto.ecc, curve, &signature.s, &t, public)?;
    let r = scalar::add(curve, digest, &point.x);
    (r == scalar::reduced(curve, &signature.r)).then_some(()).ok_or(CryptoError::Mismatch)
}

/// Key agreement of TPM2_ZGen_2Phase: `t = ds + avf(Qe) de`, `Z = t (Qs' + avf(Qe') Qe')`, where the primed keys are
/// the other party's.
///
/// The associated value keeps `ceil(bits / 2) - 1` bits of the coordinate, as GB/T 32918.3, 6.1 says: 127 of SM2-P256.
/// libtpms keeps another number, which depends on the word size of its host (66 on 64-bit ones, since it shifts the
/// mask the wrong way), and fails on the larger curves: there is nothing to agree with.
pub fn exchange(
    crypto: &Crypto,
    curve: Curve,
    static_private: &[u8],
    ephemeral_private: &[u8],
    static_public: &Point,
    ephemeral_public: &Point,
) -> Result<Point, CryptoError> {
    let width = curve.bits().div_ceil(2).saturating_sub(1);
    let ephemeral = (ephemeral_private, ephemeral_public);
    agreement(crypto, curve, width, ephemeral, (static_private, static_public), ephemeral)
}
