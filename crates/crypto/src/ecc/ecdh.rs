//! Diffie-Hellman (SP 800-56A; TPM_ALG_ECDH). All cofactors are 1.

use crate::{Crypto, CryptoError, Curve, Point};

/// `Z = d Q`, of TPM2_ECDH_ZGen and of secret sharing (Part 1, C.6.1); [`CryptoError::InvalidInput`] if `public` is
/// not on the curve.
pub fn z(crypto: &Crypto, curve: Curve, d: &[u8], public: &Point) -> Result<Point, CryptoError> {
    crypto.ecc.mul(curve, d, public)
}

/// Full unified model, C(2e, 2s) (SP 800-56A, 6.1.1.2): the points `Zs` of the static keys and `Ze` of the ephemeral
/// ones, in the order of TPM2_ZGen_2Phase.
pub fn two_phase(
    crypto: &Crypto,
    curve: Curve,
    static_private: &[u8],
    ephemeral_private: &[u8],
    static_public: &Point,
    ephemeral_public: &Point,
) -> Result<(Point, Point), CryptoError> {
    let zs = z(crypto, curve, static_private, static_public)?;
    let ze = z(crypto, curve, ephemeral_private, ephemeral_public)?;
    Ok((zs, ze))
}
