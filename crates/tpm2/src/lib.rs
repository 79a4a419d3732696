//! The Sealwright TPM 2.0 engine: a TPM as a value.
//!
//! [`Tpm2`] owns all of its state. It does no input or output and has no clock: a [`sealwright_core::Platform`] gives
//! entropy, time and a place to commit for the time of each call.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::todo,
        clippy::unimplemented
    )
)]

extern crate alloc;

pub mod structures;
