//! Elliptic curves by the schoolbook, on any curve whose parameters TPM2_ECC_Parameters gives. Slow and for tests only.

use crate::wire::In;
use num_bigint::BigUint;

/// A short Weierstrass curve.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Field prime.
    pub p: BigUint,
    /// Coefficient a.
    pub a: BigUint,
    /// Coefficient b.
    pub b: BigUint,
    /// Base point.
    pub g: (BigUint, BigUint),
    /// Order of the base point.
    pub n: BigUint,
}

/// A point; `None` is the point at infinity.
pub type Point = Option<(BigUint, BigUint)>;

impl Curve {
    /// From TPMS_ALGORITHM_DETAIL_ECC.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut input = In(bytes);
        input.raw(4)?;
        for _ in 0..2 {
            // kdf, then sign: TPMT_KDF_SCHEME and TPMT_ECC_SCHEME.
            match input.u16()? {
                crate::codes::NULL => {}
                crate::codes::ECDAA => drop(input.raw(4)?),
                _ => drop(input.u16()?),
            }
        }
        let mut next = || input.sized().map(BigUint::from_bytes_be);
        let (p, a, b) = (next()?, next()?, next()?);
        let g = (next()?, next()?);
        Some(Self { p, a, b, g, n: next()? })
    }

    /// The base point.
    pub fn base(&self) -> Point {
        Some(self.g.clone())
    }

    fn minus(&self, x: &BigUint, y: &BigUint) -> BigUint {
        (x + &self.p - y % &self.p) % &self.p
    }

    /// Sum of two points.
    pub fn add(&self, left: &Point, right: &Point) -> Point {
        let (Some((x1, y1)), Some((x2, y2))) = (left, right) else {
            return left.clone().or_else(|| right.clone());
        };
        let slope = if x1 == x2 {
            if (y1 + y2) % &self.p == BigUint::ZERO {
                return None;
            }
            (x1 * x1 * 3u32 + &self.a) * (y1 * 2u32).modinv(&self.p)? % &self.p
        } else {
            self.minus(y2, y1) * self.minus(x2, x1).modinv(&self.p)? % &self.p
        };
        let x = self.minus(&self.minus(&(&slope * &slope), x1), x2);
        let y = self.minus(&(slope * self.minus(x1, &x)), y1);
        Some((x, y))
    }

    /// `k` times a point.
    pub fn multiply(&self, k: &BigUint, point: &Point) -> Point {
        let mut sum = None;
        for i in (0..k.bits()).rev() {
            sum = self.add(&sum, &sum);
            if k.bit(i) {
                sum = self.add(&sum, point);
            }
        }
        sum
    }

    /// True if the point is on the curve.
    pub fn contains(&self, point: &Point) -> bool {
        point.as_ref().is_none_or(|(x, y)| y * y % &self.p == (x * x * x + &self.a * x + &self.b) % &self.p)
    }

    /// Bytes of a coordinate.
    pub fn size(&self) -> usize {
        self.p.bits().div_ceil(8) as usize
    }

    /// ECDSA verification of a digest.
    pub fn ecdsa(&self, public: &Point, digest: &[u8], r: &BigUint, s: &BigUint) -> bool {
        let zero = BigUint::ZERO;
        if *r == zero || *s == zero || *r >= self.n || *s >= self.n {
            return false;
        }
        let mut e = BigUint::from_bytes_be(digest);
        let excess = (digest.len() as u64 * 8).saturating_sub(self.n.bits());
        e >>= excess;
        let Some(w) = s.modinv(&self.n) else { return false };
        let (u1, u2) = (e * &w % &self.n, r * &w % &self.n);
        let sum = self.add(&self.multiply(&u1, &self.base()), &self.multiply(&u2, public));
        sum.is_some_and(|(x, _)| x % &self.n == *r)
    }

    /// SM2 signature verification (the digest is taken as `e`).
    pub fn sm2(&self, public: &Point, digest: &[u8], r: &BigUint, s: &BigUint) -> bool {
        let t = (r + s) % &self.n;
        if t == BigUint::ZERO {
            return false;
        }
        let sum = self.add(&self.multiply(s, &self.base()), &self.multiply(&t, public));
        sum.is_some_and(|(x, _)| (x + BigUint::from_bytes_be(digest)) % &self.n == *r)
    }
}
