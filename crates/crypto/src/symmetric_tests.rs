use alloc::vec::Vec;

use super::*;
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
