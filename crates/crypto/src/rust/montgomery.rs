//! Modular exponentiation by Montgomery's method, in constant time, for odd moduli of up to `L` limbs.
//!
//! What lives as long as a call is wiped; the scratch of one multiplication, which the next one overwrites, is not.

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::natural;

/// An odd modulus and what is computed once for it, wiped when dropped. `R` is 2^(64 L).
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Modulus<const L: usize> {
    n: [u64; L],
    /// `-1/n` modulo 2^64.
    inverse: u64,
    /// `R mod n`: one in Montgomery form.
    one: [u64; L],
    /// `R^2 mod n`, which brings a number into Montgomery form.
    square: [u64; L],
}

/// A number below the modulus, in Montgomery form.
pub(super) type Residue<const L: usize> = Zeroizing<[u64; L]>;

/// Bits of the exponent taken at once.
const WINDOW: usize = 5;

impl<const L: usize> Modulus<L> {
    /// Takes a big-endian modulus; `None` if it is even, below 3, or too large.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let mut n = [0; L];
        let fits = natural::fill_from_bytes(bytes, &mut n);
        let (low, high) = n.split_first()?;
        if !fits || low & 1 == 0 || (*low == 1 && high.iter().all(|limb| *limb == 0)) {
            return None;
        }
        let inverse = natural::negative_inverse(*low);
        // 2^(bits - 1) is below an odd n of that many bits: double it until it is R.
        let bits = natural::bits(&n);
        let mut one = [0; L];
        if let Some(limb) = one.get_mut(bits.saturating_sub(1) / 64) {
            *limb = 1 << (bits.saturating_sub(1) % 64);
        }
        let mut made = Self { n, inverse, one, square: [0; L] };
        for _ in bits..=(64 * L) {
            made.one = made.double(&made.one, 1);
        }
        // 2^(64 L) in Montgomery form, by its binary digits, is R^2.
        let mut square = made.one;
        for bit in (0..usize::BITS - (64 * L).leading_zeros()).rev() {
            square = made.square(&square);
            square = made.double(&square, ((64 * L) >> bit & 1) as u32);
        }
        made.square = square;
        Some(made)
    }

    /// The modulus.
    pub(super) const fn limbs(&self) -> &[u64; L] {
        &self.n
    }

    /// One.
    pub(super) const fn one(&self) -> [u64; L] {
        self.one
    }

    /// Takes any number of up to `L` limbs, modulo n.
    pub(super) fn residue(&self, number: &[u64; L]) -> [u64; L] {
        self.mul(number, &self.square)
    }

    /// Takes `high * R + low`, modulo n.
    pub(super) fn wide_residue(&self, high: &[u64; L], low: &[u64; L]) -> [u64; L] {
        let high = self.residue(&self.residue(high));
        self.add(&high, &self.residue(low))
    }

    /// The number below n that `a` stands for.
    pub(super) fn number(&self, a: &[u64; L]) -> [u64; L] {
        let mut wide = [[0; L]; 2];
        wide[0] = *a;
        self.reduce(&mut wide)
    }

    /// `a * b`; one of them may be any number of `L` limbs.
    pub(super) fn mul(&self, a: &[u64; L], b: &[u64; L]) -> [u64; L] {
        let mut wide = [[0; L]; 2];
        let limbs = wide.as_flattened_mut();
        for (pair, start) in b.chunks_exact(2).zip((0..).step_by(2)) {
            if let [b0, b1] = pair
                && let Some((window, [first, second, ..])) =
                    limbs.get_mut(start..).and_then(|w| w.split_first_chunk_mut::<L>())
            {
                (*first, *second) = rows(window, a, *b0, *b1, 0);
            }
        }
        self.reduce(&mut wide)
    }

    /// `a * a`.
    pub(super) fn square(&self, a: &[u64; L]) -> [u64; L] {
        let mut wide = [[0; L]; 2];
        let limbs = wide.as_flattened_mut();
        // Products of different limbs, once: two rows of them at a time, of which the first has one more.
        for start in (0..L).step_by(2) {
            if let Some([a0, a1, others @ ..]) = a.get(start..)
                && let Some([_, corner, window @ ..]) = limbs.get_mut(2 * start..)
            {
                let carry;
                (*corner, carry) = natural::mul_add(*a0, *a1, *corner, 0);
                if let Some((window, [first, second, ..])) = window.split_at_mut_checked(others.len()) {
                    (*first, *second) = rows(window, others, *a0, *a1, carry);
                }
            }
        }
        // Twice those, and the squares of the limbs.
        let (mut shifted, mut carry) = (0, 0);
        for (pair, factor) in limbs.chunks_exact_mut(2).zip(a) {
            if let [low, high] = pair {
                let (square_low, square_high) = natural::mul_add(*factor, *factor, 0, 0);
                let (twice_low, twice_high) = (*low << 1 | shifted, *high << 1 | *low >> 63);
                shifted = *high >> 63;
                (*low, carry) = natural::add_carry(twice_low, square_low, carry);
                (*high, carry) = natural::add_carry(twice_high, square_high, carry);
            }
        }
        self.reduce(&mut wide)
    }

    /// `a + b`.
    pub(super) fn add(&self, a: &[u64; L], b: &[u64; L]) -> [u64; L] {
        let mut sum = *a;
        let carry = natural::add(&mut sum, b);
        self.subtract_once(&mut sum, carry);
        sum
    }

    /// `a - b`.
    pub(super) fn sub(&self, a: &[u64; L], b: &[u64; L]) -> [u64; L] {
        let mut difference = *a;
        let mask = core::hint::black_box(natural::sub(&mut difference, b).wrapping_neg());
        let mut carry = 0;
        for (to, n) in difference.iter_mut().zip(&self.n) {
            (*to, carry) = natural::add_carry(*to, n & mask, carry);
        }
        difference
    }

    /// `a` times two, `times` times; `times` is 0 or 1.
    pub(super) fn double(&self, a: &[u64; L], times: u32) -> [u64; L] {
        let times = core::hint::black_box(times & 1);
        let mut twice = *a;
        let mut carry = 0;
        for limb in twice.iter_mut() {
            let next = *limb >> 63 & u64::from(times);
            *limb = *limb << times | carry;
            carry = next;
        }
        self.subtract_once(&mut twice, carry);
        twice
    }

    /// `base` to the power of a big-endian exponent; the time depends on the length of the exponent only.
    pub(super) fn power(&self, base: &[u64; L], exponent: &[u8]) -> Residue<L> {
        let exponent = natural::from_bytes(exponent, exponent.len().div_ceil(8)).unwrap_or_default();
        let mut table = Zeroizing::new([[0; L]; 1 << WINDOW]);
        let mut next = Zeroizing::new(self.one);
        for entry in table.iter_mut() {
            *entry = *next;
            *next = self.mul(&next, base);
        }
        let mut result = Zeroizing::new(self.one);
        for index in (0..exponent.len().saturating_mul(64).div_ceil(WINDOW)).rev() {
            for _ in 0..WINDOW {
                *result = self.square(&result);
            }
            let (limb, bit) = (index * WINDOW / 64, index * WINDOW % 64);
            let low = exponent.get(limb).map_or(0, |limb| limb >> bit);
            let high = exponent.get(limb + 1).map_or(0, |limb| limb << 1 << (63 - bit));
            let digit = (low | high) & ((1 << WINDOW) - 1);
            *result = self.mul(&result, &select(&*table, digit));
        }
        result
    }

    /// `base` to the power of a public exponent; the time depends on the exponent.
    pub(super) fn power_public(&self, base: &[u64; L], exponent: u32) -> Residue<L> {
        let mut result = Zeroizing::new(self.one);
        for bit in (0..u32::BITS - exponent.leading_zeros()).rev() {
            *result = self.square(&result);
            if exponent >> bit & 1 == 1 {
                *result = self.mul(&result, base);
            }
        }
        result
    }

    /// Two to the power of `n - 1`: one for every prime.
    pub(super) fn fermat_two(&self) -> Residue<L> {
        let mut result = Zeroizing::new(self.one);
        let top = natural::bits(&self.n);
        for index in (0..top).rev() {
            *result = self.square(&result);
            // n is odd, so n - 1 differs in the lowest bit only.
            let bit = self.n.get(index / 64).map_or(0, |limb| limb >> (index % 64)) & 1 & u64::from(index != 0);
            *result = self.double(&result, bit as u32);
        }
        result
    }

    /// `wide / R` modulo n, for anything below `n * R`.
    #[inline(always)]
    fn reduce(&self, wide: &mut [[u64; L]; 2]) -> [u64; L] {
        let limbs = wide.as_flattened_mut();
        let (n0, n1) = if let [n0, n1, ..] = *self.n.as_slice() { (n0, n1) } else { (0, 0) };
        let mut extra = 0;
        for start in (0..L).step_by(2) {
            if let Some((window, [first, second, ..])) =
                limbs.get_mut(start..).and_then(|w| w.split_first_chunk_mut::<L>())
                && let [t0, t1, ..] = *window.as_slice()
            {
                // The multiples of n that make the two lowest limbs zero.
                let factor0 = t0.wrapping_mul(self.inverse);
                let (_, carry) = natural::mul_add(n0, factor0, t0, 0);
                let factor1 = t1.wrapping_add(carry).wrapping_add(n1.wrapping_mul(factor0)).wrapping_mul(self.inverse);
                let (low, high) = rows(window, &self.n, factor0, factor1, 0);
                (*first, extra) = natural::add_carry(*first, low, extra);
                (*second, extra) = natural::add_carry(*second, high, extra);
            }
        }
        let mut result = wide[1];
        self.subtract_once(&mut result, extra);
        result
    }

    /// Takes n away if the number, with `carry` above it, is not below n.
    fn subtract_once(&self, number: &mut [u64; L], carry: u64) {
        let mut less = *number;
        let borrow = natural::sub(&mut less, &self.n);
        // Too small is: a borrow that the carry does not pay for.
        let keep = core::hint::black_box((borrow & (carry ^ 1)).wrapping_neg());
        for (to, less) in number.iter_mut().zip(less) {
            *to = *to & keep | less & !keep;
        }
    }
}

