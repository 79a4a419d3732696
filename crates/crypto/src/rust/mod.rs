//! The provider in pure Rust.

pub mod cipher;
pub mod ecc;
pub mod hash;
mod montgomery;
pub mod rsa;

use crate::provider::Crypto;

pub use cipher::RustCipher;
pub use ecc::RustEcc;
pub use hash::RustHash;
pub use rsa::RustRsa;

/// Everything in pure Rust; it runs where no native library does, such as in an SVSM.
pub static RUST: Crypto = Crypto { name: "rust", hash: &RustHash, cipher: &RustCipher, rsa: &RustRsa, ecc: &RustEcc };
