//! What tests of several modules share.

use alloc::vec::Vec;

use crate::provider::{Crypto, CryptoError, Curve, Ecc, Point, Random, Rsa, RsaKey};
use crate::rust::{RustCipher, RustHash};

/// Bytes of a hexadecimal string; white space is ignored.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).expect("a hexadecimal digit") as u8)
        .collect();
    assert_eq!(digits.len() % 2, 0, "an even number of digits");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Yields given bytes, then panics.
pub(crate) struct Fixed(pub Vec<u8>);

impl Random for Fixed {
    fn fill(&mut self, out: &mut [u8]) {
        let rest = self.0.split_off(out.len());
        out.copy_from_slice(&self.0);
        self.0 = rest;
    }
}

/// The pure-Rust provider without curves.
pub(crate) const CRYPTO: Crypto =
    Crypto { name: "rust", hash: &RustHash, cipher: &RustCipher, rsa: &NoRsa, ecc: &NoCurves };

struct NoCurves;

impl Ecc for NoCurves {
    fn on_curve(&self, _: Curve, _: &Point) -> bool {
        false
    }
    fn mul_base(&self, _: Curve, _: &[u8]) -> Result<Point, CryptoError> {
        Err(CryptoError::Unsupported)
    }
    fn mul(&self, _: Curve, _: &[u8], _: &Point) -> Result<Point, CryptoError> {
        Err(CryptoError::Unsupported)
    }
    fn mul_add(&self, _: Curve, _: &[u8], _: &[u8], _: &Point) -> Result<Point, CryptoError> {
        Err(CryptoError::Unsupported)
    }
    fn add(&self, _: Curve, _: &Point, _: &Point) -> Result<Point, CryptoError> {
        Err(CryptoError::Unsupported)
    }
}

struct NoRsa;

impl Rsa for NoRsa {
    fn public(&self, _: &[u8], _: u32, _: &[u8]) -> Result<Vec<u8>, CryptoError> {
        Err(CryptoError::Unsupported)
    }
    fn private(&self, _: &RsaKey, _: &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>, CryptoError> {
        Err(CryptoError::Unsupported)
    }
    fn miller_rabin(&self, _: &[u8], _: &mut dyn FnMut() -> zeroize::Zeroizing<Vec<u8>>, _: usize) -> bool {
        false
    }
}
