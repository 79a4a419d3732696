//! RSA with a private key, and what a wrong padding costs.

use super::{Expected, Path, flat};
use crate::subject::{Random, Subject, choose};
use core::hint::black_box;
use sealwright_crypto::kdf::mgf1;
use sealwright_crypto::primes::SeedCompatLevel;
use sealwright_crypto::rsa::{self, oaep, pkcs1};
use sealwright_crypto::{Crypto, CryptoError, HashAlg, RUST, Rsa, RsaKey};
use sealwright_crypto_native::NATIVE;
use zeroize::Zeroizing;

const BITS: u16 = 2048;
/// Keys of the second class, and ciphertexts of each.
const POOL: usize = 32;
const HASH: HashAlg = HashAlg::Sha256;

fn failed(e: CryptoError) -> String {
    format!("a key or a ciphertext could not be made: {e:?}")
}

/// With the values of the Chinese remainder theorem in place, as after the first use.
fn key(crypto: &'static Crypto, random: &mut Random) -> Result<RsaKey, String> {
    let key = rsa::generate(&NATIVE, BITS, 0, random, SeedCompatLevel::default(), &mut || false).map_err(failed)?;
    key.crt(crypto.rsa).map_err(failed)?;
    Ok(key)
}

/// A number below the modulus.
fn number(key: &RsaKey, random: &mut Random) -> Vec<u8> {
    let mut bytes = random.bytes(key.n.len());
    if let Some(first) = bytes.first_mut() {
        // The first byte of the modulus is 0x80 at least.
        *first &= 0x7F;
    }
    bytes
}

/// One key, and one ciphertext or random ones.
struct Ciphers {
    crypto: &'static Crypto,
    key: RsaKey,
    fixed: Vec<u8>,
    cipher: Vec<u8>,
}

impl Subject for Ciphers {
    fn prepare(&mut self, class: bool, random: &mut Random) {
        let fresh = number(&self.key, random);
        choose(class, &self.fixed, &fresh, &mut self.cipher);
    }
    fn run(&mut self) {
        let _ = black_box(self.crypto.rsa.private(black_box(&self.key), black_box(&self.cipher)));
    }
}

fn ciphers(crypto: &'static Crypto, small: bool, random: &mut Random) -> Result<Box<dyn Subject>, String> {
    let key = key(crypto, random)?;
    let mut fixed = number(&key, random);
    if small {
        fixed.fill(0);
        if let Some(last) = fixed.last_mut() {
            *last = 2;
        }
    }
    Ok(Box::new(Ciphers { crypto, cipher: vec![0; key.n.len()], fixed, key }))
}

/// Random ciphertexts, and one key or others. The key is copied before each use, so that all are as near.
struct Keys {
    crypto: &'static Crypto,
    fixed: RsaKey,
    others: Vec<RsaKey>,
    key: RsaKey,
    cipher: Vec<u8>,
    /// With the public part of the key only.
    public: bool,
}

impl Subject for Keys {
    fn prepare(&mut self, class: bool, random: &mut Random) {
        let other = self.others.get(random.below(self.others.len())).unwrap_or(&self.fixed);
        let key = if class { &self.fixed } else { other };
        self.cipher = number(key, random);
        self.key = key.clone();
    }
    fn run(&mut self) {
        if self.public {
            let _ = black_box(self.crypto.rsa.public(black_box(&self.key.n), self.key.e, black_box(&self.cipher)));
            return;
        }
        let _ = black_box(self.crypto.rsa.private(black_box(&self.key), black_box(&self.cipher)));
    }
}

fn keys(crypto: &'static Crypto, public: bool, random: &mut Random) -> Result<Box<dyn Subject>, String> {
    let others = (0..POOL).map(|_| key(crypto, random)).collect::<Result<Vec<_>, _>>()?;
    let fixed = key(crypto, random)?;
    Ok(Box::new(Keys { crypto, key: fixed.clone(), fixed, others, cipher: Vec::new(), public }))
}

/// RSA that gives back what it is given, so that the handling of the padding is measured alone: beside an exponentiation
/// a few nanoseconds do not show.
struct Nothing;

impl Rsa for Nothing {
    fn public(&self, n: &[u8], _: u32, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        // Zeros before it were taken away.
        Ok([&vec![0; n.len() - message.len()], message].concat())
    }
    fn private(&self, _: &RsaKey, cipher: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        Ok(Zeroizing::new(cipher.to_vec()))
    }
    fn invert(&self, value: &[u8], prime: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        RUST.rsa.invert(value, prime)
    }
    fn fermat(&self, candidates: &[Zeroizing<Vec<u8>>]) -> Vec<bool> {
        RUST.rsa.fermat(candidates)
    }
    fn miller_rabin(&self, candidate: &[u8], bases: &[Zeroizing<Vec<u8>>]) -> bool {
        RUST.rsa.miller_rabin(candidate, bases)
    }
}

static ALONE: Crypto = Crypto { name: "no", hash: RUST.hash, cipher: RUST.cipher, rsa: &Nothing, ecc: RUST.ecc };

/// How a decrypted block is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    /// Its first byte is not zero: what Manger's attack asks for.
    First,
    /// OAEP: another label.
    Label,
    /// OAEP: no one after the zeros. RSAES: no zero after the padding.
    End,
    /// RSAES: the padding ends at once.
    Short,
}

fn xor(to: &mut [u8], mask: &[u8]) {
    for (to, mask) in to.iter_mut().zip(mask) {
        *to ^= mask;
    }
}

/// Bytes that are not zero.
fn nonzero(count: usize, random: &mut Random) -> Vec<u8> {
    random.bytes(count).iter().map(|byte| (*byte).max(1)).collect()
}

