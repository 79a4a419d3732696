//! Montgomery arithmetic modulo eight numbers at once, with the instructions AVX-512 IFMA: products of digits of 52 bits,
//! one number in each of the eight 64-bit lanes of a vector.
//!
//! A number has `N` digits, `N` even, and R is 2^(52 N). Moduli are odd and below R / 16; then numbers below four times
//! their modulus stay so, without a subtraction: of factors below 4 m the product over R is below 16 m^2 / R + m, so
//! below 2 m, and below 4 m when doubled. Nothing here branches on a number, or takes an index from one.
//!
//! Columns of products are added up two at a time: so each load feeds two multiplications, and four sums wait for
//! their additions side by side. Sums of up to 4 N values of 52 bits, doubled, fit 64 bits for all sizes in use.

use super::LANES;
use core::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_cmpeq_epi64_mask, _mm512_cmplt_epi64_mask,
    _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_mask_add_epi64, _mm512_mask_mov_epi64, _mm512_or_si512,
    _mm512_set_epi64, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_srai_epi64, _mm512_srli_epi64, _mm512_sub_epi64,
    _mm512_test_epi64_mask, _mm512_xor_si512,
};
use zeroize::{Zeroize, Zeroizing};

/// Bits of a digit.
pub(super) const DIGIT: usize = 52;

/// The low bits of a lane that are a digit.
const MASK: i64 = (1 << DIGIT) - 1;

pub(super) type Vector = __m512i;

/// Eight numbers, least significant digit first.
pub(super) type Numbers<const N: usize> = [Vector; N];

/// `sum` and the low digit of a product of digits.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn low(sum: Vector, a: Vector, b: Vector) -> Vector {
    _mm512_madd52lo_epu64(sum, a, b)
}

/// `sum` and the high digit of a product of digits.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn high(sum: Vector, a: Vector, b: Vector) -> Vector {
    _mm512_madd52hi_epu64(sum, a, b)
}

/// What of a column goes into the next one.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn carry_of(sum: Vector) -> Vector {
    _mm512_srli_epi64::<{ DIGIT as u32 }>(sum)
}

/// Two columns of a product, and what goes into the column above: the sum over `a` upwards with `b` downwards, where
/// `above` is the digit above the topmost one of `b`. Also returns the digit that has not met the next one of `a`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn columns(a: &[Vector], b: &[Vector], above: Vector, sums: [Vector; 2]) -> ([Vector; 4], Vector) {
    let ([mut c0, mut c1], mut d1, mut c2) = (sums, _mm512_setzero_si512(), _mm512_setzero_si512());
    let mut above = above;
    for (x, y) in a.iter().zip(b.iter().rev()) {
        c0 = low(c0, *x, *y);
        c1 = high(c1, *x, *y);
        d1 = low(d1, *x, above);
        c2 = high(c2, *x, above);
        above = *y;
    }
    ([c0, c1, d1, c2], above)
}

/// Digit `at` of each of up to eight big-endian numbers.
#[target_feature(enable = "avx512f,avx512ifma")]
fn digits_at(numbers: &[&[u8]], at: usize) -> Vector {
    // A digit starts at a byte or in its middle: seven bytes have all of it.
    let start = at.saturating_mul(DIGIT);
    let digit = |lane: usize| {
        let bytes = numbers.get(lane).copied().unwrap_or_default();
        let byte = |place: usize| bytes.iter().rev().nth(place).copied().unwrap_or(0);
        let first = start / 8;
        let seven = (first..first.saturating_add(7)).rev().fold(0, |all, place| all << 8 | i64::from(byte(place)));
        seven >> (start % 8) & MASK
    };
    _mm512_set_epi64(digit(7), digit(6), digit(5), digit(4), digit(3), digit(2), digit(1), digit(0))
}

/// Up to eight big-endian numbers, which must be below R; lanes without one are zero.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn load<const N: usize>(numbers: &[&[u8]]) -> Zeroizing<Numbers<N>> {
    let mut loaded = Zeroizing::new([_mm512_setzero_si512(); N]);
    for (at, digits) in loaded.iter_mut().enumerate() {
        *digits = digits_at(numbers, at);
    }
    loaded
}

/// The lanes in which `a` has the digits of `b`.
#[target_feature(enable = "avx512f,avx512ifma")]
fn same(a: &[Vector], b: impl Iterator<Item = Vector>) -> u8 {
    let zero = _mm512_setzero_si512();
    let differences = a.iter().zip(b).fold(zero, |all, (a, b)| _mm512_or_si512(all, _mm512_xor_si512(*a, b)));
    _mm512_cmpeq_epi64_mask(differences, zero)
}

/// The lanes in which a number is one.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn is_one(x: &[Vector]) -> u8 {
    let one = core::iter::once(_mm512_set1_epi64(1));
    same(x, one.chain(core::iter::repeat(_mm512_setzero_si512())))
}

