//! Point arithmetic: P-224, P-256, P-384 and P-521 natively, the other curves in Rust.

use crate::bignum::Number;
use crate::group::{Group, NativePoint};
use sealwright_crypto::ecc::{Signature, scalar};
use sealwright_crypto::rust::RustEcc;
use sealwright_crypto::{CryptoError, Curve, Ecc, Point};

/// The NIST curves of AWS-LC, and [`RustEcc`] for the others.
#[derive(Clone, Copy, Debug, Default)]
pub struct NativeEcc;

/// The scalar modulo the order: outside of it the library would divide, in a time that depends on the number.
fn reduced(curve: Curve, k: &[u8]) -> Number {
    Number::from_bytes(&scalar::reduced(curve, k))
}

impl Ecc for NativeEcc {
    fn on_curve(&self, curve: Curve, point: &Point) -> bool {
        match Group::new(curve) {
            Some(group) => NativePoint::parse(group, point).is_ok(),
            None => RustEcc.on_curve(curve, point),
        }
    }

    fn mul_base(&self, curve: Curve, k: &[u8]) -> Result<Point, CryptoError> {
        let Some(group) = Group::new(curve) else {
            return RustEcc.mul_base(curve, k);
        };
        NativePoint::multiply(group, Some(&reduced(curve, k)), None)?.affine()
    }

    fn mul(&self, curve: Curve, k: &[u8], point: &Point) -> Result<Point, CryptoError> {
        let Some(group) = Group::new(curve) else {
            return RustEcc.mul(curve, k, point);
        };
        let point = NativePoint::parse(group, point)?;
        NativePoint::multiply(group, None, Some((&point, &reduced(curve, k))))?.affine()
    }

    fn mul_add(&self, curve: Curve, u: &[u8], v: &[u8], point: &Point) -> Result<Point, CryptoError> {
        let Some(group) = Group::new(curve) else {
            return RustEcc.mul_add(curve, u, v, point);
        };
        let point = NativePoint::parse(group, point)?;
        NativePoint::multiply(group, Some(&reduced(curve, u)), Some((&point, &reduced(curve, v))))?.affine()
    }

    fn add(&self, curve: Curve, a: &Point, b: &Point) -> Result<Point, CryptoError> {
        let Some(group) = Group::new(curve) else {
            return RustEcc.add(curve, a, b);
        };
        NativePoint::parse(group, a)?.add(&NativePoint::parse(group, b)?)?.affine()
    }

    fn verify_ecdsa(
        &self,
        curve: Curve,
        public: &Point,
        digest: &[u8],
        signature: &Signature,
    ) -> Result<(), CryptoError> {
        let Some(group) = Group::new(curve) else {
            return RustEcc.verify_ecdsa(curve, public, digest, signature);
        };
        let public = NativePoint::parse(group, public)?;
        let [r, s] = [&signature.r, &signature.s].map(|number| Number::from_bytes(number));
        public.verifies(digest, r, s).then_some(()).ok_or(CryptoError::Mismatch)
    }
}
