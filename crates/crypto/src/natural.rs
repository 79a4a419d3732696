//! Natural numbers as little-endian limbs, for what RSA needs around modular exponentiation. All operations take the
//! same time for all values of the same length, and all numbers are wiped when dropped.

use alloc::vec;
use alloc::vec::Vec;

use zeroize::Zeroizing;

/// Limbs, least significant first; leading zeros are allowed.
pub(crate) type Natural = Zeroizing<Vec<u64>>;

/// Multiplies, and adds two more: the result always fits.
pub(crate) const fn mul_add(a: u64, b: u64, c: u64, d: u64) -> (u64, u64) {
    let wide = a as u128 * b as u128 + c as u128 + d as u128;
    (wide as u64, (wide >> 64) as u64)
}

/// `a + b + carry`.
pub(crate) const fn add_carry(a: u64, b: u64, carry: u64) -> (u64, u64) {
    let wide = a as u128 + b as u128 + carry as u128;
    (wide as u64, (wide >> 64) as u64)
}

/// `a - b - borrow`; a borrow is 0 or 1.
pub(crate) const fn sub_borrow(a: u64, b: u64, borrow: u64) -> (u64, u64) {
    let wide = (a as u128).wrapping_sub(b as u128).wrapping_sub(borrow as u128);
    (wide as u64, (wide >> 64) as u64 & 1)
}

/// `to += a * b` over the limbs of `a`; returns the carry out of them.
pub(crate) fn add_product(to: &mut [u64], a: &[u64], b: u64) -> u64 {
    let mut carry = 0;
    for (to, a) in to.iter_mut().zip(a) {
        (*to, carry) = mul_add(*a, b, *to, carry);
    }
    carry
}

/// The number in big-endian bytes, in `count` limbs; `None` if it needs more.
pub(crate) fn from_bytes(bytes: &[u8], count: usize) -> Option<Natural> {
    let mut limbs = Zeroizing::new(vec![0; count]);
    fill_from_bytes(bytes, &mut limbs).then_some(limbs)
}

/// Sets all limbs of `to` from big-endian bytes; false if they do not suffice.
pub(crate) fn fill_from_bytes(bytes: &[u8], to: &mut [u64]) -> bool {
    let mut chunks = bytes.rchunks(8);
    for limb in to.iter_mut() {
        *limb = chunks.next().unwrap_or_default().iter().fold(0, |limb, byte| limb << 8 | u64::from(*byte));
    }
    chunks.all(|chunk| chunk.iter().all(|byte| *byte == 0))
}

/// The lowest `size` bytes, big-endian.
pub(crate) fn to_bytes(limbs: &[u64], size: usize) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![0; size]);
    for (chunk, limb) in bytes.rchunks_mut(8).zip(limbs) {
        for (to, from) in chunk.iter_mut().rev().zip(limb.to_le_bytes()) {
            *to = from;
        }
    }
    bytes
}

/// The product; as many limbs as both have.
pub(crate) fn mul(a: &[u64], b: &[u64]) -> Natural {
    let mut product = Zeroizing::new(vec![0; a.len().saturating_add(b.len())]);
    for (i, limb) in b.iter().enumerate() {
        let window = product.get_mut(i..).unwrap_or_default();
        let carry = add_product(window, a, *limb);
        if let Some(top) = window.get_mut(a.len()) {
            *top = carry;
        }
    }
    product
}

/// `to += value`; returns the carry.
pub(crate) fn add(to: &mut [u64], value: &[u64]) -> u64 {
    let mut carry = 0;
    for (to, value) in to.iter_mut().zip(value.iter().chain(core::iter::repeat(&0))) {
        (*to, carry) = add_carry(*to, *value, carry);
    }
    carry
}

