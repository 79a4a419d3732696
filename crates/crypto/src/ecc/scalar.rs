//! Arithmetic modulo the order of a curve, in constant time.
//!
//! Scalars are big-endian byte strings. Arguments may have any length and are reduced; results have
//! [`Curve::size`] bytes.

use super::modulus::{
    Bn256Order, Bn638Order, P192Order, P224Order, P256Order, P384Order, P521Order, Sm2Order, from_bytes, reduce,
    to_bytes,
};
use crate::{CryptoError, Curve, Random};
use alloc::vec;
use alloc::vec::Vec;
use core::marker::PhantomData;
use crypto_bigint::modular::{ConstMontyForm, ConstMontyParams};
use crypto_bigint::{NonZero, U192, U256, U384, U576, U640, U704};
use zeroize::{Zeroize, Zeroizing};

/// A number modulo the order of a curve, big-endian, wiped when dropped.
pub type Scalar = Zeroizing<Vec<u8>>;

/// The operations of one modulus, without its type.
trait Modulus {
    fn reduce(&self, size: usize, a: &[u8]) -> Scalar;
    fn add(&self, size: usize, a: &[u8], b: &[u8]) -> Scalar;
    fn sub(&self, size: usize, a: &[u8], b: &[u8]) -> Scalar;
    fn mul(&self, size: usize, a: &[u8], b: &[u8]) -> Scalar;
    fn inverse(&self, size: usize, a: &[u8]) -> Option<Scalar>;
}

struct Order<M, const L: usize>(PhantomData<M>);

fn finish<M: ConstMontyParams<L>, const L: usize>(size: usize, mut value: ConstMontyForm<M, L>) -> Scalar {
    let mut number = value.retrieve();
    let mut out = Zeroizing::new(vec![0; size]);
    to_bytes(&number, &mut out);
    number.zeroize();
    value.zeroize();
    out
}

impl<M: ConstMontyParams<L>, const L: usize> Modulus for Order<M, L> {
    fn reduce(&self, size: usize, a: &[u8]) -> Scalar {
        finish(size, reduce::<M, L>(a))
    }
    fn add(&self, size: usize, a: &[u8], b: &[u8]) -> Scalar {
        let (a, b) = (Zeroizing::new(reduce::<M, L>(a)), Zeroizing::new(reduce::<M, L>(b)));
        finish(size, *a + *b)
    }
    fn sub(&self, size: usize, a: &[u8], b: &[u8]) -> Scalar {
        let (a, b) = (Zeroizing::new(reduce::<M, L>(a)), Zeroizing::new(reduce::<M, L>(b)));
        finish(size, *a - *b)
    }
    fn mul(&self, size: usize, a: &[u8], b: &[u8]) -> Scalar {
        let (a, b) = (Zeroizing::new(reduce::<M, L>(a)), Zeroizing::new(reduce::<M, L>(b)));
        finish(size, *a * *b)
    }
    fn inverse(&self, size: usize, a: &[u8]) -> Option<Scalar> {
        let a = Zeroizing::new(reduce::<M, L>(a));
        a.invert().into_option().map(|inverse| finish(size, inverse))
    }
}

fn order(curve: Curve) -> &'static dyn Modulus {
    match curve {
        Curve::P192 => &Order::<P192Order, { U192::LIMBS }>(PhantomData),
        Curve::P224 => &Order::<P224Order, { U256::LIMBS }>(PhantomData),
        Curve::P256 => &Order::<P256Order, { U256::LIMBS }>(PhantomData),
        Curve::P384 => &Order::<P384Order, { U384::LIMBS }>(PhantomData),
        Curve::P521 => &Order::<P521Order, { U576::LIMBS }>(PhantomData),
        Curve::Bn256 => &Order::<Bn256Order, { U256::LIMBS }>(PhantomData),
        Curve::Bn638 => &Order::<Bn638Order, { U640::LIMBS }>(PhantomData),
        Curve::Sm2 => &Order::<Sm2Order, { U256::LIMBS }>(PhantomData),
    }
}

/// `a mod n`.
pub fn reduced(curve: Curve, a: &[u8]) -> Scalar {
    order(curve).reduce(curve.size(), a)
}

/// `(a + b) mod n`.
pub fn add(curve: Curve, a: &[u8], b: &[u8]) -> Scalar {
    order(curve).add(curve.size(), a, b)
}

/// `(a - b) mod n`.
pub fn sub(curve: Curve, a: &[u8], b: &[u8]) -> Scalar {
    order(curve).sub(curve.size(), a, b)
}

/// `(a * b) mod n`.
pub fn mul(curve: Curve, a: &[u8], b: &[u8]) -> Scalar {
    order(curve).mul(curve.size(), a, b)
}

/// `a^-1 mod n`; [`CryptoError::NoResult`] if `a mod n` is zero.
pub fn inverse(curve: Curve, a: &[u8]) -> Result<Scalar, CryptoError> {
    order(curve).inverse(curve.size(), a).ok_or(CryptoError::NoResult)
}

/// True if all bytes are zero. The time depends on the length only.
pub fn is_zero(a: &[u8]) -> bool {
    a.iter().fold(0, |bits, byte| bits | byte) == 0
}

/// True if `0 < a < n`: a private key, or a component of a signature.
pub fn in_range(curve: Curve, a: &[u8]) -> bool {
    let n = from_bytes::<{ U704::LIMBS }>(curve.parameters().n);
    let (high, low) = a.split_at_checked(a.len().saturating_sub(curve.size())).unwrap_or((&[], a));
    let mut a = from_bytes::<{ U704::LIMBS }>(low);
    let inside = is_zero(high) && !is_zero(low) && a < n;
    a.zeroize();
    inside
}

/// A random scalar `1 <= d < n` by FIPS 186-4, B.4.1 as libtpms draws it: eight more random bytes than the order has,
/// as one big-endian number modulo `n - 1`, plus one. Primary keys depend on it.
pub fn random_scalar(curve: Curve, random: &mut dyn Random) -> Scalar {
    let mut bytes = Zeroizing::new(vec![0; curve.size().saturating_add(8)]);
    random.fill(&mut bytes);
    let mut wide = from_bytes::<{ U704::LIMBS }>(&bytes);
    let limit = from_bytes::<{ U704::LIMBS }>(curve.parameters().n).wrapping_sub(&U704::ONE);
    let mut out = Zeroizing::new(vec![0; curve.size()]);
    // No order is 1, so the limit is never zero.
    if let Some(limit) = NonZero::new(limit).into_option() {
        let mut rest = wide.rem(&limit);
        let mut scalar = rest.wrapping_add(&U704::ONE);
        to_bytes(&scalar, &mut out);
        rest.zeroize();
        scalar.zeroize();
    }
    wide.zeroize();
    out
}

#[cfg(test)]
#[path = "scalar_tests.rs"]
mod tests;
