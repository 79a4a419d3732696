use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::testing::hex;

fn key(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 11 + 0x41) as u8).collect()
}

fn data(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + 3) as u8).collect()
}

fn iv(block: usize) -> Vec<u8> {
    (0..16u8).map(|i| 0xf0 + i).skip(16 - block).collect()
}

fn cipher(name: &str) -> BlockCipher {
    match name {
        "aes" => BlockCipher::Aes,
        "camellia" => BlockCipher::Camellia,
        _ => BlockCipher::Tdes,
    }
}

fn mode(name: &str) -> Option<CipherMode> {
    Some(match name {
        "ctr" => CipherMode::Ctr,
        "ofb" => CipherMode::Ofb,
        "cbc" => CipherMode::Cbc,
        "cfb" => CipherMode::Cfb,
        "ecb" => CipherMode::Ecb,
        _ => return None,
    })
}

#[test]
fn vectors() {
    let mut seen = 0;
    for line in include_str!("../../vectors/cipher-modes.txt").lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(' ').collect();
        let (cipher, key) = (cipher(fields[0]), key(fields[1].parse().expect("a key size")));
        let expected = hex(fields[3]);
        seen += 1;
        let Some(mode) = mode(fields[2]) else {
            let data = data(fields[2].trim_start_matches("cmac").parse().expect("a length"));
            let (a, b) = data.split_at(data.len() / 3);
            assert_eq!(&*RustCipher.cmac(cipher, &key, &[a, b]).expect("a code"), expected, "{line}");
            continue;
        };
        let data = data(expected.len());
        let iv = if mode == CipherMode::Ecb { Vec::new() } else { iv(cipher.block()) };
        // In one call, and in two with the chaining value carried over.
        for cut in [0, cipher.block() * 2] {
            let (mut chain, mut out) = (iv.clone(), data.clone());
            let (a, b) = out.split_at_mut(cut);
            for part in [a, b] {
                RustCipher.crypt(cipher, mode, true, &key, &mut chain, part).expect("encryption");
            }
            assert_eq!(out, expected, "{line}");
            let mut back = iv.clone();
            let (a, b) = out.split_at_mut(cut);
            for part in [a, b] {
                RustCipher.crypt(cipher, mode, false, &key, &mut back, part).expect("decryption");
            }
            assert_eq!(out, data, "{line}");
            assert_eq!(back, chain, "{line}");
        }
    }
    assert_eq!(seen, 60);
}

/// What TPM2_EncryptDecrypt returns as `ivOut` after a partial last block (Part 4, CryptSym.c).
#[test]
fn chaining_value_after_a_partial_block() {
    let key = key(16);
    for encrypt in [true, false] {
        let after = |mode, len| {
            let (mut chain, mut data) = (iv(16), data(len));
            RustCipher.crypt(BlockCipher::Aes, mode, encrypt, &key, &mut chain, &mut data).expect("a result");
            (chain, data)
        };
        let (chain, out) = after(CipherMode::Cfb, 19);
        let cipher_text = if encrypt { out } else { data(19) };
        assert_eq!(chain[..3], cipher_text[16..]);
        assert_eq!(chain[3..], [0; 13]);
        for mode in [CipherMode::Ofb, CipherMode::Ctr] {
            assert_eq!(after(mode, 19).0, after(mode, 32).0);
        }
        assert_eq!(after(CipherMode::Ctr, 1).0, hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdff00"));
    }
}

/// RFC 4493, section 4.
#[test]
fn rfc_4493() {
    let key = hex("2b7e151628aed2a6abf7158809cf4f3c");
    let message = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51
         30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
    for (len, expected) in [
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
        (64, "51f0bebf7e3b9d92fc49741779363cfe"),
    ] {
        let code = RustCipher.cmac(BlockCipher::Aes, &key, &[&message[..len]]).expect("a code");
        assert_eq!(&*code, hex(expected));
    }
}

#[test]
fn wrong_sizes_are_refused() {
    let crypt = |cipher, mode, key: usize, iv: usize, data: usize| {
        RustCipher.crypt(cipher, mode, true, &vec![1; key], &mut vec![0; iv], &mut vec![0; data])
    };
    let refused = Err(CryptoError::InvalidInput);
    assert_eq!(crypt(BlockCipher::Aes, CipherMode::Cfb, 16, 16, 5), Ok(()));
    assert_eq!(crypt(BlockCipher::Aes, CipherMode::Cfb, 15, 16, 5), refused);
    assert_eq!(crypt(BlockCipher::Aes, CipherMode::Cfb, 16, 8, 5), refused);
    assert_eq!(crypt(BlockCipher::Aes, CipherMode::Cbc, 16, 16, 5), refused);
    assert_eq!(crypt(BlockCipher::Aes, CipherMode::Ecb, 16, 0, 17), refused);
    assert_eq!(crypt(BlockCipher::Aes, CipherMode::Ecb, 16, 16, 16), refused);
    assert_eq!(crypt(BlockCipher::Tdes, CipherMode::Cbc, 8, 8, 8), refused);
    assert_eq!(RustCipher.cmac(BlockCipher::Tdes, &[1; 8], &[]), refused.map(|()| Digest::new(&[])));
}

/// CFB decrypts many blocks at once where encryption cannot: each length comes back, with the same chaining value.
#[test]
fn cfb_of_any_length_comes_back() {
    let ciphers = [(BlockCipher::Aes, 16, 16), (BlockCipher::Aes, 24, 16), (BlockCipher::Aes, 32, 16)];
    let others = [(BlockCipher::Camellia, 32, 16), (BlockCipher::Tdes, 24, 8)];
    for (cipher, key, block) in ciphers.into_iter().chain(others) {
        for length in (0..200).chain([1000, 2048, 2049]) {
            let plain: Vec<u8> = (0..length).map(|i: usize| (i * 7 + i / 256) as u8).collect();
            let key: Vec<u8> = (0..key as u8).collect();
            let (mut forth, mut back) = (vec![0xA5; block], vec![0xA5; block]);
            let mut data = plain.clone();
            RustCipher.crypt(cipher, CipherMode::Cfb, true, &key, &mut forth, &mut data).unwrap();
            RustCipher.crypt(cipher, CipherMode::Cfb, false, &key, &mut back, &mut data).unwrap();
            assert_eq!((data, back), (plain, forth), "{cipher:?} {length}");
        }
    }
}
