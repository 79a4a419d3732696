//! The provider in pure Rust.

pub mod cipher;
pub mod ecc;
pub mod hash;
mod montgomery;
pub mod rsa;

pub use cipher::RustCipher;
pub use ecc::RustEcc;
pub use hash::RustHash;
pub use rsa::RustRsa;
