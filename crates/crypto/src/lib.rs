//! Cryptography for the Sealwright TPM engines.
//!
//! [`Crypto`] is a provider: a plain struct of `&'static dyn` parts, chosen at run time. [`RUST`] fills it in pure
//! Rust; `sealwright-crypto-native` fills it from a native library. Schemes (paddings, signatures, key derivation)
//! are written once here over those parts, so every provider gives the same bytes for the same random numbers.
#![no_std]

extern crate alloc;

pub mod drbg;
pub mod ecc;
pub mod hash;
pub mod kdf;
mod natural;
pub mod primes;
pub mod provider;
pub mod rsa;
pub mod rust;
pub mod symmetric;
mod wire;

#[cfg(test)]
mod testing;

pub use provider::{
    BlockCipher, Cipher, CipherMode, Crt, Crypto, CryptoError, Curve, Digest, Ecc, Hash, HashAlg, Point, Random, Rsa,
    RsaKey,
};
pub use rust::RUST;
