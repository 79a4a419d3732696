use super::*;
use crate::rsa::{fermat_by_two, miller_rabin_by_two};
use sealwright_crypto::Random;
use sealwright_crypto::drbg::Drbg;
use sealwright_crypto::rust::RUST;

type Number = Zeroizing<Vec<u8>>;

/// The lanes, or a word about what a test does not see on this machine.
fn lanes() -> Option<Lanes> {
    let found = Lanes::found();
    if found.is_none() {
        println!("this processor has no AVX-512 IFMA: only the code without it is tested");
    }
    found
}

/// An odd number of just so many bits.
fn number(random: &mut Drbg, bits: usize) -> Number {
    let mut number = Zeroizing::new(vec![0; bits.div_ceil(8)]);
    random.fill(&mut number);
    let spare = number.len() * 8 - bits;
    number[0] = number[0] << spare >> spare | 0x80 >> spare;
    *number.last_mut().unwrap() |= 1;
    number
}

/// `2^bits - less`
fn below(bits: usize, less: u32) -> Number {
    let mut number = Zeroizing::new(vec![0xff; bits / 8]);
    number[bits / 8 - 4..].copy_from_slice(&0u32.wrapping_sub(less).to_be_bytes());
    number
}

/// `2^(bits - 1) + more`
fn above(bits: usize, more: u8) -> Number {
    let mut number = Zeroizing::new(vec![0; bits / 8]);
    number[0] = 0x80;
    number[bits / 8 - 1] = more;
    number
}

/// The largest primes below these powers of two.
const LARGEST: [(usize, u32); 4] = [(512, 569), (1024, 105), (1536, 3_453), (2048, 1_942_289)];

/// The verdicts of the lanes, of the library, and of the portable code, which are the same.
fn compare(lanes: Option<Lanes>, batch: &[Number]) -> Vec<bool> {
    let expected = RUST.rsa.fermat(batch);
    if let Some(lanes) = lanes {
        let eight = lanes.fermat(batch).expect("odd numbers");
        assert_eq!(eight[..batch.len()], expected, "{batch:02x?}");
    }
    assert!(fermat_by_two(batch).eq(expected.iter().copied()), "{batch:02x?}");
    expected
}

#[test]
fn random_candidates() {
    let lanes = lanes();
    let mut random = Drbg::instantiate(&[b"lanes"]);
    let mut passed = 0;
    let sizes = [8, 9, 51, 52, 53, 63, 64, 65, 104, 200, 256, 508, 511, 512, 513, 520, 1016, 1024, 1030, 1536, 2048];
    for bits in sizes {
        for count in 1..=LANES {
            let batch: Vec<_> = (0..count).map(|_| number(&mut random, bits)).collect();
            passed += compare(lanes, &batch).into_iter().filter(|passed| *passed).count();
        }
    }
    assert!(passed > 20, "among the small ones there are primes: {passed}");
}

#[test]
fn the_ends_of_each_size() {
    let lanes = lanes();
    for (bits, less) in LARGEST {
        let batch = [
            below(bits, less),
            below(bits, 1),
            below(bits, 3),
            below(bits, less),
            above(bits, 1),
            above(bits, 0xff),
            below(bits, less),
            below(bits, less + 2),
        ];
        assert_eq!(compare(lanes, &batch), [true, false, false, true, false, false, true, false]);
    }
}

#[test]
fn sizes_in_one_batch() {
    let lanes = lanes();
    let primes = LARGEST.map(|(bits, less)| below(bits, less));
    let small = Zeroizing::new(vec![0, 0, 0, 7]);
    let mut random = Drbg::instantiate(&[b"sizes"]);
    let mut batch = [&primes[..], &[small, number(&mut random, 1024), number(&mut random, 70)]].concat();
    for _ in 0..batch.len() {
        batch.rotate_left(1);
        for count in 1..=batch.len() {
            compare(lanes, &batch[..count]);
        }
    }
}

#[test]
fn what_is_left_to_the_library() {
    let Some(lanes) = lanes() else { return };
    let prime = below(512, 569);
    let refused: [&[u8]; 7] = [&[], &[0], &[1], &[3], &[8], &[&prime[..63], &[2]].concat(), &[1; 257]];
    for number in refused {
        let number = Zeroizing::new(number.to_vec());
        assert_eq!(lanes.fermat(&[prime.clone(), number.clone()]), None);
        assert_eq!(lanes.miller_rabin(&number, &[Zeroizing::new(vec![2])]), None);
    }
    assert_eq!(lanes.fermat(&[]), None);
    assert_eq!(lanes.miller_rabin(&prime, &[Zeroizing::new(vec![1; 65])]), None);
    assert_eq!(lanes.miller_rabin(&prime, &[]), Some(true));
}

#[test]
fn rounds() {
    let lanes = lanes();
    let mut random = Drbg::instantiate(&[b"rounds"]);
    let mut candidates: Vec<_> = LARGEST.map(|(bits, less)| below(bits, less)).to_vec();
    // Strong pseudoprimes to small bases, and primes whose predecessors are divisible by high powers of two.
    for small in [2_047_u64, 3_277, 25_326_001, 3_215_031_751, 341_550_071_728_321, 65_537, 193, 97, 5] {
        candidates.push(Zeroizing::new(small.to_be_bytes().to_vec()));
    }
    candidates.extend([256, 512, 1024, 2048].map(|bits| number(&mut random, bits)));
    let mut passed = 0;
    for candidate in candidates {
        let significant = crate::rsa::significant(&candidate);
        let mut minus_one = Zeroizing::new(significant.to_vec());
        *minus_one.last_mut().unwrap() -= 1;
        let mut bases: Vec<_> = [0, 1, 2, 3].map(|base| Zeroizing::new(vec![base])).to_vec();
        bases.push(minus_one);
        bases.push(Zeroizing::new(significant.to_vec()));
        bases.push(Zeroizing::new(vec![0xff; significant.len()]));
        bases.extend((0..3).map(|_| number(&mut random, significant.len() * 8)));
        for first in 0..bases.len() {
            for count in [1, 2, 9] {
                let bases = &bases[first..bases.len().min(first + count)];
                let expected = RUST.rsa.miller_rabin(&candidate, bases);
                let eight = lanes.map_or(Some(expected), |lanes| lanes.miller_rabin(&candidate, bases));
                let two = miller_rabin_by_two(&candidate, bases);
                assert_eq!([eight, two], [Some(expected); 2], "{candidate:02x?} {bases:02x?}");
                passed += usize::from(expected);
            }
        }
    }
    assert!(passed > 50, "{passed}");
}
