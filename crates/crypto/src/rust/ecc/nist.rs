//! P-256, P-384 and P-521 through the RustCrypto crates.

use super::Group;
use crate::ecc::scalar;
use crate::{CryptoError, Curve, Point};
use core::marker::PhantomData;
use p256::elliptic_curve::ff::PrimeField;
use p256::elliptic_curve::group::Group as _;
use p256::elliptic_curve::point::AffineCoordinates;
use p256::elliptic_curve::{FieldBytes, Scalar};
use primeorder::{AffinePoint, MulBackend, PrimeCurveParams, ProjectivePoint};
use zeroize::Zeroizing;

/// One of the three curves.
pub(super) struct Nist<C>(pub(super) Curve, pub(super) PhantomData<C>);

fn field_bytes<C: PrimeCurveParams>(bytes: &[u8]) -> Option<FieldBytes<C>> {
    let mut out = FieldBytes::<C>::default();
    let (high, low) = bytes.split_at_checked(bytes.len().saturating_sub(out.len())).unwrap_or((&[], bytes));
    for (to, from) in out.iter_mut().rev().zip(low.iter().rev()) {
        *to = *from;
    }
    scalar::is_zero(high).then_some(out)
}

impl<C: PrimeCurveParams> Nist<C> {
    fn scalar(&self, k: &[u8]) -> Result<Zeroizing<Scalar<C>>, CryptoError> {
        let reduced = scalar::reduced(self.0, k);
        let repr = field_bytes::<C>(&reduced).ok_or(CryptoError::InvalidInput)?;
        Option::from(Scalar::<C>::from_repr(repr)).map(Zeroizing::new).ok_or(CryptoError::InvalidInput)
    }

    fn parse(point: &Point) -> Option<AffinePoint<C>> {
        let (x, y) = (field_bytes::<C>(&point.x)?, field_bytes::<C>(&point.y)?);
        Option::from(AffinePoint::<C>::from_coordinates(&x, &y))
    }

    fn projective(point: &Point) -> Result<ProjectivePoint<C>, CryptoError> {
        Self::parse(point).map(ProjectivePoint::from).ok_or(CryptoError::InvalidInput)
    }

    fn affine(point: &ProjectivePoint<C>) -> Result<Point, CryptoError> {
        if bool::from(point.is_identity()) {
            return Err(CryptoError::NoResult);
        }
        let point = point.to_affine();
        Ok(Point { x: point.x().to_vec(), y: point.y().to_vec() })
    }
}

impl<C: PrimeCurveParams> Group for Nist<C> {
    fn on_curve(&self, point: &Point) -> bool {
        Self::parse(point).is_some()
    }
    fn mul_base(&self, k: &[u8]) -> Result<Point, CryptoError> {
        Self::affine(&ProjectivePoint::<C>::mul_by_generator(&*self.scalar(k)?))
    }
    fn mul(&self, k: &[u8], point: &Point) -> Result<Point, CryptoError> {
        Self::affine(&Self::projective(point)?.mul(&*self.scalar(k)?))
    }
    fn mul_add(&self, u: &[u8], v: &[u8], point: &Point) -> Result<Point, CryptoError> {
        let (u, v, point) = (self.scalar(u)?, self.scalar(v)?, Self::projective(point)?);
        Self::affine(&C::Backend::mul_by_generator_and_mul_add_vartime(&u, &v, &point))
    }
    fn add(&self, a: &Point, b: &Point) -> Result<Point, CryptoError> {
        Self::affine(&Self::projective(a)?.add(&Self::projective(b)?))
    }
}
