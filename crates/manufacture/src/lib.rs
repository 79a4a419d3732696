//! Makes vTPMs: a TPM with its endorsement keys, the certificates of these and of the platform, and the PCR banks that are
//! asked for, stored where a daemon finds it.
//!
//! The programs `swtpm_setup`, `swtpm_localca` and `swtpm_cert` are thin command lines over it. No daemon and no socket is
//! needed: the engine runs in this process, the state appears at its place whole or not at all. The reference is
//! `docs/reference/swtpm_setup.md`.
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
        clippy::unimplemented,
        clippy::arithmetic_side_effects
    )
)]

pub mod ca;
pub mod certificate;
pub mod command;
mod config;
mod failure;
mod file;
mod log;
mod random;
pub mod state;
pub mod vtpm;

pub use failure::Failure;
pub use log::Log;
