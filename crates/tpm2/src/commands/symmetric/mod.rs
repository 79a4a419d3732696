//! Symmetric primitives (Part 3, 15).

pub mod encrypt_decrypt;
pub mod encrypt_decrypt2;
pub mod hash;
pub mod mac;
