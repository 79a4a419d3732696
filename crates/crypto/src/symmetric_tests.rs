use alloc::vec::Vec;

use super::*;
use crate::rust::RUST;
use crate::testing::{Fixed, hex};

#[test]
fn weak_des_keys() {
    let strong = hex("0123456789abcdef");
    let with = |part: &str| [hex(part), strong.clone()].concat();
    // SP 800-67, 3.3.2: the four weak keys, some of the semi-weak and possibly weak ones; parity does not matter.
    for weak in [
        "0101010101010101",
        "fefefefefefefefe",
        "e0e0e0e0f1f1f1f1",
        "1f1f1f1f0e0e0e0e",
        "0000000000000000",
        "011f011f010e010e",
        "fee0fee0fef1fef1",
        "1fe0fe010ef1fe01",
        "e0e00101f1f10101",
    ] {
        assert!(!key_is_valid(BlockCipher::Tdes, &with(weak)), "{weak}");
    }
    for fine in ["0101010101010102", "01011f1f01010101", "1fe0fe1f0ef1fe0e", "23456789abcdef01"] {
        assert!(key_is_valid(BlockCipher::Tdes, &with(fine)), "{fine}");
    }
    let count = (0..64u8).filter(|n| {
        let places = [n >> 4, n >> 2 & 3, n & 3, n >> 4 ^ n >> 2 & 3 ^ n & 3];
        let key: Vec<u8> = places
            .iter()
            .map(|p| [0x01, 0x1f, 0xe0, 0xfe][usize::from(*p)])
            .chain(places.iter().map(|p| [0x01, 0x0e, 0xf1, 0xfe][usize::from(*p)]))
            .collect();
        is_weak(&key)
    });
    assert_eq!(count.count(), 64);
}

#[test]
fn equal_des_keys() {
    let (a, b, c) = (hex("0123456789abcdef"), hex("23456789abcdef01"), hex("456789abcdef0123"));
    assert!(!key_is_valid(BlockCipher::Tdes, &[&*a, &*a].concat()));
    assert!(!key_is_valid(BlockCipher::Tdes, &[&*a, &*b, &*b].concat()));
    assert!(key_is_valid(BlockCipher::Tdes, &[&*a, &*b, &*c].concat()));
    assert!(key_is_valid(BlockCipher::Tdes, &[&*a, &*b, &*a].concat()));
    let other_parity: Vec<u8> = a.iter().map(|byte| byte ^ 1).collect();
    assert!(!key_is_valid(BlockCipher::Tdes, &[a, other_parity].concat()));
    assert!(!key_is_valid(BlockCipher::Tdes, &b));
}

#[test]
fn a_weak_des_key_is_drawn_again() {
    let mut rng = Fixed([[0u8; 16].to_vec(), hex("00112233445566778899aabbccddeeff")].concat());
    let key = generate_key(BlockCipher::Tdes, 128, &mut rng).expect("a key");
    assert_eq!(*key, hex("01102332455467768998abbacddcefff").iter().map(|b| odd_parity(*b)).collect::<Vec<_>>());
    assert!(key.iter().all(|byte| byte.count_ones() % 2 == 1));
    assert_eq!(generate_key(BlockCipher::Tdes, 256, &mut rng), Err(CryptoError::InvalidInput));
}

/// Part 1, 11.4.7.3: the mask is KDFa with the label XOR, in the size of the data.
#[test]
fn xor_obfuscation_is_kdfa() {
    let mut data: Vec<u8> = (0..77).collect();
    let clear = data.clone();
    xor_obfuscation(&RUST, HashAlg::Sha256, b"key", b"newer", b"older", &mut data).expect("a result");
    let mask = kdfa(&RUST, HashAlg::Sha256, b"key", b"XOR", b"newer", b"older", 77 * 8);
    assert!(data.iter().zip(&clear).map(|(a, b)| a ^ b).eq(mask.iter().copied()));
    xor_obfuscation(&RUST, HashAlg::Sha256, b"key", b"newer", b"older", &mut data).expect("a result");
    assert_eq!(data, clear);
    xor_obfuscation(&RUST, HashAlg::Sha256, b"key", b"", b"", &mut []).expect("nothing to do");
}

/// Part 1, 19.3: key and IV are one KDFa with the label CFB.
#[test]
fn parameter_encryption() {
    for (cipher, bits, block) in [(BlockCipher::Aes, 128, 16), (BlockCipher::Aes, 256, 16), (BlockCipher::Tdes, 192, 8)]
    {
        let crypt = |encrypt, newer: &[u8], data: &mut [u8]| {
            parameter_cfb(&RUST, HashAlg::Sha1, cipher, bits, encrypt, b"session", newer, b"older", data)
        };
        let mut data = *b"a parameter of some length";
        crypt(true, b"newer", &mut data).expect("a result");
        let key_size = usize::from(bits) / 8;
        let made = kdfa(&RUST, HashAlg::Sha1, b"session", b"CFB", b"newer", b"older", (key_size + block) as u32 * 8);
        let mut expected = *b"a parameter of some length";
        let mut iv = made[key_size..].to_vec();
        RUST.cipher.crypt(cipher, CipherMode::Cfb, true, &made[..key_size], &mut iv, &mut expected).expect("a result");
        assert_eq!(data, expected);
        let mut other = data;
        crypt(false, b"other", &mut other).expect("a result");
        assert_ne!(other, *b"a parameter of some length");
        crypt(false, b"newer", &mut data).expect("a result");
        assert_eq!(data, *b"a parameter of some length");
    }
    let mut data = [0; 4];
    let refused = parameter_cfb(&RUST, HashAlg::Sha1, BlockCipher::Aes, 64, true, b"", b"", b"", &mut data);
    assert_eq!(refused, Err(CryptoError::InvalidInput));
}

#[test]
fn a_zero_iv() {
    let (mut data, mut expected) = (*b"sensitive", *b"sensitive");
    cfb_zero_iv(&RUST, BlockCipher::Aes, true, &[1; 16], &mut data).expect("a result");
    RUST.cipher
        .crypt(BlockCipher::Aes, CipherMode::Cfb, true, &[1; 16], &mut [0; 16], &mut expected)
        .expect("a result");
    assert_eq!(data, expected);
    assert_eq!(cfb(&RUST, BlockCipher::Aes, true, &[1; 16], &[0; 15], &mut data), Err(CryptoError::InvalidInput));
}
