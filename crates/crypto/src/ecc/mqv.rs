//! Menezes-Qu-Vanstone key agreement (SP 800-56A, 6.1.1.4; TPM_ALG_ECMQV).

use super::scalar;
use crate::{Crypto, CryptoError, Curve, Point};
use alloc::vec::Vec;

/// `2^width + (x mod 2^width)`: the associated value of a point, of MQV and, with another width, of SM2.
pub(super) fn associated_value(x: &[u8], width: usize) -> Vec<u8> {
    let size = (width / 8).saturating_add(1);
    let mut value: Vec<u8> = core::iter::repeat_n(0, size.saturating_sub(x.len()))
        .chain(x.iter().copied().skip(x.len().saturating_sub(size)))
        .collect();
    if let Some(top) = value.first_mut() {
        let bit = 1_u8 << (width % 8);
        *top = *top & bit.wrapping_sub(1) | bit;
    }
    value
}

/// One party's pair of keys in an agreement: the own private key and the other party's public key.
pub(super) type Pair<'a> = (&'a [u8], &'a Point);

/// The exchange that MQV and SM2 have in common: `t = a + avf(Qe) b`, `Z = t (A' + avf(Qe') B')`, where `(a, A')` is
/// `plain`, `(b, B')` is `weighted`, and the associated values of `width` bits are those of the ephemeral keys.
pub(super) fn agreement(
    crypto: &Crypto,
    curve: Curve,
    width: usize,
    ephemeral: Pair<'_>,
    plain: Pair<'_>,
    weighted: Pair<'_>,
) -> Result<Point, CryptoError> {
    let own = crypto.ecc.mul_base(curve, ephemeral.0)?;
    let own_value = associated_value(&own.x, width);
    let t = scalar::add(curve, plain.0, &scalar::mul(curve, &own_value, weighted.0));
    let their_value = associated_value(&ephemeral.1.x, width);
    let sum = crypto.ecc.add(curve, plain.1, &crypto.ecc.mul(curve, &their_value, weighted.1)?)?;
    crypto.ecc.mul(curve, &t, &sum)
}

/// Full MQV, C(2e, 2s): `t = de + avf(Qe) ds`, `Z = t (Qe' + avf(Qe') Qs')`, where the primed keys are the other
/// party's.
///
/// This follows SP 800-56A: the reference implementation reduces modulo a variable that it never sets.
pub fn exchange(
    crypto: &Crypto,
    curve: Curve,
    static_private: &[u8],
    ephemeral_private: &[u8],
    static_public: &Point,
    ephemeral_public: &Point,
) -> Result<Point, CryptoError> {
    let ephemeral = (ephemeral_private, ephemeral_public);
    agreement(crypto, curve, curve.bits().div_ceil(2), ephemeral, ephemeral, (static_private, static_public))
}
