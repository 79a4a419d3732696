//! The provider in pure Rust.

pub mod cipher;
pub mod ecc;
pub mod hash;

pub use cipher::RustCipher;
pub use ecc::RustEcc;
pub use hash::RustHash;
