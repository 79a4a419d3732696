//! Short Weierstrass curves of prime order over a compile-time field, with complete addition formulas.
//!
//! The formulas are algorithms 1 and 3 of Renes, Costello and Batina, "Complete addition formulas for prime order
//! elliptic curves" (EUROCRYPT 2016, <https://eprint.iacr.org/2015/1060>): they hold for every pair of points, so
//! neither equal points nor the point at infinity take another path, and secret scalars do not show in the time.

use crate::ecc::modulus::{from_bytes, to_bytes};
use crate::ecc::scalar;
use crate::{CryptoError, Curve, Point};
use alloc::vec;
use core::marker::PhantomData;
use crypto_bigint::modular::{ConstMontyForm, ConstMontyParams};
use crypto_bigint::{Choice, CtAssign, CtEq};
use zeroize::{Zeroize, Zeroizing};

/// Coefficient `a` of the equation.
#[derive(Clone, Copy)]
pub(super) enum A {
    /// The NIST curves and SM2.
    MinusThree,
    /// The Barreto-Naehrig curves.
    Zero,
}

/// An element of the field.
pub(super) type Element<C, const L: usize> = ConstMontyForm<<C as Equation<L>>::Field, L>;

/// The equation and the generator of one curve, all known when the crate is compiled.
pub(super) trait Equation<const L: usize>: Copy + 'static {
    /// Prime field.
    type Field: ConstMontyParams<L>;
    /// The curve's name.
    const CURVE: Curve;
    /// Coefficient of `x`.
    const A: A;
    /// Constant coefficient.
    const B: Element<Self, L>;
    /// The generator.
    const G: (Element<Self, L>, Element<Self, L>);
}

/// A point in homogeneous projective coordinates; (0 : 1 : 0) is the point at infinity.
#[derive(Clone, Copy)]
pub(super) struct Projective<C: Equation<L>, const L: usize> {
    x: Element<C, L>,
    y: Element<C, L>,
    z: Element<C, L>,
    curve: PhantomData<C>,
}

impl<C: Equation<L>, const L: usize> Default for Projective<C, L> {
    fn default() -> Self {
        Self::INFINITY
    }
}

impl<C: Equation<L>, const L: usize> zeroize::DefaultIsZeroes for Projective<C, L> {}

impl<C: Equation<L>, const L: usize> Projective<C, L> {
    const INFINITY: Self = Self::new(ConstMontyForm::ZERO, ConstMontyForm::ONE, ConstMontyForm::ZERO);
    /// The generator of the curve.
    pub(super) const GENERATOR: Self = Self::new(C::G.0, C::G.1, ConstMontyForm::ONE);

    const fn new(x: Element<C, L>, y: Element<C, L>, z: Element<C, L>) -> Self {
        Self { x, y, z, curve: PhantomData }
    }

    fn times_a(v: &Element<C, L>) -> Element<C, L> {
        match C::A {
            A::MinusThree => -(v.double() + *v),
            A::Zero => ConstMontyForm::ZERO,
        }
    }

    fn times_3b(v: &Element<C, L>) -> Element<C, L> {
        let bv = C::B * *v;
        bv.double() + bv
    }

    /// The common end of algorithms 1 and 3, from the products of the coordinates. `xy` is `X1 Y2 + X2 Y1`, and so on.
    fn combine(xx: Element<C, L>, yy: Element<C, L>, zz: Element<C, L>, cross: [Element<C, L>; 3]) -> Self {
        let [xy, xz, yz] = cross;
        let middle = Self::times_a(&xz) + Self::times_3b(&zz);
        let (low, high) = (yy - middle, yy + middle);
        let azz = Self::times_a(&zz);
        let slope = xx.double() + xx + azz;
        let rest = Self::times_3b(&xz) + Self::times_a(&(xx - azz));
        Self::new(xy * low - yz * rest, low * high + slope * rest, yz * high + xy * slope)
    }

    /// Algorithm 1.
    pub(super) fn add(&self, other: &Self) -> Self {
        let (xx, yy, zz) = (self.x * other.x, self.y * other.y, self.z * other.z);
        let xy = (self.x + self.y) * (other.x + other.y) - xx - yy;
        let xz = (self.x + self.z) * (other.x + other.z) - xx - zz;
        let yz = (self.y + self.z) * (other.y + other.z) - yy - zz;
        Self::combine(xx, yy, zz, [xy, xz, yz])
    }

    /// Algorithm 3.
    fn double(&self) -> Self {
        let cross = [(self.x * self.y).double(), (self.x * self.z).double(), (self.y * self.z).double()];
        Self::combine(self.x.square(), self.y.square(), self.z.square(), cross)
    }

    fn assign_if(&mut self, other: &Self, choice: Choice) {
        self.x.ct_assign(&other.x, choice);
        self.y.ct_assign(&other.y, choice);
        self.z.ct_assign(&other.z, choice);
    }

    /// The sum of `k_i P_i` with windows of four bits. The time depends on the number of pairs only; each scalar has
    /// the size of the order.
    pub(super) fn multiply<const N: usize>(pairs: [(&[u8], Self); N]) -> Self {
        let tables = pairs.map(|(k, point)| {
            let mut table = [Self::INFINITY; 16];
            let mut multiple = Self::INFINITY;
            for entry in table.iter_mut().skip(1) {
                multiple = multiple.add(&point);
                *entry = multiple;
            }
            (k, table)
        });
        let mut sum = Self::INFINITY;
        for index in 0..C::CURVE.size() {
            for shift in [4, 0] {
                sum = sum.double().double().double().double();
                for (k, table) in &tables {
                    let digit = (k.get(index).copied().unwrap_or(0) >> shift) & 15;
                    let mut chosen = Self::INFINITY;
                    for (number, entry) in (0_u8..).zip(table) {
                        chosen.assign_if(entry, number.ct_eq(&digit));
                    }
                    sum = sum.add(&chosen);
                    chosen.zeroize();
                }
            }
        }
        sum
    }

    /// Parses affine coordinates; `None` if they are not in the field or not on the curve.
    pub(super) fn parse(point: &Point) -> Option<Self> {
        let (x, y) = (Self::coordinate(&point.x)?, Self::coordinate(&point.y)?);
        let right = x.square() * x + Self::times_a(&x) + C::B;
        (y.square() == right).then(|| Self::new(x, y, ConstMontyForm::ONE))
    }

    fn coordinate(bytes: &[u8]) -> Option<Element<C, L>> {
        let (high, low) = bytes.split_at_checked(bytes.len().saturating_sub(C::CURVE.size())).unwrap_or((&[], bytes));
        let number = from_bytes::<L>(low);
        (scalar::is_zero(high) && number < *C::Field::PARAMS.modulus().as_ref()).then(|| ConstMontyForm::new(&number))
    }

    /// Affine coordinates; the point at infinity has none.
    pub(super) fn affine(&self) -> Result<Point, CryptoError> {
        let inverse = Zeroizing::new(self.z.invert().into_option().ok_or(CryptoError::NoResult)?);
        let mut point = Point { x: vec![0; C::CURVE.size()], y: vec![0; C::CURVE.size()] };
        to_bytes(&(self.x * *inverse).retrieve(), &mut point.x);
        to_bytes(&(self.y * *inverse).retrieve(), &mut point.y);
        Ok(point)
    }
}
