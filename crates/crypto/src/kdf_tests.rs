use alloc::vec;

use super::*;
use crate::rust::RUST;
use crate::testing::hex;

fn alg(name: &str) -> HashAlg {
    match name {
        "sha1" => HashAlg::Sha1,
        "sha256" => HashAlg::Sha256,
        "sha384" => HashAlg::Sha384,
        _ => HashAlg::Sha512,
    }
}

#[test]
fn vectors() {
    let key: Vec<u8> = (1..=32).collect();
    let (u, v) = (b"contextU", b"ctxV");
    let mut seen = 0;
    for line in include_str!("../vectors/kdf.txt").lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(' ').collect();
        let (alg, bits) = (alg(fields[1]), fields[2].parse().expect("a number of bits"));
        let made = match fields[0] {
            "kdfa" => kdfa(&RUST, alg, &key, b"INTEGRITY", u, v, bits),
            "kdfe" => kdfe(&RUST, alg, &key, b"DUPLICATE", u, v, bits),
            _ => kdf2(&RUST, alg, &key, &[u, v], bits),
        };
        if bits == 8000 {
            assert_eq!(&*RUST.hash.digest(HashAlg::Sha256, &[&made]), hex(fields[3]), "{line}");
        } else {
            assert_eq!(*made, hex(fields[3]), "{line}");
        }
        seen += 1;
    }
    assert_eq!(seen, 40);
}

#[test]
fn a_label_may_bring_its_nul() {
    let with = kdfa(&RUST, HashAlg::Sha256, b"key", b"label\0", b"", b"", 256);
    assert_eq!(with, kdfa(&RUST, HashAlg::Sha256, b"key", b"label", b"", b"", 256));
}

#[test]
fn unused_bits_are_zero() {
    // 521 bits, as for a key on P-521: 66 bytes with one bit used in the first.
    let made = kdfe(&RUST, HashAlg::Sha512, b"z", b"SECRET", b"u", b"v", 521);
    let whole = kdfe(&RUST, HashAlg::Sha512, b"z", b"SECRET", b"u", b"v", 528);
    assert_eq!(made.len(), 66);
    assert_eq!(made[0], whole[0] & 1);
    assert_eq!(made[1..], whole[1..]);
}

/// MGF1 with SHA-1 and SHA-256 on the seed "bar", as published with the Wikipedia article on mask generation functions.
#[test]
fn mask_generation() {
    for (alg, size, expected) in [(HashAlg::Sha1, 50, MGF1_SHA1), (HashAlg::Sha256, 50, MGF1_SHA256)] {
        assert_eq!(*mgf1(&RUST, alg, b"bar", size), hex(expected));
    }
    assert!(mgf1(&RUST, HashAlg::Sha1, b"bar", 0).is_empty());
}

const MGF1_SHA1: &str =
    "bc0c655e016bc2931d85a2e675181adcef7f581f76df2739da74faac41627be2f7f415c89e983fd0ce80ced9878641cb4876";
const MGF1_SHA256: &str =
    "382576a7841021cc28fc4c0948753fb8312090cea942ea4c4e735d10dc724b155f9f6069f289d61daca0cb814502ef04eae1";

#[test]
fn a_stream_is_the_blocks_in_order() {
    for alg in HashAlg::ALL {
        let whole: Vec<u8> = (1..=10)
            .flat_map(|counter| kdfa_block(&RUST, alg, b"seed", b"label", &[b"context", b""], 8192, counter).to_vec())
            .collect();
        let mut stream = KdfaRandom::new(&RUST, alg, b"seed", b"label", b"context", 8192);
        let mut at = 0;
        for len in [1, alg.size(), 3, 2 * alg.size() + 1, 0, 7] {
            let mut out = vec![0; len];
            stream.fill(&mut out);
            assert_eq!(out, whole[at..at + len]);
            at += len;
        }
        assert!(!stream.exhausted());
    }
}

#[test]
fn a_stream_has_a_limit() {
    let mut stream = KdfaRandom::new(&RUST, HashAlg::Sha256, b"seed", b"", b"", 512);
    let mut out = [0; 40];
    stream.fill(&mut out);
    assert!(!stream.exhausted());
    // Two blocks are made, 24 bytes of the second are left, but the limit is spent.
    stream.fill(&mut out[..1]);
    assert!(stream.exhausted());
    assert_eq!(out[0], 0);
}
