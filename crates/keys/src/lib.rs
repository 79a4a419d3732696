//! Key managers: who wraps the data key of a VM's state, and how its life ends.
//!
//! [`open`] makes a [`KeyManager`](sealwright_state::KeyManager) of an address such as `file:/etc/sealwright/master.key` or
//! `vault:https://vault.example:8200/transit/vm-{vm}`. The guide to them is `docs/guide/key-managers.md`, the format of what
//! they make `docs/reference/wrapped-key.md`.
//!
//! Managers are of two sorts. Those that hand out a secret (a file, a descriptor, libvirt, Barbican) have the data key
//! wrapped here under that secret. Those that encrypt themselves (Vault, PKCS#11, KMIP, a TPM) encrypt a fresh random
//! secret, and the data key is wrapped here under it. So VM, kind and data key are bound in the same way by all of them,
//! and no manager ever sees a data key.
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

mod address;
mod anchor;
#[cfg(test)]
mod contract;
mod descriptor;
mod failure;
mod given;
#[cfg(feature = "http")]
mod http;
mod keeper;
mod life;
mod local;
mod manager;
mod order;
mod process;
#[cfg(all(test, feature = "default"))]
mod real;
mod secret;
#[cfg(test)]
mod testing;
#[cfg(feature = "tls")]
mod tls;
mod tpm;

pub use address::{Address, AddressFault};
pub use anchor::open_anchor;
pub use descriptor::descriptor;
pub use failure::Failure;
pub use life::{Failed, KeyOf, Phase, ShredFault, Shredding};
pub use manager::{Scheme, open, schemes};
pub use order::Order;
pub use process::{Protection, protect};
pub use secret::{MAX_SECRET, Secret};