/// A block of OAEP that is wrong like this.
fn oaep_block(size: usize, wrong: Wrong, random: &mut Random) -> Vec<u8> {
    let label: &[u8] = if wrong == Wrong::Label { b"another\0" } else { b"" };
    let mut data = RUST.hash.digest(HASH, &[label]).to_vec();
    data.resize(size - 1 - HASH.size(), 0);
    if wrong != Wrong::End
        && let Some(byte) = data.iter_mut().rev().nth(16)
    {
        *byte = 1;
    }
    let mut seed = random.bytes(HASH.size());
    xor(&mut data, &mgf1(&RUST, HASH, &seed, size - 1 - HASH.size()));
    xor(&mut seed, &mgf1(&RUST, HASH, &data, HASH.size()));
    [&[if wrong == Wrong::First { 1 } else { 0 }][..], &seed, &data].concat()
}

/// A block of RSAES that is wrong like this.
fn rsaes_block(size: usize, wrong: Wrong, random: &mut Random) -> Vec<u8> {
    let mut block = nonzero(size, random);
    let head: [u8; 2] = if wrong == Wrong::First { [1, 2] } else { [0, 2] };
    block.splice(..2, head);
    let zero = match wrong {
        Wrong::Short => Some(3),
        Wrong::First => Some(100),
        _ => None,
    };
    if let Some(byte) = zero.and_then(|at| block.get_mut(at)) {
        *byte = 0;
    }
    block
}

/// Ciphertexts whose padding is wrong in one way or in another.
struct Paddings {
    crypto: &'static Crypto,
    key: RsaKey,
    pools: [Vec<Vec<u8>>; 2],
    cipher: Vec<u8>,
    decrypt: Decrypt,
}

type Decrypt = fn(&Crypto, &RsaKey, &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError>;

impl Subject for Paddings {
    fn prepare(&mut self, class: bool, random: &mut Random) {
        let at = random.below(POOL);
        let [first, second] = self.pools.each_ref().map(|pool| pool.get(at).map_or(&[][..], |cipher| cipher));
        choose(class, first, second, &mut self.cipher);
    }
    fn run(&mut self) {
        let _ = black_box((self.decrypt)(self.crypto, &self.key, black_box(&self.cipher)));
    }
}

fn paddings(
    crypto: &'static Crypto,
    decrypt: Decrypt,
    block: fn(usize, Wrong, &mut Random) -> Vec<u8>,
    wrong: [Wrong; 2],
    random: &mut Random,
) -> Result<Box<dyn Subject>, String> {
    let key = key(crypto, random)?;
    let size = key.n.len();
    let encrypting = if core::ptr::eq(crypto, &ALONE) { &ALONE } else { &NATIVE };
    let mut encrypted = |wrong| -> Result<Vec<u8>, String> {
        let cipher = rsa::encrypt_raw(encrypting, &key.n, key.e, &block(size, wrong, random)).map_err(failed)?;
        // Everything that is measured is a failure, and the same one.
        match decrypt(crypto, &key, &cipher) {
            Err(CryptoError::Mismatch) => Ok(cipher),
            other => Err(format!("a padding wrong by {wrong:?} came to {:?}", other.map(|m| m.len()))),
        }
    };
    let mut pool = |wrong| (0..POOL).map(|_| encrypted(wrong)).collect::<Result<Vec<_>, _>>();
    let pools = [pool(wrong[0])?, pool(wrong[1])?];
    Ok(Box::new(Paddings { crypto, pools, cipher: vec![0; size], decrypt, key }))
}

fn decrypt_oaep(crypto: &Crypto, key: &RsaKey, cipher: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    oaep::decrypt(crypto, key, HASH, b"", cipher)
}

fn provider(crypto: &'static Crypto, count: usize) -> Vec<Path> {
    let alone = core::ptr::eq(crypto, &ALONE);
    let name = move |what: &str| match alone {
        true => format!("RSA-{BITS}, the padding alone: {what}"),
        false => format!("RSA-{BITS}, {} provider: {what}", crypto.name),
    };
    let padding = |scheme: &str, classes, decrypt: Decrypt, block, wrong| {
        flat(name(scheme), classes, count, move |random: &mut Random| paddings(crypto, decrypt, block, wrong, random))
    };
    let by_oaep = |classes, wrong| padding("OAEP, wrong padding", classes, decrypt_oaep, oaep_block, wrong);
    let by_rsaes = |classes, wrong| padding("RSAES, wrong padding", classes, pkcs1::decrypt, rsaes_block, wrong);
    let mut paths = vec![
        by_oaep("first byte, label", [Wrong::First, Wrong::Label]),
        by_oaep("first byte, no end of padding", [Wrong::First, Wrong::End]),
        by_rsaes("first byte, no end of padding", [Wrong::First, Wrong::End]),
        by_rsaes("short padding, no end of padding", [Wrong::Short, Wrong::End]),
    ];
    if !alone {
        paths.extend([
            flat(name("private operation"), "one ciphertext, random ones", count, move |r| ciphers(crypto, false, r)),
            flat(name("private operation"), "the ciphertext 2, random ones", count, move |r| ciphers(crypto, true, r)),
            flat(name("private operation"), "one key, others", count, move |r| keys(crypto, false, r)),
            Path {
                expected: Expected::Public,
                ..flat(name("public operation"), "one key, others", count, move |r| keys(crypto, true, r))
            },
        ]);
    }
    paths
}

pub(super) fn paths() -> Vec<Path> {
    [provider(&ALONE, 100_000), provider(&NATIVE, 30_000), provider(&RUST, 15_000)].into_iter().flatten().collect()
}
