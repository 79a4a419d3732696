//! The private exponent of an RSA key. Whoever has the primes does not need it, but key files have a place for it.

use zeroize::Zeroizing;

/// `a - b`, of big-endian numbers; `b` is not longer than `a`.
fn subtract(a: &mut [u8], b: &[u8]) -> Option<()> {
    let mut borrow = 0u8;
    let b = core::iter::repeat_n(0u8, a.len().checked_sub(b.len())?).chain(b.iter().copied()).collect::<Vec<_>>();
    let b = Zeroizing::new(b);
    for (x, y) in a.iter_mut().rev().zip(b.iter().rev()) {
        let (value, first) = x.overflowing_sub(*y);
        let (value, second) = value.overflowing_sub(borrow);
        *x = value;
        borrow = u8::from(first || second);
    }
    (borrow == 0).then_some(())
}

/// `a * factor + add`, in one more word than `a`.
fn multiply(a: &[u8], factor: u32, add: u32) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(vec![0u8; a.len().saturating_add(8)]);
    let mut carry = u64::from(add);
    let digits = a.iter().rev().copied().chain(core::iter::repeat(0));
    for (place, digit) in out.iter_mut().rev().zip(digits) {
        let value = u64::from(digit).saturating_mul(u64::from(factor)).saturating_add(carry);
        *place = (value & 0xFF) as u8;
        carry = value >> 8;
    }
    out
}

/// `a / by` and the rest.
fn divide(a: &mut [u8], by: u32) -> Option<u32> {
    let mut rest = 0u64;
    for digit in a {
        let value = rest << 8 | u64::from(*digit);
        *digit = u8::try_from(value.checked_div(u64::from(by))?).ok()?;
        rest = value.checked_rem(u64::from(by))?;
    }
    u32::try_from(rest).ok()
}

/// `a^-1 mod m`.
fn inverse(a: u32, m: u32) -> Option<u32> {
    let (mut old, mut new) = ((i64::from(a), 1i64), (i64::from(m), 0i64));
    while new.0 != 0 {
        let times = old.0.checked_div(new.0)?;
        let next = (old.0.checked_sub(times.checked_mul(new.0)?)?, old.1.checked_sub(times.checked_mul(new.1)?)?);
        (old, new) = (new, next);
    }
    if old.0 != 1 {
        return None;
    }
    u32::try_from(old.1.checked_rem_euclid(i64::from(m))?).ok()
}

/// `e^-1 mod (p-1)(q-1)`: `(1 + k (p-1)(q-1)) / e` with the k below e that makes it whole. The time depends on the key a
/// little; it is used once, when the key is made.
pub(super) fn private_exponent(e: u32, n: &[u8], p: &[u8], q: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut phi = Zeroizing::new(n.to_vec());
    subtract(&mut phi, p)?;
    subtract(&mut phi, q)?;
    let phi = multiply(&phi, 1, 1);
    let rest = divide(&mut Zeroizing::new(phi.to_vec()), e)?;
    let k = e.checked_sub(inverse(rest, e)?)?;
    let mut d = multiply(&phi, k, 1);
    if divide(&mut d, e)? != 0 {
        return None;
    }
    let zeros = d.iter().take_while(|byte| **byte == 0).count();
    d.get(zeros..).map(|bytes| Zeroizing::new(bytes.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_keys_come_out_right() {
        // p = 61, q = 53, e = 17: phi = 3120, d = 2753.
        assert_eq!(*private_exponent(17, &3233u16.to_be_bytes(), &[61], &[53]).unwrap(), 2753u16.to_be_bytes());
        // p = 65521, q = 65519, e = 65537: Python's pow(65537, -1, 65520 * 65518).
        let n = (65521u32 * 65519).to_be_bytes();
        let d = private_exponent(65537, &n, &65521u16.to_be_bytes(), &65519u16.to_be_bytes()).unwrap();
        let value = d.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
        assert_eq!(u128::from(value) * 65537 % (65520 * 65518), 1);
        // Not prime to phi.
        assert_eq!(private_exponent(3, &3233u16.to_be_bytes(), &[61], &[53]), None);
    }
}
