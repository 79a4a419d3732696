//! States that Debian's swtpm makes, taken over by the engine and given back, and both TPMs asked the same.
//!
//! A TPM is filled by [`fill`], asked by [`probe`], and the answers are compared byte by byte: both have the same seeds,
//! so everything but random numbers and time must be the same.

pub mod client;
pub mod engine;
pub mod fill;
pub mod probe;
