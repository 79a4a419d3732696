//! State that cannot be lost, torn, rolled back or read: the store below a virtual TPM and its VM's UEFI variables.
//!
//! A state is a chain of [`Generation`]s. Each is sealed with a [`DataKey`] of its VM and kind; the data key is wrapped
//! by a [`KeyManager`]. The format is in `docs/reference/state-format.md`.
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

pub mod anchor;
pub mod backend;
pub mod disk;
pub mod entropy;
mod error;
mod format;
mod generation;
mod identity;
pub mod key;
mod lease;
mod reader;
mod seal;
mod store;
pub mod swtpm;
#[cfg(test)]
mod testing;

pub use error::{Mark, StateError};
pub use generation::{Content, Generation};
pub use identity::{DataKeyId, Digest, Kind, VmId, VmIdFault};
pub use key::{DataKey, EntropyFault, KeyContext, KeyError, KeyId, KeyManager, WrappedKey};
pub use lease::{Holder, Lease, timestamp};
pub use store::{Settings, Store};
