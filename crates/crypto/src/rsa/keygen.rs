//! RSA keys: from random numbers, from a seed, or from one prime (Part 1, B.9 and C.8; Part 4, CryptRsaGenerateKey).

use alloc::boxed::Box;
use alloc::vec::Vec;

use once_cell::race::OnceBox;
use zeroize::Zeroizing;

use crate::natural::{self, Natural};
use crate::primes::{self, SeedCompatLevel};
use crate::provider::{Crt, Crypto, CryptoError, Random, Rsa, RsaKey};

/// The exponent that TPMS_RSA_PARMS.exponent = 0 means.
pub const DEFAULT_EXPONENT: u32 = 65_537;

/// Attempts of [`generate`] to find a prime, as in Part 4.
const ATTEMPTS: usize = 99;

/// True if a key may be made with this exponent: 0 for the default, or a prime above 2^16.
pub fn exponent_is_valid(e: u32) -> bool {
    e == 0 || e >= DEFAULT_EXPONENT && primes::is_small_prime(e)
}

/// Makes a key of `bits` (1024, 2048, 3072 or 4096). An exponent of 0 is the default one. The same numbers from `rng`
/// give the same key as in libtpms: q is found first, then p, the prime that the TPM keeps. `poll` is asked between
/// candidates; when it returns true, the result is [`CryptoError::Cancelled`].
pub fn generate(
    crypto: &Crypto,
    bits: u16,
    e: u32,
    rng: &mut dyn Random,
    level: SeedCompatLevel,
    poll: &mut dyn FnMut() -> bool,
) -> Result<RsaKey, CryptoError> {
    let e = if e == 0 { DEFAULT_EXPONENT } else { e };
    if !matches!(bits, 1024 | 2048 | 3072 | 4096) {
        return Err(CryptoError::Unsupported);
    }
    if !exponent_is_valid(e) {
        return Err(CryptoError::InvalidInput);
    }
    let prime_bits = usize::from(bits) / 2;
    let mut first: Option<Zeroizing<Vec<u8>>> = None;
    for _ in 0..ATTEMPTS {
        let p = primes::find_prime(crypto, prime_bits, e, level, rng, poll)?;
        let Some(q) = &first else {
            first = Some(p);
            continue;
        };
        if far_apart(&p, q) {
            return RsaKey::from_primes(e, &p, q);
        }
    }
    Err(CryptoError::NoResult)
}

/// True if the difference has at least 100 bits after its first one (FIPS 186-4, B.3.1, asks for more of larger keys).
fn far_apart(p: &[u8], q: &[u8]) -> bool {
    let count = p.len().max(q.len()).div_ceil(8);
    let (Some(mut p), Some(mut q)) = (natural::from_bytes(p, count), natural::from_bytes(q, count)) else {
        return false;
    };
    if natural::less(&p, &q) {
        core::mem::swap(&mut p, &mut q);
    }
    natural::sub(&mut p, &q);
    natural::bits(&p) > 100
}

impl RsaKey {
    /// The key of modulus `n`, exponent `e` (0 for the default) and one prime `p` of half its size, as
    /// TPMT_SENSITIVE carries it (TPM2_Load, TPM2_Import). If `p` does not divide `n` into halves, or no private
    /// exponent exists, that is [`CryptoError::InvalidInput`]: TPM_RC_BINDING.
    pub fn from_prime(n: &[u8], e: u32, p: &[u8]) -> Result<Self, CryptoError> {
        if p.len().checked_mul(2) != Some(n.len()) {
            return Err(CryptoError::InvalidInput);
        }
        let half = natural::from_bytes(p, p.len().div_ceil(8)).ok_or(CryptoError::InvalidInput)?;
        let whole = natural::from_bytes(n, n.len().div_ceil(8)).ok_or(CryptoError::InvalidInput)?;
        let q = natural::div_exact(&whole, &half).ok_or(CryptoError::InvalidInput)?;
        if natural::bits(&q) > p.len().saturating_mul(8) {
            return Err(CryptoError::InvalidInput);
        }
        let key = Self::from_primes(e, p, &natural::to_bytes(&q, p.len()))?;
        if key.n == n { Ok(key) } else { Err(CryptoError::InvalidInput) }
    }

