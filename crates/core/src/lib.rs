//! The base of the Sealwright TPM engines: wire format, response codes, and the traits between an engine and its host.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod engine;

pub use engine::{Engine, Platform, PlatformFault, StateFault};