/// `to -= value`; returns the borrow.
pub(crate) fn sub(to: &mut [u64], value: &[u64]) -> u64 {
    let mut borrow = 0;
    for (to, value) in to.iter_mut().zip(value.iter().chain(core::iter::repeat(&0))) {
        (*to, borrow) = sub_borrow(*to, *value, borrow);
    }
    borrow
}

/// True if `a < b`; `b` has no more limbs than `a`.
pub(crate) fn less(a: &[u64], b: &[u64]) -> bool {
    let mut borrow = 0;
    for (a, b) in a.iter().zip(b.iter().chain(core::iter::repeat(&0))) {
        (_, borrow) = sub_borrow(*a, *b, borrow);
    }
    borrow == 1
}

/// Number of bits without leading zeros; takes a time that depends on it.
pub(crate) fn bits(limbs: &[u64]) -> usize {
    let mut bits = limbs.len().saturating_mul(64);
    for limb in limbs.iter().rev() {
        bits = bits.saturating_sub(limb.leading_zeros() as usize);
        if *limb != 0 {
            break;
        }
    }
    bits
}

/// The remainder of a division by a small number; 0 if that is 0.
pub(crate) fn rem(limbs: &[u64], by: u32) -> u32 {
    let by = u64::from(by);
    let step = |rem: u64, word: u64| (rem << 32 | word).checked_rem(by).unwrap_or(0);
    limbs.iter().rev().fold(0, |rem, limb| step(step(rem, limb >> 32), limb & 0xffff_ffff)) as u32
}

/// The remainder of a division by an odd number below 2^61, by multiplications (Montgomery's); 0 if that is 0.
pub(crate) fn rem_odd(limbs: &[u64], by: u64) -> u64 {
    let inverse = negative_inverse(by);
    let wide = |a: u64, b: u64| u128::from(a).wrapping_mul(u128::from(b));
    // The quotient by 2^64 modulo `by`: below 3 by if the number is below 2^65 by.
    let down = |number: u128| (number.wrapping_add(wide((number as u64).wrapping_mul(inverse), by)) >> 64) as u64;
    // 2^64 and 2^128 modulo `by`: the latter is what 2^64 becomes in Montgomery's representation.
    let one = by.wrapping_neg().checked_rem(by).unwrap_or(0);
    let two = (0..6).fold(one.wrapping_mul(2), |power, _| down(wide(power, power)));
    let step = |rem: u64, limb: &u64| down(wide(rem, two).wrapping_add(wide(*limb, one)));
    limbs.iter().rev().fold(0, step).checked_rem(by).unwrap_or(0)
}

/// `-1 / odd` modulo 2^64, by Newton's iteration.
pub(crate) const fn negative_inverse(odd: u64) -> u64 {
    // An odd number is its own inverse modulo 8; each step doubles the number of right bits: 3, 6, 12, 24, 48, 96.
    let mut inverse = odd;
    let mut step = 0;
    while step < 5 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
        step += 1;
    }
    inverse.wrapping_neg()
}

