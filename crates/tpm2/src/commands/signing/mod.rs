//! Signing and signature verification (Part 3, 20).

pub mod sign;
pub mod verify_signature;
