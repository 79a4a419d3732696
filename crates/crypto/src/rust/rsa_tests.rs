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
        let swapped = RsaKey::from_primes(key.e, &key.q, &key.p).expect("a key");
        assert_eq!(*RustRsa.private(&swapped, &vector.c).expect("a result"), vector.m);
        assert_eq!(RustRsa.private(key, &key.n), Err(CryptoError::TooLarge));
        assert_eq!(RustRsa.public(&key.n, key.e, &key.n), Err(CryptoError::TooLarge));
        let mut crt = key.known_crt().expect("values").clone();
        crt.dp[5] ^= 1;
        let faulty = key.clone().with_crt(crt);
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

/// Primes and composites: what Fermat's test and Miller-Rabin with the bases 3, 4, 5... say.
#[test]
fn primality() {
    let tested = |candidate: &[u8], rounds: u8| {
        let bases: Vec<_> = (0..rounds).map(|i| Zeroizing::new(vec![3 + i])).collect();
        let fermat = RustRsa.fermat(&[Zeroizing::new(candidate.to_vec())]);
        (fermat == [true], RustRsa.miller_rabin(candidate, &bases))
    };
    for vector in rsa_keys() {
        assert_eq!(tested(&vector.key.p, 5), (true, true));
        assert_eq!(tested(&vector.key.q, 4), (true, true));
        let mut composite = vector.key.p.clone();
        composite[1] ^= 1;
        assert_eq!(tested(&composite, 1), (false, false));
    }
    // 2^127 - 1 is prime; 2^64 + 1 and 2^67 - 1 are not, but both are pseudoprimes to the base two.
    assert_eq!(tested(&hex("7fffffffffffffffffffffffffffffff"), 8), (true, true));
    assert_eq!(tested(&hex("010000000000000001"), 1), (true, false));
    assert_eq!(tested(&hex("07ffffffffffffffff"), 1), (true, false));
    // 3215031751 is a strong pseudoprime to the bases 2, 3, 5 and 7, but not to 11; 341 one of Fermat to the base 2.
    assert_eq!(tested(&3_215_031_751u32.to_be_bytes(), 8), (true, true));
    assert_eq!(tested(&3_215_031_751u32.to_be_bytes(), 9), (true, false));
    assert_eq!(tested(&341u16.to_be_bytes(), 1), (true, false));
    assert_eq!(tested(&[9], 1), (false, false));
    assert_eq!(tested(&[1], 3), (false, false));
    assert_eq!(tested(&[8], 3), (false, false));
    assert_eq!(RustRsa.fermat(&[]), []);
}
