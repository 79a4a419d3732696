//! Point arithmetic in pure Rust.

mod curves;
mod nist;
mod weierstrass;

use crate::ecc::scalar;
use crate::{CryptoError, Curve, Ecc, Point};
use core::marker::PhantomData;
use crypto_bigint::{U192, U256, U640};
use nist::Nist;
use weierstrass::{Equation, Projective};

/// All eight curves in pure Rust: P-256, P-384 and P-521 by the RustCrypto crates, the others by one implementation
/// of complete addition formulas over Montgomery arithmetic.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustEcc;

/// Point arithmetic of one curve, without its type. Scalars are not reduced yet.
trait Group {
    fn on_curve(&self, point: &Point) -> bool;
    fn mul_base(&self, k: &[u8]) -> Result<Point, CryptoError>;
    fn mul(&self, k: &[u8], point: &Point) -> Result<Point, CryptoError>;
    fn mul_add(&self, u: &[u8], v: &[u8], point: &Point) -> Result<Point, CryptoError>;
    fn add(&self, a: &Point, b: &Point) -> Result<Point, CryptoError>;
}

/// A curve of [`curves`].
struct Weierstrass<C, const L: usize>(PhantomData<C>);

impl<C: Equation<L>, const L: usize> Weierstrass<C, L> {
    fn parse(point: &Point) -> Result<Projective<C, L>, CryptoError> {
        Projective::parse(point).ok_or(CryptoError::InvalidInput)
    }
}

impl<C: Equation<L>, const L: usize> Group for Weierstrass<C, L> {
    fn on_curve(&self, point: &Point) -> bool {
        Self::parse(point).is_ok()
    }
    fn mul_base(&self, k: &[u8]) -> Result<Point, CryptoError> {
        let k = scalar::reduced(C::CURVE, k);
        Projective::<C, L>::multiply([(&k, Projective::GENERATOR)]).affine()
    }
    fn mul(&self, k: &[u8], point: &Point) -> Result<Point, CryptoError> {
        let k = scalar::reduced(C::CURVE, k);
        Projective::multiply([(&k, Self::parse(point)?)]).affine()
    }
    fn mul_add(&self, u: &[u8], v: &[u8], point: &Point) -> Result<Point, CryptoError> {
        let (u, v) = (scalar::reduced(C::CURVE, u), scalar::reduced(C::CURVE, v));
        Projective::multiply([(&u, Projective::GENERATOR), (&v, Self::parse(point)?)]).affine()
    }
    fn add(&self, a: &Point, b: &Point) -> Result<Point, CryptoError> {
        Self::parse(a)?.add(&Self::parse(b)?).affine()
    }
}

fn group(curve: Curve) -> &'static dyn Group {
    match curve {
        Curve::P192 => &Weierstrass::<curves::P192, { U192::LIMBS }>(PhantomData),
        Curve::P224 => &Weierstrass::<curves::P224, { U256::LIMBS }>(PhantomData),
        Curve::P256 => &Nist::<p256::NistP256>(Curve::P256, PhantomData),
        Curve::P384 => &Nist::<p384::NistP384>(Curve::P384, PhantomData),
        Curve::P521 => &Nist::<p521::NistP521>(Curve::P521, PhantomData),
        Curve::Bn256 => &Weierstrass::<curves::Bn256, { U256::LIMBS }>(PhantomData),
        Curve::Bn638 => &Weierstrass::<curves::Bn638, { U640::LIMBS }>(PhantomData),
        Curve::Sm2 => &Weierstrass::<curves::Sm2, { U256::LIMBS }>(PhantomData),
    }
}

impl Ecc for RustEcc {
    fn on_curve(&self, curve: Curve, point: &Point) -> bool {
        group(curve).on_curve(point)
    }
    fn mul_base(&self, curve: Curve, k: &[u8]) -> Result<Point, CryptoError> {
        group(curve).mul_base(k)
    }
    fn mul(&self, curve: Curve, k: &[u8], point: &Point) -> Result<Point, CryptoError> {
        group(curve).mul(k, point)
    }
    fn mul_add(&self, curve: Curve, u: &[u8], v: &[u8], point: &Point) -> Result<Point, CryptoError> {
        group(curve).mul_add(u, v, point)
    }
    fn add(&self, curve: Curve, a: &Point, b: &Point) -> Result<Point, CryptoError> {
        group(curve).add(a, b)
    }
}

#[cfg(test)]
mod tests;
