//! Tests of primality on eight numbers at once.

use super::moduli::{DIGIT, Moduli, Numbers, is_one, load, select};
use super::{LANES, Size};
use zeroize::Zeroizing;

/// The lanes in which `2^(w - 1) mod w = 1`. Candidates are odd, and of `size`.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn fermat<const N: usize>(candidates: &[&[u8]; LANES], size: Size) -> u8 {
    let mut moduli = Moduli::<N>::new(candidates);
    let mut x = moduli.one(size.above);
    for bit in (1..size.below).rev() {
        let doubled = moduli.bit(bit);
        moduli.square(&mut x, doubled);
    }
    // The lowest bit of the exponent is zero.
    moduli.square(&mut x, 0);
    moduli.leave(&mut x);
    is_one(&*x)
}

/// Bits of the exponent for each look into the table of powers.
const WINDOW: usize = 4;

/// The lanes whose base passes a round of Miller-Rabin (FIPS 186-4, C.3.1). The candidate is odd, above 3, and of
/// `size`; so are the bases, which may also be smaller.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn miller_rabin<const N: usize>(candidate: &[u8], bases: &[&[u8]], size: Size) -> u8 {
    let mut moduli = Moduli::<N>::new(&[candidate; LANES]);
    let one = moduli.one(size.above);
    // In Montgomery's representation R is R^2: a power of two. A base times that, over R, is the base in it.
    let mut r = one.clone();
    let exponent = N.saturating_mul(DIGIT);
    for bit in (0..=exponent.ilog2()).rev() {
        moduli.square(&mut r, if exponent >> bit & 1 == 1 { u8::MAX } else { 0 });
    }
    let mut base = load::<N>(bases);
    moduli.multiply(&mut base, &r);
    let mut table: Zeroizing<Vec<Numbers<N>>> = Zeroizing::new(vec![*one; 1 << WINDOW]);
    let mut last = one.clone();
    for power in table.iter_mut().skip(1) {
        moduli.multiply(&mut last, &base);
        *power = *last;
    }
    // w - 1 = 2^a m
    let a = (1..size.below).find(|bit| moduli.bit(*bit) != 0).unwrap_or(size.below);
    let mut z = one.clone();
    let mut power = one;
    for place in (0..size.below).step_by(WINDOW).rev() {
        for _ in 0..WINDOW {
            moduli.square(&mut z, 0);
        }
        select(&table, window(candidate, place.saturating_add(a)), &mut power);
        moduli.multiply(&mut z, &power);
    }
    let mut number = z.clone();
    moduli.leave(&mut number);
    let mut passed = is_one(&*number) | moduli.is_minus_one(&number);
    for _ in 1..a {
        moduli.square(&mut z, 0);
        number.clone_from(&z);
        moduli.leave(&mut number);
        passed |= moduli.is_minus_one(&number);
    }
    passed
}

/// The bits of a big-endian number from `at` on.
fn window(number: &[u8], at: usize) -> u8 {
    let byte = |place: usize| u16::from(number.iter().rev().nth(place).copied().unwrap_or(0));
    let two = byte(at / 8) | byte((at / 8).saturating_add(1)) << 8;
    (two >> (at % 8) & ((1 << WINDOW) - 1)) as u8
}