    /// The key of two different primes of the same size; `p` is the one that the TPM keeps.
    pub fn from_primes(e: u32, p: &[u8], q: &[u8]) -> Result<Self, CryptoError> {
        let e = if e == 0 { DEFAULT_EXPONENT } else { e };
        let size = p.len();
        let count = size.div_ceil(8);
        if q.len() != size {
            return Err(CryptoError::InvalidInput);
        }
        let number = |bytes| natural::from_bytes(bytes, count).ok_or(CryptoError::InvalidInput);
        let (p_number, q_number) = (number(p)?, number(q)?);
        let n = natural::to_bytes(&natural::mul(&p_number, &q_number), size.saturating_mul(2));
        // What would be refused at the first private operation is refused now.
        let exists = |prime: &Natural| {
            let mut less_one = prime.clone();
            natural::sub(&mut less_one, &[1]);
            small_inverse(natural::rem(&less_one, e), e).is_some()
        };
        if p_number == q_number || !exists(&p_number) || !exists(&q_number) {
            return Err(CryptoError::InvalidInput);
        }
        Ok(Self { n: n.to_vec(), e, p: p.to_vec(), q: q.to_vec(), crt: OnceBox::new(), mirrored: None })
    }

    /// The key of numbers that a [`RsaKey`] had, from a place that nobody else can write. Only sizes are checked.
    pub fn restored(n: &[u8], e: u32, p: &[u8], q: &[u8]) -> Result<Self, CryptoError> {
        if q.len() != p.len() || p.len().checked_mul(2) != Some(n.len()) {
            return Err(CryptoError::InvalidInput);
        }
        Ok(Self { n: n.to_vec(), e, p: p.to_vec(), q: q.to_vec(), crt: OnceBox::new(), mirrored: None })
    }

    /// The same key with values that were computed before.
    pub fn with_crt(mut self, crt: Crt) -> Self {
        self.crt = OnceBox::with_value(Box::new(crt));
        self
    }

    /// The values of the Chinese remainder theorem, computed at the first call. `p` and `q` of a caller that are no
    /// primes can be [`CryptoError::InvalidInput`].
    pub fn crt(&self, rsa: &dyn Rsa) -> Result<&Crt, CryptoError> {
        self.crt.get_or_try_init(|| {
            if let Some(crt) = self.mirrored.as_ref().and_then(|values| values.for_smaller_first(self)) {
                return Ok(Box::new(crt));
            }
            let half = |prime: &[u8]| {
                let number = natural::from_bytes(prime, prime.len().div_ceil(8)).ok_or(CryptoError::InvalidInput)?;
                half_exponent(self.e, number, prime.len())
            };
            let (dp, dq) = (half(&self.p)?.to_vec(), half(&self.q)?.to_vec());
            Ok(Box::new(Crt { dp, dq, qinv: rsa.invert(&self.q, &self.p)?.to_vec() }))
        })
    }

    /// Those values if they have been computed.
    pub fn known_crt(&self) -> Option<&Crt> {
        self.crt.get()
    }
}

/// `e^-1 mod (prime - 1)`, as `(1 + k * (prime - 1)) / e` with the k below e that makes it whole.
fn half_exponent(e: u32, mut less_one: Natural, size: usize) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    natural::sub(&mut less_one, &[1]);
    let inverse = small_inverse(natural::rem(&less_one, e), e).ok_or(CryptoError::InvalidInput)?;
    let k = u64::from(e.wrapping_sub(inverse));
    let mut product = natural::mul(&less_one, &[k]);
    natural::add(&mut product, &[1]);
    let exponent = natural::div_exact(&product, &[u64::from(e)]).ok_or(CryptoError::InvalidInput)?;
    Ok(natural::to_bytes(&exponent, size))
}

/// `value^-1 mod modulus`, by Euclid's algorithm. Its time depends on `value`, which is what a prime leaves modulo the
/// public exponent.
fn small_inverse(value: u32, modulus: u32) -> Option<u32> {
    let (mut old_rem, mut rem) = (i64::from(modulus), i64::from(value));
    let (mut old_factor, mut factor) = (0i64, 1i64);
    while rem != 0 {
        let quotient = old_rem.checked_div(rem)?;
        (old_rem, rem) = (rem, old_rem - quotient * rem);
        (old_factor, factor) = (factor, old_factor - quotient * factor);
    }
    if old_rem != 1 {
        return None;
    }
    u32::try_from(old_factor.checked_rem_euclid(i64::from(modulus))?).ok()
}

#[cfg(test)]
#[path = "keygen_tests.rs"]
mod tests;
