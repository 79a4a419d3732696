use alloc::string::String;

use super::*;
use crate::drbg::Drbg;
use crate::rust::RUST;

/// Number of candidates that reach Miller-Rabin, and the prime.
fn counted(bits: usize, seed: &[u8]) -> (usize, Zeroizing<Vec<u8>>) {
    let mut polls = 0;
    let mut rng = Drbg::instantiate(&[seed]);
    let found = find_prime(&RUST, bits, 65_537, SeedCompatLevel::RsaPrimeAdjustFix, &mut rng, &mut || {
        polls += 1;
        false
    });
    (polls, found.expect("a prime"))
}

#[test]
fn primes_have_their_shape() {
    for seed in 0..4u8 {
        let (_, prime) = counted(512, &[seed]);
        assert_eq!(prime.len(), 64);
        // At least the square root of a half.
        assert!(prime[0] > 0xb5 || prime[0] == 0xb5 && prime[1] >= 5);
        let number = natural::from_bytes(&prime, 8).expect("it fits");
        for small in PRIMES {
            assert_ne!(natural::rem(&number, u32::from(small)), 0);
        }
    }
}

#[test]
fn a_search_can_be_stopped() {
    let (polls, prime) = counted(1024, b"stop");
    assert!(polls > 2, "the seed must need some candidates");
    let mut left = polls;
    let mut rng = Drbg::instantiate(&[b"stop"]);
    let mut search = |allowed: usize| {
        left = allowed;
        rng = Drbg::instantiate(&[b"stop"]);
        find_prime(&RUST, 1024, 65_537, SeedCompatLevel::RsaPrimeAdjustFix, &mut rng, &mut || {
            let stop = left == 0;
            left = left.saturating_sub(1);
            stop
        })
    };
    assert_eq!(search(0), Err(CryptoError::Cancelled));
    assert_eq!(search(polls - 1), Err(CryptoError::Cancelled));
    assert_eq!(search(polls), Ok(prime));
}

#[test]
fn sizes() {
    let mut rng = Drbg::instantiate(&[]);
    for bits in [0, 64, 192, 1000, 1023, 2112] {
        let found = find_prime(&RUST, bits, 65_537, SeedCompatLevel::default(), &mut rng, &mut || false);
        assert_eq!(found, Err(CryptoError::InvalidInput), "{bits}");
    }
}

/// The sieve against trial division.
#[test]
fn the_field_has_no_small_factors() {
    let base = aligned(Zeroizing::new(vec![0x0123_4567_89ab_cdef, 0xfeed_beef]));
    assert_eq!(base[0] % 2, 1);
    assert_eq!(natural::rem(&base, 105), 0);
    let mut field = Field::new();
    field.sieve(&base, 8_167);
    let mut expected = 0;
    for place in 0..Field::PLACES {
        let mut number = base.clone();
        natural::add(&mut number, &[u64::from(place) * 2]);
        let small = PRIMES.iter().take_while(|prime| **prime <= 8_167);
        let survives = small.clone().all(|prime| natural::rem(&number, u32::from(*prime)) != 0);
        if survives {
            assert_eq!(field.nth(expected), Some(place));
            expected += 1;
        }
    }
    assert_eq!(field.count(), expected);
    assert_eq!(field.nth(expected), None);
}

#[test]
fn small_primes_are_all_and_only() {
    assert_eq!(PRIMES[..5], [3, 5, 7, 11, 13]);
    // libtpms sieves with its first 1024, 4096, and all primes.
    assert_eq!((PRIMES[1024], PRIMES[4096], PRIMES[6540]), (8_171, 38_903, 65_521));
    let few: String = (0..30).map(|n| if is_small_prime(n) { '1' } else { '0' }).collect();
    assert_eq!(few, "001101010001010001010001000001");
    assert!(is_small_prime(65_537) && is_small_prime(4_294_967_291) && is_small_prime(65_539));
    assert!(!is_small_prime(4_294_967_295) && !is_small_prime(65_521 * 65_521) && !is_small_prime(65_541));
}
