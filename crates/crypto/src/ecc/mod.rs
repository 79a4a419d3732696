//! Elliptic-curve keys, signatures and key agreement over the point arithmetic of a provider.
//!
//! The schemes are those of the TCG Algorithm Registry as Part 1, Annex C uses them, with the choices of the reference
//! implementation and libtpms where the documents leave one. Private keys and digests may have any length; points
//! and signatures are returned with [`Curve::size`] bytes in each number unless a function says otherwise.

pub mod commit;
pub mod ecdaa;
pub mod ecdh;
pub mod ecdsa;
pub(crate) mod modulus;
pub mod mqv;
pub mod parameters;
pub mod scalar;
pub mod schnorr;
pub mod sm2;

pub use parameters::CurveParameters;
pub use scalar::{Scalar, random_scalar};

use crate::{Crypto, CryptoError, Curve, Ecc, Point, Random};
use alloc::vec::Vec;

/// A signature of two numbers (Part 2, 11.2.3, TPMS_SIGNATURE_ECC).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// First number; of ECDAA, the nonce `k`.
    pub r: Vec<u8>,
    /// Second number.
    pub s: Vec<u8>,
}

impl Signature {
    /// Refuses numbers that are zero or not below the order, as every verification starts.
    fn check_range(&self, curve: Curve) -> Result<(), CryptoError> {
        let inside = scalar::in_range(curve, &self.r) && scalar::in_range(curve, &self.s);
        inside.then_some(()).ok_or(CryptoError::Mismatch)
    }
}

/// `a G + b Q` of a verification: at infinity no signature is right.
fn verification_point<E: Ecc + ?Sized>(
    ecc: &E,
    curve: Curve,
    a: &[u8],
    b: &[u8],
    public: &Point,
) -> Result<Point, CryptoError> {
    ecc.mul_add(curve, a, b, public).map_err(|fault| match fault {
        CryptoError::NoResult => CryptoError::Mismatch,
        other => other,
    })
}

/// A private scalar and its public point.
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// The private key `d`, `1 <= d < n`; never shown by `Debug`.
    pub private: Private,
    /// `d` times the generator.
    pub public: Point,
}

/// A private scalar that `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Private(pub Scalar);

impl core::fmt::Debug for Private {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Private(..)")
    }
}

impl core::ops::Deref for Private {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Draws a key pair with [`random_scalar`]: a primary key when `random` is its derivation, an ordinary or an ephemeral
/// one when it is the engine's generator (Part 1, C.4).
pub fn generate_key(crypto: &Crypto, curve: Curve, random: &mut dyn Random) -> Result<KeyPair, CryptoError> {
    let private = Private(random_scalar(curve, random));
    let public = crypto.ecc.mul_base(curve, &private)?;
    Ok(KeyPair { private, public })
}

/// How often a signature is tried again when a number comes out zero. The chance of one is below `2^-190`, so a second
/// means that the random source is broken.
const TRIES: usize = 10;

#[cfg(test)]
mod tests;