/// `value / by` if odd `by` divides it, from the low end (a remainder never appears, so nothing depends on values but
/// the number of limbs of `by`). `None` if it does not.
pub(crate) fn div_exact(value: &[u64], by: &[u64]) -> Option<Natural> {
    let inverse = negative_inverse(*by.first().filter(|low| **low & 1 == 1)?).wrapping_neg();
    let used = by.iter().rposition(|limb| *limb != 0)?.saturating_add(1);
    let mut rest = Zeroizing::new(value.to_vec());
    let mut quotient = Zeroizing::new(vec![0; value.len().saturating_add(1).saturating_sub(used)]);
    // Exact means that nothing is ever taken from beyond the number, and nothing is left of it.
    let mut wrong = 0;
    for (i, digit) in quotient.iter_mut().enumerate() {
        let (window, above) = rest.get_mut(i..)?.split_at_mut_checked(used)?;
        *digit = window.first()?.wrapping_mul(inverse);
        let mut carry = 0;
        let mut borrow = 0;
        for (to, by) in window.iter_mut().zip(by) {
            let product;
            (product, carry) = mul_add(*by, *digit, carry, 0);
            (*to, borrow) = sub_borrow(*to, product, borrow);
        }
        for to in above {
            (*to, borrow) = sub_borrow(*to, carry, borrow);
            carry = 0;
        }
        wrong |= carry | borrow;
    }
    wrong = rest.iter().fold(wrong, |wrong, limb| wrong | limb);
    (wrong == 0).then_some(quotient)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::hex;

    fn number(text: &str) -> Natural {
        from_bytes(&hex(text), 4).expect("a number that fits")
    }

    #[test]
    fn bytes_there_and_back() {
        let bytes = hex("010203040506070809");
        let limbs = from_bytes(&bytes, 2).expect("two limbs");
        assert_eq!(*limbs, [0x0203040506070809, 1]);
        assert_eq!(*to_bytes(&limbs, 9), bytes);
        assert_eq!(*to_bytes(&limbs, 3), bytes[6..]);
        assert_eq!(to_bytes(&limbs, 20)[11..], bytes);
        assert!(from_bytes(&bytes, 1).is_none());
        assert!(from_bytes(&hex("00000000000000000001"), 1).is_some());
    }

    #[test]
    fn arithmetic() {
        let (a, b) = (number("ffffffffffffffffffffffff"), number("123456789abcdef10000000000000001"));
        let product = mul(&a, &b);
        assert_eq!(*to_bytes(&product, 28), hex("123456789abcdef0ffffffffedcba9886543210effffffffffffffff"));
        assert_eq!(div_exact(&product, &b).expect("exact")[..4], a[..]);
        let mut wrong = product.clone();
        add(&mut wrong, &[1]);
        assert!(div_exact(&wrong, &b).is_none());
        assert!(div_exact(&product, &[2]).is_none());
        assert!(div_exact(&product, &[]).is_none());
        // Leading zeros of either change nothing.
        let long = [&b[..], &[0, 0]].concat();
        assert_eq!(div_exact(&product, &long).expect("exact")[..4], a[..]);
        assert_eq!(div_exact(&b, &[1, 0, 0]).expect("exact")[..], b[..]);
        assert_eq!(div_exact(&[15], &[3]).expect("exact")[..], [5]);
        assert!(div_exact(&[16], &[3]).is_none());
        // 2^64 + 3 is no multiple of 2^65 + 1, nor is a number shorter than the divisor.
        assert!(div_exact(&[3, 1], &[1, 2]).is_none());
        assert!(div_exact(&[3], &[3, 1]).is_none());
        assert!(div_exact(&[0], &[3, 1]).is_some());
        assert_eq!(sub(&mut wrong, &product), 0);
        assert_eq!(wrong[..], [1, 0, 0, 0, 0, 0, 0, 0]);
        assert!(less(&a, &b) && !less(&b, &a) && !less(&a, &a));
        assert_eq!((bits(&a), bits(&b), bits(&[0, 0])), (96, 125, 0));
        assert_eq!(rem(&b, 65_537), 0x887a);
        let ones = [u64::MAX; 32];
        for number in [&a[..], &b, &product, &ones, &[], &[5]] {
            for by in [1, 3, 105, 65_537, 0xffff_fffb, u32::MAX] {
                assert_eq!(rem_odd(number, u64::from(by)), u64::from(rem(number, by)), "{by}");
            }
        }
        // 2^a modulo 2^b - 1 is 2 to the remainder of a by b.
        assert_eq!(rem_odd(&[0, 0, 0, 1], (1 << 61) - 1), 1 << 9);
        assert_eq!(rem_odd(&ones, (1 << 48) - 1), (1 << 32) - 1);
        assert_eq!(rem_odd(&b, 0), 0);
        assert_eq!(negative_inverse(0xdead_beef_0000_0001).wrapping_mul(0xdead_beef_0000_0001), u64::MAX);
    }
}
