//! The provider in pure Rust.

pub mod cipher;
pub mod hash;

pub use cipher::RustCipher;
pub use hash::RustHash;
