//! RSA arithmetic on our own Montgomery multiplication: no crate offers raw RSA with primes from a seed.

use alloc::vec::Vec;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::montgomery::Modulus;
use crate::natural::{self, Natural};
use crate::provider::{CryptoError, Rsa, RsaKey};

/// The [`Rsa`] part in pure Rust: moduli of up to 4096 bits.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustRsa;

/// Calls a function of one const parameter, the number of limbs, with the smallest that is compiled and fits `$bytes`.
macro_rules! sized {
    ($bytes:expr, $function:ident($($argument:expr),*), $otherwise:expr) => {
        match $bytes {
            0..=64 => $function::<8>($($argument),*),
            65..=128 => $function::<16>($($argument),*),
            129..=192 => $function::<24>($($argument),*),
            193..=256 => $function::<32>($($argument),*),
            257..=384 => $function::<48>($($argument),*),
            385..=512 => $function::<64>($($argument),*),
            _ => $otherwise,
        }
    };
}

impl Rsa for RustRsa {
    fn public(&self, n: &[u8], e: u32, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let n = significant(n);
        let mut made = sized!(n.len(), public(n, e, message), Err(CryptoError::Unsupported))?;
        Ok(core::mem::take(&mut *made))
    }

    fn private(&self, key: &RsaKey, cipher: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let n = significant(&key.n);
        let size = significant(&key.p).len().max(significant(&key.q).len());
        let c = natural::from_bytes(cipher, n.len().div_ceil(8)).ok_or(CryptoError::TooLarge)?;
        let modulus = natural::from_bytes(n, n.len().div_ceil(8)).ok_or(CryptoError::InvalidInput)?;
        if !natural::less(&c, &modulus) {
            return Err(CryptoError::TooLarge);
        }
        let m = sized!(size, private(key, &c), Err(CryptoError::Unsupported))?;
        let m = natural::to_bytes(&m, n.len());
        // A fault in one half would let anybody compute a prime from the result.
        let again = sized!(n.len(), public(n, key.e, &m), Err(CryptoError::Unsupported))?;
        if bool::from(again.ct_eq(&natural::to_bytes(&c, n.len()))) { Ok(m) } else { Err(CryptoError::Mismatch) }
    }

    fn invert(&self, value: &[u8], prime: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        sized!(prime.len(), inverse(value, prime), Err(CryptoError::Unsupported))
    }

    fn fermat(&self, candidates: &[Zeroizing<Vec<u8>>]) -> Vec<bool> {
        let test = |candidate: &Zeroizing<Vec<u8>>| {
            let candidate = significant(candidate);
            sized!(candidate.len(), fermat(candidate), false)
        };
        candidates.iter().map(test).collect()
    }

    fn miller_rabin(&self, candidate: &[u8], bases: &[Zeroizing<Vec<u8>>]) -> bool {
        let candidate = significant(candidate);
        sized!(candidate.len(), miller_rabin(candidate, bases), false)
    }
}

/// `value^-1 mod prime` as `value^(prime - 2)`, which takes the same time for all primes of a size. The result is
/// checked, because a caller's `prime` may be none.
fn inverse<const L: usize>(value: &[u8], prime: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let modulus = Modulus::<L>::new(prime).ok_or(CryptoError::InvalidInput)?;
    let value = array::<L>(value).ok_or(CryptoError::InvalidInput)?;
    let value = Zeroizing::new(modulus.residue(&value));
    let mut exponent = Zeroizing::new(*modulus.limbs());
    natural::sub(&mut *exponent, &[2]);
    let inverse = modulus.power(&value, &natural::to_bytes(&*exponent, prime.len()));
    if modulus.mul(&value, &inverse) != modulus.one() {
        return Err(CryptoError::InvalidInput);
    }
    Ok(natural::to_bytes(&modulus.number(&inverse), prime.len()))
}

