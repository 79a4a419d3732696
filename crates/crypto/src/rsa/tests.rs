use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::drbg::Drbg;
use crate::provider::{HashAlg, Random};
use crate::rust::RUST;
use crate::testing::{hex, rsa_keys};

fn alg(name: &str) -> HashAlg {
    match name {
        "sha1" => HashAlg::Sha1,
        "sha256" => HashAlg::Sha256,
        "sha384" => HashAlg::Sha384,
        _ => HashAlg::Sha512,
    }
}

fn rng() -> Drbg {
    Drbg::instantiate(&[b"tests of RSA schemes"])
}

#[test]
fn vectors() {
    let keys = rsa_keys();
    let mut seen = 0;
    for line in include_str!("../../vectors/rsa-schemes.txt").lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(' ').collect();
        let key = &keys[fields[1].parse::<usize>().expect("a number")].key;
        let (alg, block) = (alg(fields[2]), hex(fields[3]));
        let digest = RUST.hash.digest(alg, &[b"message"]);
        match fields[0] {
            "rsaes" => assert_eq!(*pkcs1::decrypt(&RUST, key, &block).expect("a message"), b"message"),
            "oaep" => {
                assert_eq!(*oaep::decrypt(&RUST, key, alg, b"DUPLICATE\0", &block).expect("a message"), b"message");
                assert_eq!(oaep::decrypt(&RUST, key, alg, b"DUPLICATE", &block), Err(CryptoError::Mismatch));
            }
            "rsassa" => {
                assert_eq!(pkcs1::sign(&RUST, key, alg, &digest).expect("a signature"), block);
                assert_eq!(pkcs1::verify(&RUST, &key.n, key.e, alg, &digest, &block), Ok(()));
            }
            _ => assert_eq!(pss::verify(&RUST, &key.n, key.e, alg, &digest, &block), Ok(()), "{line}"),
        }
        seen += 1;
    }
    assert_eq!(seen, 25);
}

#[test]
fn encryption_and_decryption() {
    for vector in &rsa_keys()[..3] {
        let key = &vector.key;
        let size = key.n.len();
        for len in [0, 1, 20, size - 11] {
            let message: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let cipher = pkcs1::encrypt(&RUST, &key.n, key.e, &message, &mut rng()).expect("a cipher text");
            assert_eq!(*pkcs1::decrypt(&RUST, key, &cipher).expect("a message"), message);
        }
        let long = vec![1; size - 10];
        assert_eq!(pkcs1::encrypt(&RUST, &key.n, key.e, &long, &mut rng()), Err(CryptoError::InvalidInput));
        for alg in HashAlg::ALL {
            let Some(room) = size.checked_sub(2 * alg.size() + 2) else {
                let refused = oaep::encrypt(&RUST, &key.n, key.e, alg, b"", b"", &mut rng());
                assert_eq!(refused, Err(CryptoError::Unsupported));
                continue;
            };
            for len in [0, 1, room] {
                let message = vec![1; len];
                let cipher =
                    oaep::encrypt(&RUST, &key.n, key.e, alg, b"L\0", &message, &mut rng()).expect("a cipher text");
                assert_eq!(*oaep::decrypt(&RUST, key, alg, b"L\0", &cipher).expect("a message"), message);
            }
            let refused = oaep::encrypt(&RUST, &key.n, key.e, alg, b"", &vec![0; room + 1], &mut rng());
            assert_eq!(refused, Err(CryptoError::InvalidInput));
        }
    }
}

