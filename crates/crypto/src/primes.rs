//! The search for RSA primes (Part 4, CryptPrime.c and CryptPrimeSieve.c), in the order of libtpms: a primary key is
//! the same as libtpms makes from the same seed, because the same numbers are drawn and tried.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use zeroize::{Zeroize, Zeroizing};

use crate::natural::{self, Natural};
use crate::provider::{Crypto, CryptoError, Random};

/// How a hierarchy's seed becomes primes; kept with each seed and object in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum SeedCompatLevel {
    /// Seeds made before libtpms 0.8, on little-endian hosts with words of 64 bits: draws are little-endian, and 32 bits
    /// of each candidate are zero (CVE-2021-3505).
    Original,
    /// All seeds made since, and keys that have no seed.
    #[default]
    RsaPrimeAdjustFix,
}

impl SeedCompatLevel {
    /// The number in libtpms's states.
    pub const fn number(self) -> u8 {
        match self {
            Self::Original => 0,
            Self::RsaPrimeAdjustFix => 1,
        }
    }

    /// The level with this number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Original),
            1 => Some(Self::RsaPrimeAdjustFix),
            _ => None,
        }
    }
}

/// Sizes of primes in bits that can be searched.
const SIZES: core::ops::RangeInclusive<usize> = 256..=2048;

/// Finds a prime of `bits`, a multiple of 64 from 256 to 2048, such that `prime - 1` is coprime to the prime `e`.
/// `poll` is asked before each candidate; when it returns true the search stops with [`CryptoError::Cancelled`].
pub fn find_prime(
    crypto: &Crypto,
    bits: usize,
    e: u32,
    level: SeedCompatLevel,
    rng: &mut dyn Random,
    poll: &mut dyn FnMut() -> bool,
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    if !bits.is_multiple_of(64) || !SIZES.contains(&bits) || e == 0 {
        return Err(CryptoError::InvalidInput);
    }
    let mut field = Field::new();
    loop {
        if poll() {
            return Err(CryptoError::Cancelled);
        }
        let candidate = draw(bits, level, rng)?;
        if let Some(prime) = search_field(crypto, &mut field, candidate, e, rng, poll)? {
            return Ok(natural::to_bytes(&prime, bits / 8));
        }
    }
}

/// Draws a candidate of `bits`: odd, and at least the square root of a half (as a fraction of 2^bits), so that the
/// product of two has all its bits.
fn draw(bits: usize, level: SeedCompatLevel, rng: &mut dyn Random) -> Result<Natural, CryptoError> {
    let mut bytes = Zeroizing::new(vec![0; bits / 8]);
    rng.fill(&mut bytes);
    if level == SeedCompatLevel::Original {
        bytes.reverse();
    }
    let mut candidate = natural::from_bytes(&bytes, bits / 64).ok_or(CryptoError::InvalidInput)?;
    if let Some(top) = candidate.last_mut() {
        *top = match level {
            SeedCompatLevel::Original => (((((*top >> 48) * 0x4AFB) >> 16) + 0xB505) << 48) | (*top & 0xffff),
            SeedCompatLevel::RsaPrimeAdjustFix => {
                let word = *top >> 32;
                let scaled = (word >> 16) * 0x4AFB + (((word & 0xffff) * 0x4AFB) >> 16) + 0xB505_0000;
                (scaled << 32) | (*top & 0xffff_ffff)
            }
        };
    }
    if let Some(low) = candidate.first_mut() {
        *low |= 1;
    }
    Ok(candidate)
}

/// Tries all numbers around `candidate` that survive the sieve. `None` if none is prime.
///
/// Which number is tried next does not depend on why the one before failed, so as many are tested at once as the
/// provider has lanes for. The test to reject them is Fermat's to the base two. libtpms takes a round of Miller-Rabin
/// with a drawn base; a number of this size that one of the two rejects passes the other with a chance below 2^-80
/// (Damgard, Landrock, Pomerance), so what is found is the same, when the base is drawn all the same.
fn search_field(
    crypto: &Crypto,
    field: &mut Field,
    candidate: Natural,
    e: u32,
    rng: &mut dyn Random,
    poll: &mut dyn FnMut() -> bool,
) -> Result<Option<Natural>, CryptoError> {
    let bits = natural::bits(&candidate);
    let order = candidate.first().map_or(0, |low| *low as u32) | 0x8000_0000;
    let base = aligned(candidate);
    field.sieve(&base, prime_limit(bits));
    let mut left = field.count();
    let lanes = crypto.rsa.lanes(bits).max(1);
    while left > 0 {
        if poll() {
            return Err(CryptoError::Cancelled);
        }
        let mut numbers = Vec::with_capacity(lanes);
        while numbers.len() < lanes
            && let Some(at) = order.checked_rem(left)
            && let Some(place) = field.nth(at)
        {
            let mut number = base.clone();
            natural::add(&mut number, &[u64::from(place) * 2]);
            // 1 would make e and the prime less one share the factor e.
            if natural::rem(&number, e) > 1 {
                numbers.push(number);
            }
            field.clear(place);
            left -= 1;
        }
        let candidates: Vec<_> = numbers.iter().map(|number| natural::to_bytes(number, bits.div_ceil(8))).collect();
        let verdicts = crypto.rsa.fermat(&candidates);
        for ((number, candidate), possible) in numbers.into_iter().zip(&candidates).zip(verdicts) {
            let bases = draw_bases(&number, if possible { rounds(bits) } else { 1 }, rng);
            if possible && crypto.rsa.miller_rabin(candidate, &bases) {
                return Ok(Some(number));
            }
        }
    }
    Ok(None)
}

