//! Signing and signature verification (Part 3, 20).

pub(crate) mod sign;
pub(crate) mod verify_signature;