/// Without leading zeros.
fn significant(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// A number as an array; `None` if it is too long.
fn array<const L: usize>(bytes: &[u8]) -> Option<Zeroizing<[u64; L]>> {
    let mut limbs = Zeroizing::new([0; L]);
    natural::fill_from_bytes(bytes, &mut *limbs).then_some(limbs)
}

fn public<const L: usize>(n: &[u8], e: u32, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let modulus = Modulus::<L>::new(n).ok_or(CryptoError::InvalidInput)?;
    let message = array::<L>(message).ok_or(CryptoError::TooLarge)?;
    if !natural::less(&*message, modulus.limbs()) {
        return Err(CryptoError::TooLarge);
    }
    let message = Zeroizing::new(modulus.residue(&message));
    let result = Zeroizing::new(modulus.number(&modulus.power_public(&message, e)));
    Ok(natural::to_bytes(&*result, n.len()))
}

/// PKCS #1, 5.1.2, 2b. `L` is the size of the larger prime.
fn private<const L: usize>(key: &RsaKey, c: &Natural) -> Result<Natural, CryptoError> {
    let bad = CryptoError::InvalidInput;
    let p = Modulus::<L>::new(&key.p).ok_or(bad)?;
    let q = Modulus::<L>::new(&key.q).ok_or(bad)?;
    let mut halves = Zeroizing::new([[0; L]; 2]);
    if c.len() > 2 * L {
        return Err(bad);
    }
    for (to, from) in halves.as_flattened_mut().iter_mut().zip(c.iter()) {
        *to = *from;
    }
    let [low, high] = &*halves;
    let crt = key.crt(&RustRsa)?;
    let m1 = p.power(&Zeroizing::new(p.wide_residue(high, low)), &crt.dp);
    let m2 = Zeroizing::new(q.number(&q.power(&Zeroizing::new(q.wide_residue(high, low)), &crt.dq)));
    // h = (m1 - m2) * qinv mod p: a residue times a plain number is a plain number.
    let difference = Zeroizing::new(p.sub(&m1, &p.residue(&m2)));
    let h = Zeroizing::new(p.mul(&difference, &*array::<L>(&crt.qinv).ok_or(bad)?));
    let mut m = natural::mul(&*h, q.limbs());
    natural::add(&mut m, &*m2);
    Ok(m)
}

/// `2^(w - 1) mod w = 1`, a fifth cheaper than a round of Miller-Rabin.
fn fermat<const L: usize>(candidate: &[u8]) -> bool {
    Modulus::<L>::new(candidate).is_some_and(|w| *w.fermat_two() == w.one())
}

/// FIPS 186-4, C.3.1.
fn miller_rabin<const L: usize>(candidate: &[u8], bases: &[Zeroizing<Vec<u8>>]) -> bool {
    let Some(w) = Modulus::<L>::new(candidate) else {
        return false;
    };
    let one = w.one();
    let minus_one = Zeroizing::new(w.sub(&[0; L], &one));
    // w - 1 = 2^a * m
    let mut m = Zeroizing::new(*w.limbs());
    natural::sub(&mut *m, &[1]);
    let a = m.iter().take_while(|limb| **limb == 0).count() * 64
        + m.iter().find(|limb| **limb != 0).map_or(0, |limb| limb.trailing_zeros() as usize);
    let m = shift_right(&*m, a, candidate.len());
    'round: for base in bases {
        let Some(base) = array::<L>(base) else {
            return false;
        };
        let mut z = w.power(&Zeroizing::new(w.residue(&base)), &m);
        if *z == one || *z == *minus_one {
            continue;
        }
        for _ in 1..a {
            *z = w.square(&z);
            if *z == *minus_one {
                continue 'round;
            }
        }
        return false;
    }
    true
}

/// `limbs / 2^by` as `size` big-endian bytes.
fn shift_right(limbs: &[u64], by: usize, size: usize) -> Zeroizing<Vec<u8>> {
    let mut shifted = Zeroizing::new(Vec::with_capacity(limbs.len()));
    let (words, bits) = (by / 64, by % 64);
    for (i, limb) in limbs.iter().enumerate().skip(words) {
        let next = limbs.get(i + 1).copied().unwrap_or(0);
        shifted.push(limb >> bits | next << 1 << (63 - bits));
    }
    natural::to_bytes(&shifted, size)
}

#[cfg(test)]
#[path = "rsa_tests.rs"]
mod tests;