#[test]
fn wrong_cipher_texts() {
    let key = &rsa_keys()[0].key;
    let mut cipher = oaep::encrypt(&RUST, &key.n, key.e, HashAlg::Sha1, b"", b"m", &mut rng()).expect("a cipher text");
    cipher[100] ^= 1;
    assert_eq!(oaep::decrypt(&RUST, key, HashAlg::Sha1, b"", &cipher), Err(CryptoError::Mismatch));
    assert_eq!(oaep::decrypt(&RUST, key, HashAlg::Sha512, b"", &cipher), Err(CryptoError::Mismatch));
    assert_eq!(pkcs1::decrypt(&RUST, key, &cipher), Err(CryptoError::Mismatch));
    assert_eq!(pkcs1::decrypt(&RUST, key, &cipher[1..]), Err(CryptoError::InvalidInput));
    assert_eq!(pkcs1::decrypt(&RUST, key, &key.n), Err(CryptoError::TooLarge));
    // Blocks that look like RSAES but are not: a wrong type, too little padding, no end of it.
    let block = |start: &[u8]| {
        let mut block = vec![0xaa; key.n.len()];
        block[..start.len()].copy_from_slice(start);
        encrypt_raw(&RUST, &key.n, key.e, &block).expect("a number below n")
    };
    let mut fine = vec![0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 0];
    assert_eq!(pkcs1::decrypt(&RUST, key, &block(&fine)).expect("a message").len(), key.n.len() - 11);
    fine[1] = 1;
    for wrong in [&*fine, &[0, 2, 1, 2, 3, 4, 5, 6, 7, 0], &[0, 2, 1]] {
        assert_eq!(pkcs1::decrypt(&RUST, key, &block(wrong)), Err(CryptoError::Mismatch));
    }
}

#[test]
fn raw_numbers() {
    let vector = &rsa_keys()[1];
    let key = &vector.key;
    let padded = [&[0; 30], &*vector.m].concat();
    assert_eq!(encrypt_raw(&RUST, &key.n, key.e, &padded).expect("a result"), vector.c);
    assert_eq!(*decrypt_raw(&RUST, key, &vector.c).expect("a result"), vector.m);
    assert_eq!(encrypt_raw(&RUST, &key.n, key.e, &key.n), Err(CryptoError::TooLarge));
    assert_eq!(encrypt_raw(&RUST, &key.n, key.e, &[1; 257]), Err(CryptoError::InvalidInput));
    assert_eq!(decrypt_raw(&RUST, key, &vector.c[1..]), Err(CryptoError::InvalidInput));
}

#[test]
fn signatures() {
    for vector in &rsa_keys()[..2] {
        let key = &vector.key;
        for alg in HashAlg::ALL {
            let digest = RUST.hash.digest(alg, &[b"signed"]);
            let mut signature = pss::sign(&RUST, key, alg, &digest, &mut rng()).expect("a signature");
            let verify = |digest: &[u8], signature: &[u8]| pss::verify(&RUST, &key.n, key.e, alg, digest, signature);
            assert_eq!(verify(&digest, &signature), Ok(()));
            let other = RUST.hash.digest(alg, &[b"other"]);
            assert_eq!(verify(&other, &signature), Err(CryptoError::Mismatch));
            assert_eq!(verify(&digest, &signature[1..]), Err(CryptoError::Mismatch));
            signature[30] ^= 4;
            assert_eq!(verify(&digest, &signature), Err(CryptoError::Mismatch));
            assert_eq!(verify(&digest, &key.n), Err(CryptoError::Mismatch));
            let short = pss::sign(&RUST, key, alg, &digest[1..], &mut rng());
            assert_eq!(short, Err(CryptoError::InvalidInput));
            let mut signature = pkcs1::sign(&RUST, key, alg, &digest).expect("a signature");
            signature[30] ^= 4;
            let wrong = pkcs1::verify(&RUST, &key.n, key.e, alg, &digest, &signature);
            assert_eq!(wrong, Err(CryptoError::Mismatch));
            assert_eq!(pkcs1::sign(&RUST, key, alg, &digest[1..]), Err(CryptoError::InvalidInput));
        }
    }
}

/// libtpms signs SHA-512 with RSA-1024 although the salt of 64 bytes does not fit.
#[test]
fn salts() {
    assert_eq!(pss::salt_size(HashAlg::Sha256, 256), 32);
    assert_eq!(pss::salt_size(HashAlg::Sha512, 128), 62);
    assert_eq!(pss::salt_size(HashAlg::Sha512, 64), 0);
}

/// The bytes of padding that are drawn as zero become 0x55 (Part 4).
#[test]
fn padding_without_zeros() {
    struct Zeros;
    impl Random for Zeros {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(0);
        }
    }
    let key = &rsa_keys()[0].key;
    let cipher = pkcs1::encrypt(&RUST, &key.n, key.e, b"m", &mut Zeros).expect("a cipher text");
    let block = decrypt_raw(&RUST, key, &cipher).expect("a block");
    assert_eq!(*block, [&[0, 2], &[0x55; 124][..], &[0, b'm']].concat());
}
