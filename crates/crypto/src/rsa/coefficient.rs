//! The order of the primes. A TPM keeps one of them; whoever computes with both may want the larger one first.

use crate::natural;
use crate::provider::{Crt, Rsa, RsaKey};
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// The private values of a key with the larger prime first.
#[derive(Clone)]
pub struct LargerFirst {
    /// The private exponent modulo the larger prime less one.
    pub d_larger: Zeroizing<Vec<u8>>,
    /// The private exponent modulo the smaller prime less one.
    pub d_smaller: Zeroizing<Vec<u8>>,
    /// The inverse of the smaller prime modulo the larger one.
    pub coefficient: Zeroizing<Vec<u8>>,
}

impl core::fmt::Debug for LargerFirst {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("LargerFirst(..)")
    }
}

/// `b^-1 mod a` of `inverse = a^-1 mod b`: as `a * inverse + b * x = 1 + a * b`, that is `(1 + n - a * inverse) / b`.
fn mirrored(n: &[u8], a: &[u8], inverse: &[u8], b: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let count = a.len().div_ceil(8);
    let number = |bytes| natural::from_bytes(bytes, count);
    let product = natural::mul(&number(a)?, &number(inverse)?);
    let mut rest = natural::from_bytes(n, product.len())?;
    if natural::less(&rest, &product) {
        return None;
    }
    natural::sub(&mut rest, &product);
    natural::add(&mut rest, &[1]);
    let quotient = natural::div_exact(&rest, &number(b)?)?;
    Some(natural::to_bytes(&quotient, a.len()))
}

fn copy(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes.to_vec())
}

impl LargerFirst {
    /// The values for a key whose first prime is the smaller one; `None` if they are not that key's.
    pub(super) fn for_smaller_first(&self, key: &RsaKey) -> Option<Crt> {
        let qinv = mirrored(&key.n, &key.p, &self.coefficient, &key.q)?;
        Some(Crt { dp: self.d_smaller.to_vec(), dq: self.d_larger.to_vec(), qinv: qinv.to_vec() })
    }
}

impl RsaKey {
    /// The private values with the larger prime first; `None` if this is no key.
    pub fn larger_first(&self, rsa: &dyn Rsa) -> Option<LargerFirst> {
        if let Some(values) = &self.mirrored {
            return Some(values.clone());
        }
        let Crt { dp, dq, qinv } = self.crt(rsa).ok()?;
        if self.p >= self.q {
            return Some(LargerFirst { d_larger: copy(dp), d_smaller: copy(dq), coefficient: copy(qinv) });
        }
        let coefficient = mirrored(&self.n, &self.q, qinv, &self.p)?;
        Some(LargerFirst { d_larger: copy(dq), d_smaller: copy(dp), coefficient })
    }

    /// The same key with values that were computed before, all of the size of the primes. Nothing is checked but sizes;
    /// what is turned for a smaller first prime is turned at the first private operation.
    pub fn with_larger_first(mut self, values: LargerFirst) -> Option<Self> {
        let LargerFirst { d_larger, d_smaller, coefficient } = &values;
        if [d_larger, d_smaller, coefficient].iter().any(|number| number.len() != self.p.len()) {
            return None;
        }
        if self.p >= self.q {
            let crt = Crt { dp: d_larger.to_vec(), dq: d_smaller.to_vec(), qinv: coefficient.to_vec() };
            return Some(self.with_crt(crt));
        }
        self.mirrored = Some(values);
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RUST;
    use crate::testing::hex;

    #[test]
    fn keys_come_back_in_either_order() {
        // Two primes of 64 bits: 2^64 - 59 and 2^64 - 83.
        let (large, small) = (hex("ffffffffffffffc5"), hex("ffffffffffffffad"));
        for (p, q) in [(&large, &small), (&small, &large)] {
            let key = RsaKey::from_primes(65537, p, q).unwrap();
            let values = key.larger_first(RUST.rsa).unwrap();
            let other = RsaKey::from_primes(65537, &large, &small).unwrap();
            let other = other.crt(RUST.rsa).unwrap();
            assert_eq!((&*values.d_larger, &*values.d_smaller), (&other.dp, &other.dq));
            assert_eq!(*values.coefficient, other.qinv);
            let back = RsaKey::from_primes(65537, p, q).unwrap().with_larger_first(values).unwrap();
            assert!(back.crt(RUST.rsa).unwrap() == key.crt(RUST.rsa).unwrap());
            // Values of another key are noticed when they are turned, and computed instead.
            let zeros = || Zeroizing::new(alloc::vec![0; 8]);
            let wrong = LargerFirst { d_larger: zeros(), d_smaller: zeros(), coefficient: zeros() };
            let repaired = RsaKey::from_primes(65537, p, q).unwrap().with_larger_first(wrong).unwrap();
            assert_eq!(repaired.crt(RUST.rsa).unwrap() == key.crt(RUST.rsa).unwrap(), p < q);
        }
    }
}
