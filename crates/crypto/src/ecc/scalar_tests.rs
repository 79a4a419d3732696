use super::*;
use crate::testing::Fixed;
use alloc::vec;

#[test]
fn field_laws() {
    for curve in Curve::ALL {
        let size = curve.size();
        let a: Vec<u8> = (1..=u8::MAX).cycle().take(size + 40).collect();
        let b: Vec<u8> = (7..=u8::MAX).rev().cycle().take(2 * size).collect();
        assert_eq!(mul(curve, &inverse(curve, &a).unwrap(), &a).last(), Some(&1), "{curve:?}");
        assert_eq!(sub(curve, &add(curve, &a, &b), &b), reduced(curve, &a), "{curve:?}");
        assert_eq!(
            mul(curve, &a, &add(curve, &a, &b)),
            add(curve, &mul(curve, &a, &a), &mul(curve, &a, &b)),
            "{curve:?}"
        );
        assert_eq!(inverse(curve, curve.parameters().n), Err(CryptoError::NoResult), "{curve:?}");
        // Reduction of long strings agrees with long division: 2^(8 * 16) * a + b.
        let mut radix = vec![0; 17];
        radix[0] = 1;
        let long = [&a[..], &b[..16]].concat();
        assert_eq!(reduced(curve, &long), add(curve, &mul(curve, &a, &radix), &b[..16]), "{curve:?}");
    }
}

#[test]
fn range() {
    for curve in Curve::ALL {
        let n = curve.parameters().n;
        let last = sub(curve, &[], &[1]);
        assert!(in_range(curve, &[1]) && in_range(curve, &last), "{curve:?}");
        assert!(in_range(curve, &[&[0; 9], &last[..]].concat()), "{curve:?}");
        assert!(!in_range(curve, n) && !in_range(curve, &[]) && !in_range(curve, &[0; 90]), "{curve:?}");
        assert!(!in_range(curve, &[&[1; 9], &last[..]].concat()), "{curve:?}");
    }
}

/// All-ones bytes and zero bytes give the ends of the range that the definition demands.
#[test]
fn random_scalars_are_reduced_modulo_n_minus_one() {
    for curve in Curve::ALL {
        let size = curve.size();
        assert_eq!(random_scalar(curve, &mut Fixed(vec![0; size + 8])), reduced(curve, &[1]), "{curve:?}");
        // n - 1 gives 1 again, n - 2 gives n - 1.
        let draw = |back: u8| {
            let value = sub(curve, &[], &[back]);
            random_scalar(curve, &mut Fixed([&[0; 8], &value[..]].concat()))
        };
        assert_eq!(draw(1), reduced(curve, &[1]), "{curve:?}");
        assert_eq!(draw(2), sub(curve, &[], &[1]), "{curve:?}");
    }
}
