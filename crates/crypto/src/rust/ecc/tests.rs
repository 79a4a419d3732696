use super::*;
use crate::testing::hex;
use alloc::vec::Vec;

fn generator(curve: Curve) -> Point {
    Point { x: curve.parameters().gx.to_vec(), y: curve.parameters().gy.to_vec() }.padded(curve.size())
}

trait Padded {
    fn padded(self, size: usize) -> Self;
}

impl Padded for Point {
    fn padded(self, size: usize) -> Self {
        let pad = |v: Vec<u8>| [alloc::vec![0; size - v.len()], v].concat();
        Self { x: pad(self.x), y: pad(self.y) }
    }
}

/// A point of order `n` proves the field, the coefficients, the generator and the order at once.
#[test]
fn order_of_every_generator() {
    for curve in Curve::ALL {
        let g = generator(curve);
        let n = curve.parameters().n;
        assert!(RustEcc.on_curve(curve, &g), "{curve:?}");
        assert_eq!(RustEcc.mul_base(curve, &[1]), Ok(g.clone()), "{curve:?}");
        assert_eq!(RustEcc.mul_base(curve, n), Err(CryptoError::NoResult), "{curve:?}");
        assert_eq!(RustEcc.mul(curve, n, &g), Err(CryptoError::NoResult), "{curve:?}");
        assert_eq!(RustEcc.mul(curve, &[0], &g), Err(CryptoError::NoResult), "{curve:?}");
        let less = scalar::sub(curve, n, &[1]);
        let minus = RustEcc.mul(curve, &less, &g).unwrap();
        assert_eq!(minus.x, g.x, "{curve:?}");
        assert_ne!(minus.y, g.y, "{curve:?}");
        assert_eq!(RustEcc.add(curve, &minus, &g), Err(CryptoError::NoResult), "{curve:?}");
        // (n-1)G + 2G = G, with the doubling hidden in an addition of equal points.
        let double = RustEcc.add(curve, &g, &g).unwrap();
        assert_eq!(RustEcc.mul_base(curve, &[2]), Ok(double.clone()), "{curve:?}");
        assert_eq!(RustEcc.add(curve, &minus, &double), Ok(g.clone()), "{curve:?}");
        // n + 5 is reduced.
        let more: Vec<u8> = [&[0, 1][..], &alloc::vec![0; curve.size()]].concat();
        let sum = RustEcc.mul_base(curve, &more).unwrap();
        assert_eq!(RustEcc.mul_base(curve, &scalar::reduced(curve, &more)), Ok(sum), "{curve:?}");
    }
}

#[test]
fn multiplication_is_linear() {
    for curve in Curve::ALL {
        let u = hex("0123456789abcdef0011223344556677");
        let v = hex("fedcba98765432100f1e2d3c4b5a69788796a5b4c3d2e1f0");
        let q = RustEcc.mul_base(curve, &hex("c0ffee")).unwrap();
        let separate =
            RustEcc.add(curve, &RustEcc.mul_base(curve, &u).unwrap(), &RustEcc.mul(curve, &v, &q).unwrap()).unwrap();
        assert_eq!(RustEcc.mul_add(curve, &u, &v, &q), Ok(separate.clone()), "{curve:?}");
        let k = scalar::add(curve, &u, &scalar::mul(curve, &v, &hex("c0ffee")));
        assert_eq!(RustEcc.mul_base(curve, &k), Ok(separate), "{curve:?}");
        assert_eq!(
            RustEcc.mul_add(curve, &scalar::sub(curve, &[0], &hex("c0ffee")), &[1], &q),
            Err(CryptoError::NoResult)
        );
    }
}

#[test]
fn bad_points_are_refused() {
    for curve in Curve::ALL {
        let g = generator(curve);
        let mut off = g.clone();
        *off.y.last_mut().unwrap() ^= 1;
        // The same residue, but not in the field.
        let outside = Point { x: g.x.clone(), y: alloc::vec![0xff; curve.size()] };
        let zero = Point { x: Vec::new(), y: Vec::new() };
        for bad in [off, outside, zero] {
            assert!(!RustEcc.on_curve(curve, &bad), "{curve:?}");
            assert_eq!(RustEcc.mul(curve, &[3], &bad), Err(CryptoError::InvalidInput), "{curve:?}");
            assert_eq!(RustEcc.add(curve, &g, &bad), Err(CryptoError::InvalidInput), "{curve:?}");
            assert_eq!(RustEcc.mul_add(curve, &[3], &[3], &bad), Err(CryptoError::InvalidInput), "{curve:?}");
        }
        let long = g.clone().padded(curve.size() + 3);
        assert!(RustEcc.on_curve(curve, &long), "{curve:?}");
        assert_eq!(RustEcc.mul(curve, &[1], &long), Ok(g), "{curve:?}");
    }
}