/// `to += a * (b0 + b1 * 2^64) + carry` over the limbs of `a`; returns the two limbs that go above. Two rows at once
/// keep two chains of carries busy, and touch memory half as often.
#[inline(always)]
fn rows(to: &mut [u64], a: &[u64], b0: u64, b1: u64, carry: u64) -> (u64, u64) {
    let (mut carry0, mut carry1, mut previous) = (carry, 0, 0);
    for (to, a) in to.iter_mut().zip(a) {
        let middle;
        (middle, carry0) = natural::mul_add(*a, b0, *to, carry0);
        (*to, carry1) = natural::mul_add(previous, b1, middle, carry1);
        previous = *a;
    }
    natural::mul_add(previous, b1, carry0, carry1)
}

/// The entry at `index`, read in a way that does not show which.
fn select<const L: usize>(table: &[[u64; L]], index: u64) -> Residue<L> {
    let mut found = Zeroizing::new([0; L]);
    for (i, entry) in (0u64..).zip(table) {
        // All ones if equal: the difference is below 2^32, so it borrows only from zero.
        let mask = core::hint::black_box(((i ^ index).wrapping_sub(1) >> 63).wrapping_neg());
        for (to, from) in found.iter_mut().zip(entry) {
            *to |= from & mask;
        }
    }
    found
}
