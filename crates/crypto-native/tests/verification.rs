//! ECDSA is verified alike by both providers, the native one in a way of its own: edges of every number of it.

use sealwright_crypto::ecc::{Signature, ecdsa, scalar};
use sealwright_crypto::rust::RUST;
use sealwright_crypto::{CryptoError, Curve, Point};
use sealwright_crypto_native::NATIVE;

/// What both providers say.
#[track_caller]
fn verdict(curve: Curve, public: &Point, digest: &[u8], r: &[u8], s: &[u8]) -> Result<(), CryptoError> {
    let signature = Signature { r: r.to_vec(), s: s.to_vec() };
    let [native, rust] = [&NATIVE, &RUST].map(|provider| ecdsa::verify(provider, curve, public, digest, &signature));
    assert_eq!(native, rust, "{curve:?} {digest:02x?} {signature:?}");
    native
}

/// The key under which `(r, s)` is a signature of `e`, if `point` is the sum that its verification finds:
/// `(s R - e G) / r`.
fn recovered(curve: Curve, e: &[u8], r: &[u8], s: &[u8], point: &Point) -> Point {
    let inverse = scalar::inverse(curve, r).unwrap();
    let u = scalar::mul(curve, &scalar::sub(curve, &[], e), &inverse);
    RUST.ecc.mul_add(curve, &u, &scalar::mul(curve, s, &inverse), point).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    let text = format!("{text:0>width$}", width = text.len().next_multiple_of(2));
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// `n + add`, not reduced.
fn beyond_order(curve: Curve, add: u8) -> Vec<u8> {
    let mut sum = [&[0], curve.parameters().n].concat();
    let mut carry = u16::from(add);
    for byte in sum.iter_mut().rev() {
        carry += u16::from(*byte);
        *byte = carry.to_be_bytes()[1];
        carry >>= 8;
    }
    sum
}

/// A digest of any length: the leftmost bits count, as many as the order has, and may be a number above it.
#[test]
fn digests_of_any_length() {
    for curve in Curve::ALL {
        let d = [0x5a; 20];
        let public = RUST.ecc.mul_base(curve, &d).unwrap();
        let (k, point) = ([0x31; 19], RUST.ecc.mul_base(curve, &[0x31; 19]).unwrap());
        let r = scalar::reduced(curve, &point.x);
        let inverse = scalar::inverse(curve, &k).unwrap();
        for length in (0..=curve.size() + 3).chain([128]) {
            for fill in [0, 0xff, 0x9d] {
                let digest = vec![fill; length];
                // The number that counts, by division instead of shifts.
                let bits = curve.bits();
                let mut e = digest[..length.min(curve.size())].to_vec();
                if length >= curve.size() && bits % 8 != 0 {
                    let half = scalar::inverse(curve, &[2]).unwrap();
                    let cut = *e.last().unwrap() & ((1 << (8 - bits % 8)) - 1);
                    *e.last_mut().unwrap() -= cut;
                    for _ in 0..8 - bits % 8 {
                        e = scalar::mul(curve, &e, &half).to_vec();
                    }
                }
                let s = scalar::mul(curve, &inverse, &scalar::add(curve, &e, &scalar::mul(curve, &r, &d)));
                assert_eq!(verdict(curve, &public, &digest, &r, &s), Ok(()), "{curve:?} {length} {fill}");
                if length > 0 {
                    let mut other = digest.clone();
                    other[0] ^= 0x40;
                    assert_eq!(verdict(curve, &public, &other, &r, &s), Err(CryptoError::Mismatch));
                }
            }
        }
    }
}

/// Zero, the order and more are no numbers of a signature; leading zeros change nothing.
#[test]
fn numbers_of_a_signature() {
    for curve in Curve::ALL {
        let d = [0x77; 20];
        let public = RUST.ecc.mul_base(curve, &d).unwrap();
        let digest = [0x13; 32];
        let signature = ecdsa::sign(&NATIVE, curve, &d, &digest, &mut Fixed(3)).unwrap();
        let (r, s) = (&signature.r, &signature.s);
        assert_eq!(verdict(curve, &public, &digest, r, s), Ok(()));
        // The other root of the same x.
        assert_eq!(verdict(curve, &public, &digest, r, &scalar::sub(curve, &[], s)), Ok(()));
        let long = |number: &[u8]| [&[0; 9], number].concat();
        assert_eq!(verdict(curve, &public, &digest, &long(r), &long(s)), Ok(()));
        let n = curve.parameters().n;
        let below = scalar::sub(curve, &[], &[1]).to_vec();
        let edges = [vec![], vec![0], vec![0; 80], vec![1], below, n.to_vec(), beyond_order(curve, 1), vec![0xff; 90]];
        for edge in &edges {
            assert_eq!(verdict(curve, &public, &digest, edge, s), Err(CryptoError::Mismatch));
            assert_eq!(verdict(curve, &public, &digest, r, edge), Err(CryptoError::Mismatch));
            for other in &edges {
                assert_eq!(verdict(curve, &public, &digest, edge, other), Err(CryptoError::Mismatch));
            }
        }
    }
}

/// Whoever's key is not on the curve is told so, but not before the numbers of the signature are looked at.
#[test]
fn keys_off_the_curve() {
    for curve in Curve::ALL {
        let good = RUST.ecc.mul_base(curve, &[9]).unwrap();
        let swapped = Point { x: good.y.clone(), y: good.x.clone() };
        let outside = Point { x: good.x.clone(), y: vec![0xff; curve.size()] };
        let zero = Point { x: vec![0; curve.size()], y: vec![0; curve.size()] };
        for public in [swapped, outside, zero, Point { x: vec![], y: vec![] }] {
            assert_eq!(verdict(curve, &public, &[1; 32], &[2], &[3]), Err(CryptoError::InvalidInput));
            assert_eq!(verdict(curve, &public, &[1; 32], &[0], &[3]), Err(CryptoError::Mismatch));
        }
    }
}

/// The sum of products is the point at infinity, or both products are the same point or opposite ones.
#[test]
fn sums_that_are_special() {
    for curve in Curve::ALL {
        let d = [0x2b; 20];
        let public = RUST.ecc.mul_base(curve, &d).unwrap();
        let mut e = vec![0; curve.size()];
        for r in [vec![1], vec![0x91; 20], d.to_vec()] {
            // u1 + u2 d = (e + r d) / s = 0.
            let minus = scalar::sub(curve, &[], &scalar::mul(curve, &r, &d));
            e.copy_from_slice(&minus);
            let digest = digest_of(curve, &e);
            for s in [vec![1], vec![0x17; 20]] {
                assert_eq!(verdict(curve, &public, &digest, &r, &s), Err(CryptoError::Mismatch), "{curve:?}");
            }
        }
        // Both products are u G: the sum is 2 u G.
        let u = [0x41; 20];
        let r = scalar::reduced(curve, &RUST.ecc.mul_base(curve, &scalar::add(curve, &u, &u)).unwrap().x);
        let same = scalar::mul(curve, &r, &d);
        let s = scalar::mul(curve, &same, &scalar::inverse(curve, &u).unwrap());
        assert_eq!(verdict(curve, &public, &digest_of(curve, &same), &r, &s), Ok(()), "{curve:?}");
        // The digest is zero: only the key's product is left.
        let r = scalar::reduced(curve, &RUST.ecc.mul_base(curve, &u).unwrap().x);
        let s = scalar::mul(curve, &scalar::mul(curve, &r, &d), &scalar::inverse(curve, &u).unwrap());
        assert_eq!(verdict(curve, &public, &vec![0; curve.size()], &r, &s), Ok(()), "{curve:?}");
    }
}

/// A digest whose leftmost bits are the number `e`, of as many bytes as the curve.
fn digest_of(curve: Curve, e: &[u8]) -> Vec<u8> {
    let spare = curve.size() * 8 - curve.bits();
    let mut digest = vec![0; curve.size()];
    for (i, byte) in digest.iter_mut().enumerate() {
        let pair = u16::from_be_bytes([e[i], e.get(i + 1).copied().unwrap_or(0)]);
        *byte = (pair << spare).to_be_bytes()[0];
    }
    digest
}

/// The x coordinate of the sum is not below the order: `r` is what is left of it. The points are the first of each curve
/// with such an x; their y were computed apart, as square roots.
#[test]
fn x_beyond_the_order() {
    let ys = [
        (Curve::P224, 3, "6d2735eded7980d4853d5514ab5fade1311fc355a7589bfa859c42a"),
        (Curve::P256, 3, "484f0c0fda434ef0a808458914f328715d7a545e198ac7eee31dffe861b5d23f"),
        (
            Curve::P384,
            2,
            "674db71d55d1948b3c7d4c562474ad137465f9605bc7c67cb9fab6bf9f3ca2ef87d56a8d920568aa26f7eaf13ee70a45",
        ),
        (
            Curve::P521,
            1,
            "15c0208e578fd60af518df71031fbef12ced63df0aebf52d4a67eb460f7907f4e77748ed5dfa44f49035bad05d07d119cae1e855c8a9723eaff862aa896fbae2a8d",
        ),
    ];
    for (curve, add, y) in ys {
        let point = Point { x: beyond_order(curve, add), y: hex(y) };
        let (r, s, e) = (vec![add], vec![0x63; 20], vec![0; curve.size()]);
        let public = recovered(curve, &e, &r, &s, &point);
        assert_eq!(verdict(curve, &public, &e, &r, &s), Ok(()), "{curve:?}");
        assert_eq!(verdict(curve, &public, &e, &[add + 1], &s), Err(CryptoError::Mismatch), "{curve:?}");
        // The same number, not reduced, is no signature.
        let whole = beyond_order(curve, add);
        assert_eq!(verdict(curve, &public, &e, &whole, &s), Err(CryptoError::Mismatch), "{curve:?}");
    }
}

/// Bytes of a counter, as a source of nonces.
struct Fixed(u8);

impl sealwright_crypto::Random for Fixed {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_mul(5).wrapping_add(1);
            *byte = self.0;
        }
    }
}
