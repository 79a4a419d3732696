use alloc::collections::BTreeMap;

use super::*;
use crate::drbg::Drbg;
use crate::provider::HashAlg;
use crate::rust::RUST;
use crate::testing::{hex, rsa_keys};

fn never() -> bool {
    false
}

/// The generator of a primary key (Part 4, CryptCreateObject).
fn generator(seed: &[u8], template: &[u8], data: &[u8]) -> Drbg {
    let alg = u16::from_be_bytes([template[2], template[3]]);
    let name = RUST.hash.digest(HashAlg::from_id(alg).expect("a hash"), &[template]);
    Drbg::instantiate(&[seed, b"Primary Object Creation\0", &template[2..4], &name, data])
}

/// Primary keys that swtpm made: the keys of an imported state must be the same.
#[test]
fn primaries_of_libtpms() {
    let mut seen = 0;
    for block in include_str!("../../vectors/rsa-primaries.txt").split("\n\n") {
        let fields: BTreeMap<&str, &str> =
            block.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' ')).collect();
        let Some(name) = fields.get("name") else {
            continue;
        };
        let field = |name: &str| hex(fields.get(name).expect("the field"));
        let level =
            if name.starts_with("level0") { SeedCompatLevel::Original } else { SeedCompatLevel::RsaPrimeAdjustFix };
        let template = field("template");
        let modulus = field("modulus");
        let e = if name.ends_with("-e") { 65_539 } else { 0 };
        let mut rng = generator(&field("seed"), &template, &field("data"));
        let bits = u16::try_from(modulus.len() * 8).expect("a size");
        let key = generate(&RUST, bits, e, &mut rng, level, &mut never).expect("a key");
        assert_eq!(key.n, modulus, "{name}");
        assert_eq!(RsaKey::from_prime(&key.n, e, &key.p).expect("a key").q, key.q);
        let cipher = RUST.rsa.public(&key.n, key.e, b"a message").expect("a number");
        assert!(RUST.rsa.private(&key, &cipher).expect("a number").ends_with(b"a message"));
        seen += 1;
    }
    assert_eq!(seen, 12);
}

#[test]
fn keys_from_one_prime() {
    for vector in rsa_keys() {
        let key = &vector.key;
        let made = RsaKey::from_prime(&key.n, 0, &key.p).expect("a key");
        assert_eq!(made.known_crt(), None);
        let (old, new) = (key.known_crt().expect("values"), made.crt(RUST.rsa).expect("values"));
        assert_eq!((&made.q, &new.dp, &new.dq, &new.qinv), (&key.q, &old.dp, &old.dq, &old.qinv));
        assert_eq!(made.known_crt(), Some(old));
        assert_eq!((made.e, &made.n, &made.p), (DEFAULT_EXPONENT, &key.n, &key.p));
        let refused = |n: &[u8], e, p: &[u8]| {
            assert_eq!(RsaKey::from_prime(n, e, p).map(|_| ()), Err(CryptoError::InvalidInput));
        };
        let mut wrong = key.p.clone();
        wrong[3] ^= 1;
        refused(&key.n, 0, &wrong);
        wrong = key.p.clone();
        *wrong.last_mut().expect("bytes") ^= 1;
        refused(&key.n, 0, &wrong);
        refused(&key.n, 0, &key.p[1..]);
        refused(&key.n, 2, &key.p);
        refused(&key.n, 0, &[]);
        wrong = alloc::vec![0; key.p.len()];
        refused(&key.n, 0, &wrong);
        // One divides every modulus, but not into halves.
        *wrong.last_mut().expect("bytes") = 1;
        refused(&key.n, 0, &wrong);
    }
}

#[test]
fn small_exponents() {
    // 65537 divides p - 1 for no key here; other odd exponents do or do not.
    let key = &rsa_keys()[1].key;
    for e in [3u32, 5, 17, 257, 4_294_967_291] {
        let Ok(made) = RsaKey::from_prime(&key.n, e, &key.p) else {
            let p = natural::from_bytes(&key.p, 16).expect("it fits");
            let q = natural::from_bytes(&key.q, 16).expect("it fits");
            assert!(natural::rem(&p, e) == 1 || natural::rem(&q, e) == 1, "{e}");
            continue;
        };
        let cipher = RUST.rsa.public(&made.n, e, b"a message").expect("a number");
        assert!(RUST.rsa.private(&made, &cipher).expect("a number").ends_with(b"a message"));
    }
}

#[test]
fn exponents_and_sizes() {
    assert!(exponent_is_valid(0) && exponent_is_valid(65_537) && exponent_is_valid(65_539));
    assert!(!exponent_is_valid(3) && !exponent_is_valid(65_536) && !exponent_is_valid(65_541));
    let mut rng = Drbg::instantiate(&[]);
    let level = SeedCompatLevel::default();
    let refused = |bits, e, rng: &mut Drbg| generate(&RUST, bits, e, rng, level, &mut never).map(|_| ());
    assert_eq!(refused(2048, 3, &mut rng), Err(CryptoError::InvalidInput));
    assert_eq!(refused(1536, 0, &mut rng), Err(CryptoError::Unsupported));
    assert_eq!(generate(&RUST, 1024, 0, &mut rng, level, &mut || true).map(|_| ()), Err(CryptoError::Cancelled));
}

#[test]
fn distance_of_primes() {
    let (mut a, b) = ([0x80; 64], [0x80; 64]);
    assert!(!far_apart(&a, &b));
    a[64 - 13] ^= 0x08;
    assert!(!far_apart(&a, &b) && !far_apart(&b, &a));
    a[64 - 13] ^= 0x10;
    assert!(far_apart(&a, &b) && far_apart(&b, &a));
}
