//! Both providers give the same bytes and the same refusals.

use sealwright_crypto::rust::RUST;
use sealwright_crypto::{Crt, CryptoError, Curve, HashAlg, Point, Random, RsaKey, drbg, ecc, primes, rsa};
use sealwright_crypto_native::NATIVE;
use zeroize::Zeroizing;

/// Hashes of a counter.
struct Stream(u64);

impl Random for Stream {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(64) {
            self.0 += 1;
            let block = RUST.hash.digest(HashAlg::Sha512, &[&self.0.to_be_bytes()]);
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

impl Stream {
    /// A stream that differs from run to run; its start is printed when a test fails.
    fn new() -> Self {
        let start = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
        println!("stream {start}");
        Self(start)
    }

    fn bytes(&mut self, size: usize) -> Vec<u8> {
        let mut out = vec![0; size];
        self.fill(&mut out);
        out
    }
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn keys() -> Vec<RsaKey> {
    let lines = include_str!("../vectors/rsa-keys.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.split(' ').map(hex);
            let mut next = || words.next().unwrap();
            let (n, e) = (next(), next());
            let e = e.iter().fold(0, |e, byte| e << 8 | u32::from(*byte));
            let key = RsaKey::from_primes(e, &next(), &next()).unwrap();
            assert_eq!(key.n, n);
            let crt = Crt { dp: next(), dq: next(), qinv: next() };
            let short = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
            for provider in [&NATIVE, &RUST] {
                let fresh = key.clone();
                let made = fresh.crt(provider.rsa).unwrap();
                let made = [&made.dp, &made.dq, &made.qinv].map(|value| short(value));
                assert_eq!(made, [&crt.dp, &crt.dq, &crt.qinv].map(|value| short(value)));
            }
            key.with_crt(crt)
        })
        .collect()
}

/// Every length of a few blocks, in one part and in several; keys around the size of a block, and none.
#[test]
fn hashes() {
    let message = Stream::new().bytes(1100);
    for alg in HashAlg::ALL {
        for length in (0..=272).chain([511, 512, 513, 1100]) {
            let whole = &message[..length];
            let digest = RUST.hash.digest(alg, &[whole]);
            assert_eq!(NATIVE.hash.digest(alg, &[whole]), digest, "{alg:?} {length}");
            let (first, rest) = whole.split_at(length / 3);
            let (second, third) = rest.split_at(rest.len().min(70));
            assert_eq!(NATIVE.hash.digest(alg, &[first, &[], second, third]), digest, "{alg:?} {length}");
        }
        assert_eq!(NATIVE.hash.digest(alg, &[]), RUST.hash.digest(alg, &[]));
        let messages: [&[&[u8]]; 5] = [&[], &[&[]], &[&message[..1]], &[&message[..55], &message[7..200]], &[&message]];
        for key in [0, 1, 20, 63, 64, 65, 127, 128, 129, 300] {
            let key = &message[..key];
            for parts in messages {
                let [one, two] = [&NATIVE, &RUST].map(|provider| {
                    (provider.hash.hmac(alg, key, parts), provider.hash.hmac_pair(alg, key, &[key], parts))
                });
                assert_eq!(one, two, "{alg:?} {}", key.len());
                assert_eq!(one.0, one.1[1]);
            }
        }
    }
}

#[test]
fn rsa() {
    let mut stream = Stream::new();
    for key in keys() {
        let size = key.n.len();
        for round in 0..4 {
            let mut message = stream.bytes(size);
            message[0] &= 0x7f;
            if round == 0 {
                message = vec![2];
            }
            let cipher = NATIVE.rsa.public(&key.n, key.e, &message).unwrap();
            assert_eq!(Ok(&cipher), RUST.rsa.public(&key.n, key.e, &message).as_ref());
            let plain = NATIVE.rsa.private(&key, &cipher).unwrap();
            assert_eq!(plain[size - message.len()..], message);
            assert_eq!(Ok(plain), RUST.rsa.private(&key, &cipher));
        }
        for edge in [vec![], vec![0], vec![0; size + 3], key.n.clone(), vec![0xff; size], vec![1; size + 1]] {
            assert_eq!(NATIVE.rsa.public(&key.n, key.e, &edge), RUST.rsa.public(&key.n, key.e, &edge));
            assert_eq!(NATIVE.rsa.private(&key, &edge), RUST.rsa.private(&key, &edge));
        }
        // Multiples of a prime: one half of the result is zero.
        for prime in [&key.p, &key.q] {
            assert_eq!(NATIVE.rsa.private(&key, prime), RUST.rsa.private(&key, prime));
        }
        for e in [0, 1, 3, 17, u32::MAX] {
            let message = stream.bytes(size - 1);
            assert_eq!(NATIVE.rsa.public(&key.n, e, &message), RUST.rsa.public(&key.n, e, &message));
        }
    }
}

#[test]
fn a_damaged_rsa_key_reveals_nothing() {
    let key = keys().remove(1);
    // Larger than both primes: of a small message both halves are the same, and `qinv` has no part.
    let cipher = NATIVE.rsa.public(&key.n, key.e, &[0x55; 256]).unwrap();
    let damages: [fn(&mut RsaKey, &mut Crt); 4] =
        [|_, crt| crt.dp[20] ^= 4, |_, crt| crt.dq[20] ^= 4, |_, crt| crt.qinv[20] ^= 4, |key, _| key.p[20] ^= 4];
    for damage in damages {
        let (mut bad, mut crt) = (key.clone(), key.known_crt().unwrap().clone());
        damage(&mut bad, &mut crt);
        assert_eq!(NATIVE.rsa.private(&bad.with_crt(crt), &cipher), Err(CryptoError::Mismatch));
    }
    let mut even = key.clone();
    even.q[127] ^= 1;
    assert_eq!(NATIVE.rsa.private(&even, &cipher), Err(CryptoError::InvalidInput));
}

/// The verdict of Miller-Rabin.
fn miller_rabin(provider: &sealwright_crypto::Crypto, candidate: &[u8], start: u64, rounds: usize) -> bool {
    let mut stream = Stream(start);
    let bases: Vec<_> = (0..rounds).map(|_| Zeroizing::new(stream.bytes(candidate.len()))).collect();
    provider.rsa.miller_rabin(candidate, &bases)
}

#[test]
fn prime_test() {
    let mut stream = Stream::new();
    for key in keys() {
        for prime in [&key.p, &key.q] {
            for rounds in 0..6 {
                assert!(miller_rabin(&NATIVE, prime, 7, rounds));
                assert!(miller_rabin(&RUST, prime, 7, rounds));
            }
        }
        for rounds in 1..4 {
            assert!(!miller_rabin(&NATIVE, &key.n, 8, rounds));
            assert!(!miller_rabin(&RUST, &key.n, 8, rounds));
        }
        // Numbers of different sizes at once, in every lane.
        let numbers = [&key.p, &key.n, &key.q, &key.q, &vec![1], &key.p, &vec![8], &key.p, &key.n]
            .map(|number| Zeroizing::new(number.clone()));
        for skip in 0..numbers.len() {
            let numbers = &numbers[skip..];
            assert_eq!(NATIVE.rsa.fermat(numbers), RUST.rsa.fermat(numbers));
        }
        let expected = [true, false, true, true, false, true, false, true, false];
        assert_eq!(RUST.rsa.fermat(&numbers), expected);
    }
    for size in [32, 64, 128, 192] {
        for _ in 0..25 {
            let mut candidate = stream.bytes(size);
            candidate[0] |= 0x80;
            candidate[size - 1] |= 1;
            let start = stream.0;
            assert_eq!(miller_rabin(&NATIVE, &candidate, start, 2), miller_rabin(&RUST, &candidate, start, 2));
        }
    }
}

#[test]
fn curves() {
    let mut stream = Stream::new();
    for curve in Curve::ALL {
        let parameters = curve.parameters();
        let g = Point { x: parameters.gx.to_vec(), y: parameters.gy.to_vec() };
        let mut scalars = vec![vec![], vec![0], vec![1], vec![2], parameters.n.to_vec(), vec![0xff; curve.size() + 9]];
        scalars.extend([1_u8, 2].map(|back| ecc::scalar::sub(curve, &[], &[back]).to_vec()));
        scalars.extend((0..6).map(|_| stream.bytes(curve.size())));
        let q = NATIVE.ecc.mul_base(curve, &stream.bytes(curve.size())).unwrap();
        for k in &scalars {
            let base = NATIVE.ecc.mul_base(curve, k);
            assert_eq!(base, RUST.ecc.mul_base(curve, k), "{curve:?}");
            assert_eq!(NATIVE.ecc.mul(curve, k, &q), RUST.ecc.mul(curve, k, &q), "{curve:?}");
            for v in &scalars {
                assert_eq!(NATIVE.ecc.mul_add(curve, k, v, &q), RUST.ecc.mul_add(curve, k, v, &q), "{curve:?}");
                assert_eq!(NATIVE.ecc.mul_add(curve, k, v, &g), RUST.ecc.mul_add(curve, k, v, &g), "{curve:?}");
            }
            if let Ok(base) = base {
                for other in [&g, &q, &base] {
                    let sum = NATIVE.ecc.add(curve, &base, other);
                    assert_eq!(sum, RUST.ecc.add(curve, &base, other), "{curve:?}");
                }
            }
        }
        let mut off = q.clone();
        off.x[curve.size() - 1] ^= 1;
        let outside = Point { x: q.x.clone(), y: vec![0xff; curve.size()] };
        let empty = Point { x: vec![], y: vec![] };
        let long = Point { x: [&[0; 5], &q.x[..]].concat(), y: q.y.clone() };
        for point in [off, outside, empty, long] {
            assert_eq!(NATIVE.ecc.on_curve(curve, &point), RUST.ecc.on_curve(curve, &point), "{curve:?}");
            assert_eq!(NATIVE.ecc.mul(curve, &[3], &point), RUST.ecc.mul(curve, &[3], &point), "{curve:?}");
            assert_eq!(NATIVE.ecc.add(curve, &q, &point), RUST.ecc.add(curve, &q, &point), "{curve:?}");
            let sum = NATIVE.ecc.mul_add(curve, &[3], &[4], &point);
            assert_eq!(sum, RUST.ecc.mul_add(curve, &[3], &[4], &point), "{curve:?}");
        }
    }
}

/// The schemes take the same random numbers from both, so their signatures are the same.
#[test]
fn signatures() {
    let start = Stream::new().0;
    for curve in Curve::ALL {
        let [one, two] = [&NATIVE, &RUST].map(|provider| {
            let mut stream = Stream(start);
            let key = ecc::generate_key(provider, curve, &mut stream).unwrap();
            let other = ecc::generate_key(provider, curve, &mut stream).unwrap();
            let ecdsa = ecc::ecdsa::sign(provider, curve, &key.private, b"digest", &mut stream).unwrap();
            let schnorr =
                ecc::schnorr::sign(provider, curve, HashAlg::Sha256, &key.private, b"digest", &mut stream).unwrap();
            assert_eq!(ecc::ecdsa::verify(provider, curve, &key.public, b"digest", &ecdsa), Ok(()), "{curve:?}");
            (key.public.clone(), ecdsa, schnorr, ecc::ecdh::z(provider, curve, &key.private, &other.public))
        });
        assert_eq!(one, two, "{curve:?}");
    }
}

/// The inverse of what is and is not invertible.
#[test]
fn inverses() {
    let key = keys().remove(0);
    let (p, q, n) = (&key.p[..], &key.q[..], &key.n[..]);
    let one = [&vec![0; p.len() - 1][..], &[1]].concat();
    for (value, prime) in [(q, p), (p, q), (&one, p), (&[5], p), (&[], p), (&[0], p), (p, p), (p, n), (n, p), (q, &[8])]
    {
        assert_eq!(NATIVE.rsa.invert(value, prime), RUST.rsa.invert(value, prime));
    }
    assert_eq!(*NATIVE.rsa.invert(&one, p).unwrap(), one);
    assert!(NATIVE.rsa.invert(p, p).is_err());
}

/// The same seed gives the same key, whichever provider searches.
#[test]
fn rsa_keys_from_a_seed() {
    let levels = [primes::SeedCompatLevel::Original, primes::SeedCompatLevel::RsaPrimeAdjustFix];
    for (seed, level) in [b"one", b"two", b"six"].iter().zip(levels.into_iter().cycle()) {
        let [one, two] = [&NATIVE, &RUST].map(|provider| {
            let mut rng = drbg::Drbg::instantiate(&[&seed[..]]);
            let key = rsa::generate(provider, 1024, 0, &mut rng, level, &mut || false).unwrap();
            (key.n.clone(), key.p.clone(), rng.export())
        });
        assert_eq!(one, two);
    }
}
