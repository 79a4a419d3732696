//! The base of the Sealwright TPM engines: wire format, response codes, and the traits between an engine and its host.
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

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod command;
pub mod engine;
mod fault;
pub mod wire;

pub use command::{Command, CommandSpec, Response, Role};
pub use engine::{Engine, Platform, PlatformFault, StateFault};
pub use fault::Fault;
pub use wire::{Algorithm, Buffer, List, Reader, Secret, Sized2b, Wire, Writer};
