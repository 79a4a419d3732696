//! Primitives on both crypto providers. Those that both take from the same code stand in the group `both`.
//!
//! `cargo bench -p sealwright-crypto-native [-- FILTER]`
#![allow(missing_docs, reason = "criterion's macro makes public functions")]

use core::hint::black_box;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use sealwright_crypto::drbg::Drbg;
use sealwright_crypto::primes::{SeedCompatLevel, find_prime};
use sealwright_crypto::{BlockCipher, CipherMode, Crypto, Curve, HashAlg, RUST, Random, RsaKey};
use sealwright_crypto_native::NATIVE;

/// Numbers that are the same in each run.
fn numbers(name: &str) -> Drbg {
    Drbg::instantiate(&[b"primitives", name.as_bytes()])
}

fn bytes(name: &str, size: usize) -> Vec<u8> {
    let mut out = vec![0; size];
    numbers(name).fill(&mut out);
    out
}

fn prime(crypto: &Crypto, bits: usize, random: &mut dyn Random) -> Vec<u8> {
    let found = find_prime(crypto, bits, 65_537, SeedCompatLevel::default(), random, &mut || false);
    found.expect("nobody cancels").to_vec()
}

fn hashes(group: &mut BenchmarkGroup<'_, WallTime>, crypto: &'static Crypto) {
    for alg in HashAlg::ALL {
        for (size, data) in [("64 B", bytes("data", 64)), ("1 KiB", bytes("data", 1024))] {
            group.bench_function(format!("{alg:?} {size}"), |b| {
                b.iter(|| crypto.hash.digest(alg, &[black_box(&data)]));
            });
        }
    }
    let (key, data) = (bytes("key", 32), bytes("data", 1024));
    for size in [64, 1024] {
        group.bench_function(format!("HMAC-Sha256 {size} B"), |b| {
            b.iter(|| crypto.hash.hmac(HashAlg::Sha256, black_box(&key), &[black_box(&data[..size])]));
        });
    }
}

fn symmetric(group: &mut BenchmarkGroup<'_, WallTime>, crypto: &'static Crypto) {
    let (key, data) = (bytes("key", 32), bytes("data", 1024));
    for (bits, key) in [(128, &key[..16]), (256, &key[..])] {
        for (way, encrypt) in [("encrypted", true), ("decrypted", false)] {
            let mut data = data.clone();
            group.bench_function(format!("AES-{bits}-CFB 1 KiB {way}"), |b| {
                b.iter(|| {
                    let mut iv = [0; 16];
                    crypto.cipher.crypt(BlockCipher::Aes, CipherMode::Cfb, encrypt, key, &mut iv, black_box(&mut data))
                });
            });
        }
    }
    let mut random = numbers("random");
    group.bench_function("CTR_DRBG 32 B", |b| b.iter(|| random.fill(black_box(&mut [0; 32]))));
}

fn curves(group: &mut BenchmarkGroup<'_, WallTime>, crypto: &'static Crypto) {
    for curve in [Curve::P256, Curve::P384] {
        let [k, u] = ["k", "u"].map(|name| bytes(name, curve.size()));
        let point = crypto.ecc.mul_base(curve, &u).expect("a point");
        group.bench_function(format!("{curve:?} base point times scalar"), |b| {
            b.iter(|| crypto.ecc.mul_base(curve, black_box(&k)));
        });
        group.bench_function(format!("{curve:?} other point times scalar"), |b| {
            b.iter(|| crypto.ecc.mul(curve, black_box(&k), black_box(&point)));
        });
        group.bench_function(format!("{curve:?} sum of both, as to verify"), |b| {
            b.iter(|| crypto.ecc.mul_add(curve, black_box(&u), black_box(&k), black_box(&point)));
        });
    }
}

fn rsa(group: &mut BenchmarkGroup<'_, WallTime>, crypto: &'static Crypto) {
    // Both providers find the same primes; the native one sooner.
    let mut random = numbers("rsa");
    let [p, q] = [(); 2].map(|()| prime(&NATIVE, 1024, &mut random));
    let key = RsaKey::from_primes(65_537, &p, &q).expect("a key");
    let mut message = bytes("message", 256);
    message[0] = 0;
    group.bench_function("RSA-2048 private", |b| b.iter(|| crypto.rsa.private(&key, black_box(&message))));
    group.bench_function("RSA-2048 public", |b| b.iter(|| crypto.rsa.public(&key.n, key.e, black_box(&message))));
    // Each search goes on where the one before has ended, so that the mean over many is of different primes.
    let mut random = numbers("search");
    group.sample_size(30);
    group.bench_function("search of a prime of 1024 bits", |b| b.iter(|| prime(crypto, 1024, &mut random)));
}

fn primitives(c: &mut Criterion) {
    // The native provider takes ciphers from the same code.
    symmetric(&mut c.benchmark_group("both"), &RUST);
    for crypto in [&NATIVE, &RUST] {
        let mut group = c.benchmark_group(crypto.name);
        hashes(&mut group, crypto);
        curves(&mut group, crypto);
        rsa(&mut group, crypto);
        group.finish();
    }
}

criterion_group!(benches, primitives);
criterion_main!(benches);