/// Makes `to` the entry of `table` at `index`, by reading all of them.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn select<const N: usize>(table: &[Numbers<N>], index: u8, to: &mut Numbers<N>) {
    // As a vector like any other, so that no compiler makes a branch of the comparisons.
    let index = core::hint::black_box(_mm512_set1_epi64(i64::from(index)));
    for (at, entry) in (0..).zip(table) {
        let hit = _mm512_cmpeq_epi64_mask(index, _mm512_set1_epi64(at));
        for (to, digit) in to.iter_mut().zip(entry) {
            *to = _mm512_mask_mov_epi64(*to, hit, *digit);
        }
    }
}

/// Eight odd moduli.
pub(super) struct Moduli<const N: usize> {
    digits: Numbers<N>,
    /// `-1 / modulus` modulo 2^52.
    inverse: Vector,
    /// Twice the digits of a number: a product before it is reduced.
    product: [Numbers<N>; 2],
    /// The multiples of the modulus that are added to reduce.
    quotient: Numbers<N>,
}

impl<const N: usize> Drop for Moduli<N> {
    fn drop(&mut self) {
        self.digits.zeroize();
        self.inverse.zeroize();
        self.product.zeroize();
        self.quotient.zeroize();
    }
}

impl<const N: usize> Moduli<N> {
    /// Of eight odd numbers below R / 16.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn new(numbers: &[&[u8]; LANES]) -> Self {
        let zero = _mm512_setzero_si512();
        let digits = *load::<N>(numbers);
        // An odd number is its own inverse modulo 8; each step doubles the number of right bits. A product takes only
        // the low 52 bits of its factors.
        let lowest = digits.first().copied().unwrap_or(zero);
        let mut inverse = lowest;
        for _ in 0..5 {
            let rest = _mm512_sub_epi64(_mm512_set1_epi64(2), low(zero, lowest, inverse));
            inverse = low(zero, inverse, rest);
        }
        let inverse = _mm512_sub_epi64(zero, inverse);
        Self { digits, inverse, product: [[zero; N]; 2], quotient: [zero; N] }
    }

    /// The lanes whose modulus has this bit.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn bit(&self, at: usize) -> u8 {
        let digit = self.digits.get(at / DIGIT).copied().unwrap_or(_mm512_setzero_si512());
        _mm512_test_epi64_mask(digit, _mm512_set1_epi64(1 << (at % DIGIT)))
    }

    /// The lanes in which a number is the modulus less one.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn is_minus_one(&self, x: &Numbers<N>) -> u8 {
        // Moduli are odd.
        let one = core::iter::once(_mm512_set1_epi64(1)).chain(core::iter::repeat(_mm512_setzero_si512()));
        same(x, self.digits.iter().zip(one).map(|(m, one)| _mm512_sub_epi64(*m, one)))
    }

    /// R modulo each modulus: the one of Montgomery's representation. All moduli must be above 2^`known`.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn one(&mut self, known: usize) -> Zeroizing<Numbers<N>> {
        let mut x = Zeroizing::new([_mm512_setzero_si512(); N]);
        if let Some(digit) = x.get_mut(known / DIGIT) {
            *digit = _mm512_set1_epi64(1 << (known % DIGIT));
        }
        for _ in known..N.saturating_mul(DIGIT) {
            self.double(&mut x);
        }
        x
    }

    /// Doubles numbers below their moduli, modulo these.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn double(&mut self, x: &mut Numbers<N>) {
        let (mask, zero) = (_mm512_set1_epi64(MASK), _mm512_setzero_si512());
        let (mut carry, mut borrow) = (zero, zero);
        for ((x, m), less) in x.iter_mut().zip(&self.digits).zip(&mut self.quotient) {
            let double = _mm512_add_epi64(_mm512_add_epi64(*x, *x), carry);
            (*x, carry) = (_mm512_and_si512(double, mask), carry_of(double));
            let difference = _mm512_add_epi64(_mm512_sub_epi64(*x, *m), borrow);
            (*less, borrow) = (_mm512_and_si512(difference, mask), _mm512_srai_epi64::<{ DIGIT as u32 }>(difference));
        }
        let below = _mm512_cmplt_epi64_mask(borrow, zero);
        for (x, less) in x.iter_mut().zip(&self.quotient) {
            *x = _mm512_mask_mov_epi64(*less, below, *x);
        }
    }

    /// `x` becomes `x^2 / R`, and in the lanes `doubled` twice that.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn square(&mut self, x: &mut Numbers<N>, doubled: u8) {
        let zero = _mm512_setzero_si512();
        let mut spill = zero;
        for (h, [t0, t1]) in self.product.as_flattened_mut().as_chunks_mut::<2>().0.iter_mut().enumerate() {
            // Products of different digits count twice; the lower digit is in `left`.
            let k = h.wrapping_mul(2);
            let start = k.wrapping_add(1).saturating_sub(N);
            let left = x.get(start..h).unwrap_or_default();
            let right = x.get(h.wrapping_add(1)..k.wrapping_add(1).wrapping_sub(start)).unwrap_or_default();
            let above = x.get(k.wrapping_add(1)).copied().unwrap_or(zero);
            let ([c0, c1, d1, c2], next) = columns(left, right, above, [zero; 2]);
            let middle = x.get(h).copied().unwrap_or(zero);
            let c0 = _mm512_add_epi64(c0, spill);
            let c1 = _mm512_add_epi64(c1, low(d1, middle, next));
            *t0 = low(_mm512_add_epi64(c0, c0), middle, middle);
            *t1 = high(_mm512_add_epi64(c1, c1), middle, middle);
            spill = high(c2, middle, next);
        }
        self.reduce(x, doubled);
    }

    /// `x` becomes `x y / R`.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn multiply(&mut self, x: &mut Numbers<N>, y: &Numbers<N>) {
        let zero = _mm512_setzero_si512();
        let mut spill = zero;
        for (h, [t0, t1]) in self.product.as_flattened_mut().as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let k = h.wrapping_mul(2);
            let start = k.wrapping_add(1).saturating_sub(N);
            let (left, right) = (x.get(start..).unwrap_or_default(), y.get(..=k).unwrap_or(y));
            // Of the lower half `left` has more digits than `right`: the next one ends the upper column.
            let right = right.get(start..).unwrap_or_default();
            let above = y.get(k.wrapping_add(1)).copied().unwrap_or(zero);
            let ([c0, c1, d1, c2], next) = columns(left, right, above, [zero; 2]);
            let last = left.get(right.len()).copied().unwrap_or(zero);
            *t0 = _mm512_add_epi64(c0, spill);
            *t1 = _mm512_add_epi64(c1, low(d1, last, next));
            spill = high(c2, last, next);
        }
        self.reduce(x, 0);
    }

    /// `x` becomes `x / R`, no more than the modulus: what Montgomery's representation stands for.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn leave(&mut self, x: &mut Numbers<N>) {
        self.product = [*x, [_mm512_setzero_si512(); N]];
        self.reduce(x, 0);
    }

    /// `to` becomes the product over R, and in the lanes `doubled` twice that.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn reduce(&mut self, to: &mut Numbers<N>, doubled: u8) {
        let (mask, zero) = (_mm512_set1_epi64(MASK), _mm512_setzero_si512());
        let m0 = self.digits.first().copied().unwrap_or(zero);
        let [lower, upper] = &self.product;
        // The lower half becomes zero by multiples of the modulus.
        let (mut spill, mut carry) = (zero, zero);
        for (h, [t0, t1]) in lower.as_chunks::<2>().0.iter().enumerate() {
            let k = h.wrapping_mul(2);
            let known = self.quotient.get(..k).unwrap_or_default();
            let digits = self.digits.get(1..=k).unwrap_or_default();
            let above = self.digits.get(k.wrapping_add(1)).copied().unwrap_or(zero);
            let ([c0, c1, d1, c2], m1) = columns(known, digits, above, [*t0, *t1]);
            let c0 = _mm512_add_epi64(c0, _mm512_add_epi64(spill, carry));
            let q0 = low(zero, c0, self.inverse);
            let carry0 = carry_of(low(c0, q0, m0));
            let c1 = _mm512_add_epi64(_mm512_add_epi64(high(c1, q0, m0), low(d1, q0, m1)), carry0);
            let q1 = low(zero, c1, self.inverse);
            carry = carry_of(low(c1, q1, m0));
            spill = high(high(c2, q0, m1), q1, m0);
            if let Some([to0, to1]) = self.quotient.as_chunks_mut::<2>().0.get_mut(h) {
                (*to0, *to1) = (q0, q1);
            }
        }
        // The upper half is the result; the carry from the lower half is doubled with it.
        (spill, carry) = (_mm512_add_epi64(spill, carry), zero);
        for (h, ([t0, t1], [to0, to1])) in upper.as_chunks::<2>().0.iter().zip(to.as_chunks_mut::<2>().0).enumerate() {
            let start = h.wrapping_mul(2).wrapping_add(1);
            let known = self.quotient.get(start..).unwrap_or_default();
            let digits = self.digits.get(start..).unwrap_or_default();
            let ([c0, c1, d1, c2], _) = columns(known, digits, zero, [*t0, *t1]);
            let (c0, c1) = (_mm512_add_epi64(c0, spill), _mm512_add_epi64(c1, d1));
            let c0 = _mm512_add_epi64(_mm512_mask_add_epi64(c0, doubled, c0, c0), carry);
            let c1 = _mm512_add_epi64(_mm512_mask_add_epi64(c1, doubled, c1, c1), carry_of(c0));
            (*to0, *to1) = (_mm512_and_si512(c0, mask), _mm512_and_si512(c1, mask));
            (spill, carry) = (c2, carry_of(c1));
        }
    }
}
