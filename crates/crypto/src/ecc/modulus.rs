//! The eight orders and the field primes as compile-time moduli of Montgomery arithmetic.

use crate::Curve;
use crypto_bigint::modular::{ConstMontyForm, ConstMontyParams, FixedMontyParams};
use crypto_bigint::{Limb, U192, U256, U384, U576, U640, Uint, Word};

/// A number from big-endian bytes, when the crate is compiled.
pub(crate) const fn constant<const L: usize>(bytes: &[u8]) -> Uint<L> {
    let mut limbs = [Limb::ZERO; L];
    let mut i = 0;
    while i < bytes.len() {
        let byte = bytes[bytes.len() - 1 - i] as Word;
        let limb = i / Limb::BYTES;
        limbs[limb] = Limb(limbs[limb].0 | byte << (8 * (i % Limb::BYTES)));
        i += 1;
    }
    Uint::new(limbs)
}

/// Montgomery constants of an odd modulus from big-endian bytes, when the crate is compiled.
const fn montgomery<const L: usize>(bytes: &[u8]) -> FixedMontyParams<L> {
    match constant::<L>(bytes).to_odd().into_option_copied() {
        Some(modulus) => FixedMontyParams::new_vartime(modulus),
        None => panic!("even modulus"),
    }
}

/// A number from big-endian bytes; bytes above the width are dropped.
pub(crate) fn from_bytes<const L: usize>(bytes: &[u8]) -> Uint<L> {
    let mut limbs = [Limb::ZERO; L];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.rchunks(Limb::BYTES)) {
        *limb = Limb(chunk.iter().fold(0, |word: Word, byte| word << 8 | Word::from(*byte)));
    }
    Uint::new(limbs)
}

/// Fills `out` with the low bytes of `number`, big-endian.
pub(crate) fn to_bytes<const L: usize>(number: &Uint<L>, out: &mut [u8]) {
    for (chunk, limb) in out.rchunks_mut(Limb::BYTES).zip(number.as_limbs()) {
        for (to, from) in chunk.iter_mut().rev().zip(limb.0.to_le_bytes()) {
            *to = from;
        }
    }
}

/// Reduces big-endian bytes of any length. The time depends on the length only.
pub(crate) fn reduce<M: ConstMontyParams<L>, const L: usize>(bytes: &[u8]) -> ConstMontyForm<M, L> {
    // Horner's rule in digits of the whole width: `one` of the Montgomery constants is 2^width modulo the modulus.
    let radix = ConstMontyForm::<M, L>::new(M::PARAMS.one());
    let mut sum = ConstMontyForm::ZERO;
    let width = L.saturating_mul(Limb::BYTES);
    let (head, rest) = bytes.split_at_checked(bytes.len() % width).unwrap_or((bytes, &[]));
    for digit in core::iter::once(head).chain(rest.chunks(width)) {
        sum = sum * radix + ConstMontyForm::new(&from_bytes(digit));
    }
    sum
}

macro_rules! modulus {
    ($($(#[$doc:meta])* $name:ident: $width:ty = $bytes:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(crate) struct $name;

        impl ConstMontyParams<{ <$width>::LIMBS }> for $name {
            const LIMBS: usize = <$width>::LIMBS;
            const PARAMS: FixedMontyParams<{ <$width>::LIMBS }> = montgomery($bytes);
        }
    )*};
}

modulus! {
    /// Prime of P-192.
    P192Field: U192 = Curve::P192.parameters().p;
    /// Order of P-192.
    P192Order: U192 = Curve::P192.parameters().n;
    /// Prime of P-224.
    P224Field: U256 = Curve::P224.parameters().p;
    /// Order of P-224.
    P224Order: U256 = Curve::P224.parameters().n;
    /// Order of P-256.
    P256Order: U256 = Curve::P256.parameters().n;
    /// Order of P-384.
    P384Order: U384 = Curve::P384.parameters().n;
    /// Order of P-521.
    P521Order: U576 = Curve::P521.parameters().n;
    /// Prime of BN-P256.
    Bn256Field: U256 = Curve::Bn256.parameters().p;
    /// Order of BN-P256.
    Bn256Order: U256 = Curve::Bn256.parameters().n;
    /// Prime of BN-P638.
    Bn638Field: U640 = Curve::Bn638.parameters().p;
    /// Order of BN-P638.
    Bn638Order: U640 = Curve::Bn638.parameters().n;
    /// Prime of SM2-P256.
    Sm2Field: U256 = Curve::Sm2.parameters().p;
    /// Order of SM2-P256.
    Sm2Order: U256 = Curve::Sm2.parameters().n;
}