/// The largest odd number up to `candidate` that 105 divides: the start of the field.
fn aligned(mut candidate: Natural) -> Natural {
    let rem = natural::rem(&candidate, 105);
    let distance = if rem % 2 == 1 { rem + 105 } else { rem };
    natural::sub(&mut candidate, &[u64::from(distance)]);
    candidate
}

/// The largest prime to sieve with: more are worth it where a Miller-Rabin round costs more.
const fn prime_limit(bits: usize) -> u16 {
    match bits {
        0..=512 => 8_167,
        513..=1024 => 38_891,
        _ => u16::MAX,
    }
}

/// Rounds of Miller-Rabin (FIPS 186-3, table C.3).
const fn rounds(bits: usize) -> usize {
    match bits {
        0..=510 => 8,
        511..=1535 => 5,
        _ => 4,
    }
}

/// Bases for Miller-Rabin above 1 and below `number - 1`.
fn draw_bases(number: &Natural, count: usize, rng: &mut dyn Random) -> Vec<Zeroizing<Vec<u8>>> {
    let bits = natural::bits(number);
    let size = bits.div_ceil(8);
    let mask = 0xffu8 >> (size * 8 - bits);
    let mut limit = number.clone();
    natural::sub(&mut limit, &[1]);
    let mut draw = || {
        let mut base = Zeroizing::new(vec![0; size]);
        loop {
            rng.fill(&mut base);
            if let Some(first) = base.first_mut() {
                *first &= mask;
            }
            if let Some(value) = natural::from_bytes(&base, number.len())
                && natural::less(&[1], &value)
                && natural::less(&value, &limit)
            {
                return base;
            }
        }
    };
    (0..count).map(|_| draw()).collect()
}

/// 16384 odd numbers; a bit is set while its number has no small factor.
struct Field(Box<[u64; Field::WORDS]>);

impl Field {
    const WORDS: usize = 256;
    const PLACES: u32 = 64 * Self::WORDS as u32;

    fn new() -> Self {
        Self(Box::new([0; Self::WORDS]))
    }

    /// Clears the multiples of all odd primes up to `limit`, where place j is `base + 2j` and `base` is odd.
    fn sieve(&mut self, base: &[u64], limit: u16) {
        self.0.fill(u64::MAX);
        let primes = PRIMES.split_at_checked(PRIMES.partition_point(|prime| *prime <= limit)).unwrap_or_default().0;
        // The remainder of a product of three primes, which is below 2^48, tells all of them.
        for three in primes.chunks(3) {
            let product = three.iter().fold(1, |product, prime| product * u64::from(*prime));
            let rem = natural::rem_odd(base, product);
            for prime in three {
                let rem = rem.checked_rem(u64::from(*prime)).unwrap_or(0);
                self.strike(u32::from(*prime), rem as u32);
            }
        }
    }

    /// Clears the multiples of `prime`; `rem` is the base modulo it.
    fn strike(&mut self, prime: u32, rem: u32) {
        // The first j with base + 2j = 0 modulo the prime.
        let first = match rem {
            0 => 0,
            _ if rem % 2 == 1 => (prime - rem) / 2,
            _ => prime - rem / 2,
        };
        let mut place = first;
        while place < Self::PLACES {
            self.clear(place);
            place += prime;
        }
    }

    fn clear(&mut self, place: u32) {
        if let Some(word) = self.0.get_mut(place as usize / 64) {
            *word &= !(1 << (place % 64));
        }
    }

    /// Number of places left.
    fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// The `n`-th place left, from 0.
    fn nth(&self, mut n: u32) -> Option<u32> {
        for (start, word) in (0u32..).step_by(64).zip(self.0.iter()) {
            let ones = word.count_ones();
            if n < ones {
                let rest = (0..n).fold(*word, |word, _| word & word.wrapping_sub(1));
                return Some(start + rest.trailing_zeros());
            }
            n -= ones;
        }
        None
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// True if `number` is prime, by trial division; for public exponents.
pub(crate) fn is_small_prime(number: u32) -> bool {
    number == 2
        || number > 1
            && number % 2 == 1
            && PRIMES
                .iter()
                .map(|prime| u32::from(*prime))
                .take_while(|prime| prime.saturating_mul(*prime) <= number)
                .all(|prime| !number.is_multiple_of(prime))
}

/// All odd primes below 2^16.
static PRIMES: [u16; 6541] = small_primes();

/// The sieve of Eratosthenes, at compile time.
#[expect(clippy::indexing_slicing, reason = "runs in the compiler, which refuses an index out of range")]
const fn small_primes() -> [u16; 6541] {
    let mut composite = [false; 1 << 15];
    let mut primes = [0; 6541];
    let (mut found, mut i) = (0, 1);
    while i < composite.len() {
        if !composite[i] {
            primes[found] = (2 * i + 1) as u16;
            found += 1;
            // From the square on, in steps of two primes.
            let mut multiple = 2 * i * (i + 1);
            while multiple < composite.len() {
                composite[multiple] = true;
                multiple += 2 * i + 1;
            }
        }
        i += 1;
    }
    assert!(found == primes.len());
    primes
}

#[cfg(test)]
#[path = "primes_tests.rs"]
mod tests;
