//! Clients of the two channels of a TPM daemon, vtpmd or swtpm: [`Control`] for power, locality and state, [`Data`] for
//! TPM commands. The tools `swtpm_ioctl` and `swtpm_bios` are made of them.
//!
//! Everything blocks, with a time limit on each answer.
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

mod address;
pub mod command_line;
mod control;
mod data;
mod fault;
mod request;

pub use address::{Address, Stream};
pub use control::{BlobKind, BufferSize, Config, Control, StateBlob};
pub use data::{Data, HEADER, MAX_RESPONSE};
pub use fault::Fault;
pub use request::{Command, capability, result};
