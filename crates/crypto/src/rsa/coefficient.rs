//! The order of the primes. A TPM keeps one of them; whoever computes with both may want the larger one first.

use crate::natural;
use crate::provider::{Crt, Rsa, RsaKey};
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// The private values of a key with the larger prime first.
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

impl RsaKey {
    /// The private values with the larger prime first; `None` if this is no key.
    pub fn larger_first(&self, rsa: &dyn Rsa) -> Option<LargerFirst> {
        let Crt { dp, dq, qinv } = self.crt(rsa).ok()?;
        if self.p >= self.q {
            return Some(LargerFirst { d_larger: copy(dp), d_smaller: copy(dq), coefficient: copy(qinv) });
        }
        let coefficient = mirrored(&self.n, &self.q, qinv, &self.p)?;
        Some(LargerFirst { d_larger: copy(dq), d_smaller: copy(dp), coefficient })
    }

    /// The same key with values that were computed before, all of the size of the primes. Nothing is checked but sizes.
    pub fn with_larger_first(self, values: &LargerFirst) -> Option<Self> {
        let LargerFirst { d_larger, d_smaller, coefficient } = values;
        let (dp, dq, qinv) = if self.p >= self.q {
            (d_larger, d_smaller, coefficient.clone())
        } else {
            (d_smaller, d_larger, mirrored(&self.n, &self.p, coefficient, &self.q)?)
        };
        let same = [dp, dq, &qinv].iter().all(|number| number.len() == self.p.len());
        same.then(|| self.with_crt(Crt { dp: dp.to_vec(), dq: dq.to_vec(), qinv: qinv.to_vec() }))
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
            let back = RsaKey::from_primes(65537, p, q).unwrap().with_larger_first(&values).unwrap();
            assert!(back.known_crt() == Some(key.crt(RUST.rsa).unwrap()));
        }
    }
}
