//! The Sealwright TPM 2.0 engine: a TPM as a value.
//!
//! [`Tpm2`] owns all of its state. It does no input or output and has no clock: a [`sealwright_core::Platform`] gives
//! entropy, time and a place to commit for the time of each call. Same state, command, entropy and time give the same
//! answer, byte for byte.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::unwrap_in_result,
        clippy::panic,
        clippy::unreachable,
        clippy::todo,
        clippy::unimplemented
    )
)]

extern crate alloc;

mod clock;
mod collections;
pub mod commands;
mod dispatch;
mod drtm;
mod engine;
mod entity;
mod hierarchy;
pub mod libtpms;
mod lockout;
mod nv;
mod object;
mod pcr;
pub mod profile;
mod self_test;
mod session;
mod signing;
mod state;
pub mod structures;
mod summary;
mod table;
#[cfg(test)]
mod testing;
mod ticket;
mod tpm;

pub use commands::TABLE;
pub use engine::Tpm2;
pub use summary::{NvSummary, ObjectSummary, Summary};
pub use table::Entry;
