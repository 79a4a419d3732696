//! RSA arithmetic and the prime test on the native library.

use crate::bignum::{Modulus, Number};
use crate::lanes::{LANES, Lanes};
use sealwright_crypto::rust::RustRsa;
use sealwright_crypto::{CryptoError, Rsa, RsaKey};
use zeroize::Zeroizing;

/// RSA of AWS-LC, for moduli of up to 4096 bits as in [`RustRsa`].
#[derive(Clone, Copy, Debug, Default)]
pub struct NativeRsa;

/// Largest modulus in bytes.
const MAX_SIZE: usize = 512;

/// Without leading zeros.
pub(crate) fn significant(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// With leading zeros up to `size`: the length of a secret number then says nothing about it.
fn padded(bytes: &[u8], size: usize) -> Zeroizing<Vec<u8>> {
    let bytes = significant(bytes);
    let zeros = core::iter::repeat_n(0, size.saturating_sub(bytes.len()));
    let mut out = Zeroizing::new(Vec::with_capacity(size.max(bytes.len())));
    out.extend(zeros.chain(bytes.iter().copied()));
    out
}

impl Rsa for NativeRsa {
    fn public(&self, n: &[u8], e: u32, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let n = significant(n);
        if n.len() > MAX_SIZE {
            return Err(CryptoError::Unsupported);
        }
        let modulus = Modulus::public(n).ok_or(CryptoError::InvalidInput)?;
        let message = Number::from_bytes(message);
        if !message.less(modulus.number()) {
            return Err(CryptoError::TooLarge);
        }
        let power = modulus.power_public(&message, &Number::from_bytes(&e.to_be_bytes()));
        let bytes = power.and_then(|power| power.to_bytes(n.len())).ok_or(CryptoError::InvalidInput)?;
        Ok(bytes.to_vec())
    }

    fn private(&self, key: &RsaKey, cipher: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let n = significant(&key.n);
        let half = significant(&key.p).len();
        if n.len() > MAX_SIZE || half != significant(&key.q).len() || n.len() != half.saturating_mul(2) {
            // Not a key of a TPM: its primes have the same size. The portable code takes any.
            return RustRsa.private(key, cipher);
        }
        // It is public. But a time that depends on the key, if only on this part of it, hides one that must not.
        let modulus = Modulus::secret(n).ok_or(CryptoError::InvalidInput)?;
        let cipher = Number::from_bytes(cipher);
        if !cipher.less(modulus.number()) {
            return Err(CryptoError::TooLarge);
        }
        let message = chinese(key, half, &cipher).ok_or(CryptoError::InvalidInput)?;
        // A fault in one half would let anybody compute a prime from the result.
        let again = message
            .less(modulus.number())
            .then(|| modulus.power_public(&message, &Number::from_bytes(&key.e.to_be_bytes())));
        match again.flatten() {
            Some(again) if again.same(&cipher) => message.to_bytes(n.len()).ok_or(CryptoError::Mismatch),
            _ => Err(CryptoError::Mismatch),
        }
    }

    fn invert(&self, value: &[u8], prime: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        if significant(prime).len() != prime.len() || prime.len() > MAX_SIZE || value.len() > prime.len() {
            return RustRsa.invert(value, prime);
        }
        inverse(value, prime).ok_or(CryptoError::InvalidInput)
    }

    fn lanes(&self, bits: usize) -> usize {
        match Lanes::found() {
            Some(_) if bits <= Lanes::BITS => LANES,
            _ => 2,
        }
    }

    fn fermat(&self, candidates: &[Zeroizing<Vec<u8>>]) -> Vec<bool> {
        let mut verdicts = Vec::with_capacity(candidates.len());
        for batch in candidates.chunks(LANES) {
            match Lanes::found().and_then(|lanes| lanes.fermat(batch)) {
                Some(eight) => verdicts.extend(eight.into_iter().take(batch.len())),
                None => verdicts.extend(fermat_by_two(batch)),
            }
        }
        verdicts
    }

    fn miller_rabin(&self, candidate: &[u8], bases: &[Zeroizing<Vec<u8>>]) -> bool {
        let eight = || Lanes::found()?.miller_rabin(candidate, bases);
        eight().or_else(|| miller_rabin_by_two(candidate, bases)).unwrap_or(false)
    }
}

/// `value^(prime - 2)`, which is checked, because a caller's `prime` may be none.
fn inverse(value: &[u8], prime: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let modulus = Modulus::secret(prime)?;
    let value = modulus.residue(&Number::from_bytes(value))?;
    let exponent = modulus.number().minus(&Number::from_bytes(&[2]))?;
    let inverse = modulus.power(&value, &exponent)?;
    let is_one = modulus.product(&value, &inverse)?.same(&Number::from_bytes(&[1]));
    if is_one { inverse.to_bytes(prime.len()) } else { None }
}

/// PKCS #1, 5.1.2, 2b, in constant time. `half` is the size of both primes.
fn chinese(key: &RsaKey, half: usize, cipher: &Number) -> Option<Number> {
    let crt = key.crt(&NativeRsa).ok()?;
    let p = Modulus::secret(significant(&key.p))?;
    let q = Modulus::secret(significant(&key.q))?;
    let dp = Number::from_bytes(&padded(&crt.dp, half));
    let dq = Number::from_bytes(&padded(&crt.dq, half));
    let qinv = Number::from_bytes(&padded(&crt.qinv, half));
    if !qinv.less(p.number()) {
        return None;
    }
    let [m1, m2] = Modulus::power_pair((&p, &p.residue(cipher)?, &dp), (&q, &q.residue(cipher)?, &dq))?;
    // h = (m1 - m2) * qinv mod p, without a branch on which half is larger.
    let difference = p.residue(&m1.plus(&p.number().minus(&p.residue(&m2)?)?)?)?;
    let h = p.product(&difference, &qinv)?;
    q.multiply_add(&h, &m2)
}

fn candidate_modulus(candidate: &[u8]) -> Option<Modulus> {
    let candidate = significant(candidate);
    if candidate.len() > MAX_SIZE { None } else { Modulus::secret(candidate) }
}

/// Fermat's test by the library.
pub(crate) fn fermat_by_two(candidates: &[Zeroizing<Vec<u8>>]) -> impl Iterator<Item = bool> {
    candidates.chunks(2).flat_map(|pair| fermat(pair).into_iter().take(pair.len()))
}

/// Rounds of Miller-Rabin by the library.
pub(crate) fn miller_rabin_by_two(candidate: &[u8], bases: &[Zeroizing<Vec<u8>>]) -> Option<bool> {
    miller_rabin(&candidate_modulus(candidate)?, bases)
}

/// One or two candidates: `2^(w - 1) mod w = 1`.
fn fermat(candidates: &[Zeroizing<Vec<u8>>]) -> [bool; 2] {
    let one = Number::from_bytes(&[1]);
    // As long as the candidates: the library looks at the words of each number before it takes two lanes.
    let size = candidates.iter().map(|candidate| significant(candidate).len()).max().unwrap_or(0);
    let two = Number::from_bytes(&padded(&[2], size));
    let prepared = |candidate: &Zeroizing<Vec<u8>>| {
        let w = candidate_modulus(candidate)?;
        let exponent = w.number().minus(&one)?;
        two.less(w.number()).then_some((w, exponent))
    };
    let alone = |w: &Modulus, exponent: &Number| w.power(&two, exponent).is_some_and(|power| power.same(&one));
    let mut each = candidates.iter().map(prepared);
    match (each.next().flatten(), each.next().flatten()) {
        (Some((v, e)), Some((w, f))) => match Modulus::power_pair((&v, &two, &e), (&w, &two, &f)) {
            Some(powers) => powers.map(|power| power.same(&one)),
            None => [alone(&v, &e), alone(&w, &f)],
        },
        (v, w) => [v, w].map(|w| w.is_some_and(|(w, exponent)| alone(&w, &exponent))),
    }
}

/// FIPS 186-4, C.3.1; two rounds at a time.
fn miller_rabin(w: &Modulus, bases: &[Zeroizing<Vec<u8>>]) -> Option<bool> {
    let one = Number::from_bytes(&[1]);
    let minus_one = w.number().minus(&one)?;
    // w - 1 = 2^a * m
    let a = minus_one.trailing_zeros();
    let m = minus_one.shifted_right(a)?;
    let reduced = |base: &Zeroizing<Vec<u8>>| {
        let base = Number::from_bytes(base);
        if base.less(w.number()) { Some(base) } else { w.residue_public(&base) }
    };
    for pair in bases.chunks(2) {
        let powers = match pair {
            [x, y] => {
                let [x, y] = Modulus::power_pair((w, &reduced(x)?, &m), (w, &reduced(y)?, &m))?;
                [Some(x), Some(y)]
            }
            _ => [pair.first().and_then(|x| w.power(&reduced(x)?, &m)), None],
        };
        'round: for mut z in powers.into_iter().flatten() {
            if z.same(&one) || z.same(&minus_one) {
                continue;
            }
            for _ in 1..a {
                z = w.product(&z, &z)?;
                if z.same(&minus_one) {
                    continue 'round;
                }
            }
            return Some(false);
        }
    }
    Some(true)
}
