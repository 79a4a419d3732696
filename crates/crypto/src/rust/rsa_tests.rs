use alloc::vec;

use super::*;
use crate::testing::{hex, rsa_keys};

#[test]
fn vectors() {
    let keys = rsa_keys();
    assert_eq!(keys.len(), 4);
    for vector in keys {
        let key = &vector.key;
        assert_eq!(RustRsa.public(&key.n, key.e, &vector.m).expect("a result"), vector.c);
        assert_eq!(*RustRsa.private(key, &vector.c).expect("a result"), vector.m);
        // Either prime may be the first.
        let mut swapped = key.clone();
        (swapped.p, swapped.q) = (key.q.clone(), key.p.clone());
        (swapped.dp, swapped.dq) = (key.dq.clone(), key.dp.clone());
        swapped.qinv = invert(&key.p, &key.q).expect("an inverse").to_vec();
        assert_eq!(*RustRsa.private(&swapped, &vector.c).expect("a result"), vector.m);
        assert_eq!(RustRsa.private(key, &key.n), Err(CryptoError::TooLarge));
        assert_eq!(RustRsa.public(&key.n, key.e, &key.n), Err(CryptoError::TooLarge));
        let mut faulty = key.clone();
        faulty.dp[5] ^= 1;
        assert_eq!(RustRsa.private(&faulty, &vector.c), Err(CryptoError::Mismatch));
        let small = RustRsa.public(&key.n, 3, &[2]).expect("a result");
        assert_eq!(small.len(), key.n.len());
        assert_eq!(significant(&small), [8]);
        let zero = RustRsa.private(key, &[]).expect("zero is its own root");
        assert!(zero.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn wrong_moduli() {
    assert_eq!(RustRsa.public(&[4], 3, &[1]), Err(CryptoError::InvalidInput));
    assert_eq!(RustRsa.public(&[1], 3, &[0]), Err(CryptoError::InvalidInput));
    assert_eq!(RustRsa.public(&[], 3, &[0]), Err(CryptoError::InvalidInput));
    assert_eq!(RustRsa.public(&[0xff; 513], 3, &[0]), Err(CryptoError::Unsupported));
    assert_eq!(RustRsa.public(&[0, 0, 33], 3, &[0, 5]), Ok(vec![26]));
}

/// Primes and composites with the number of bases that each draws.
#[test]
fn primality() {
    let drawn = |candidate: &[u8], rounds| {
        let mut count = 0;
        let prime = RustRsa.miller_rabin(
            candidate,
            &mut || {
                count += 1;
                Zeroizing::new(vec![2 + count])
            },
            rounds,
        );
        (prime, usize::from(count))
    };
    for vector in rsa_keys() {
        assert_eq!(drawn(&vector.key.p, 5), (true, 5));
        assert_eq!(drawn(&vector.key.q, 4), (true, 4));
        let mut composite = vector.key.p.clone();
        composite[1] ^= 1;
        assert_eq!(drawn(&composite, 5), (false, 1));
    }
    // 2^127 - 1 is prime; 2^64 + 1 and 2^67 - 1 are not, and the first is a pseudoprime to the base two.
    assert_eq!(drawn(&hex("7fffffffffffffffffffffffffffffff"), 8), (true, 8));
    assert_eq!(drawn(&hex("010000000000000001"), 8), (false, 1));
    assert_eq!(drawn(&hex("07ffffffffffffffff"), 8), (false, 1));
    // 3215031751 is a strong pseudoprime to the bases 2, 3, 5 and 7, but not to 11; 341 one of Fermat to the base 2.
    assert!(!drawn(&3_215_031_751u32.to_be_bytes(), 12).0);
    assert_eq!(drawn(&341u16.to_be_bytes(), 3), (false, 1));
    assert_eq!(drawn(&[9], 3), (false, 1));
    assert_eq!(drawn(&[1], 3), (false, 0));
    assert_eq!(drawn(&[8], 3), (false, 0));
}
