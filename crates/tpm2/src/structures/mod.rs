//! The structures of Part 2, one file per family, each written once.

mod algorithms;
mod attest;
mod attributes;
mod capability;
mod context;
mod handles;
mod limits;
mod nv;
mod pcr;
mod public;
mod schemes;
mod sensitive;
mod signature;
mod symmetric;
mod tickets;

pub use algorithms::*;
pub use attest::*;
pub use attributes::*;
pub use capability::*;
pub use context::*;
pub use handles::*;
pub use limits::*;
pub use nv::*;
pub use pcr::*;
pub use public::*;
pub use schemes::*;
pub use sensitive::*;
pub use signature::*;
pub use symmetric::*;
pub use tickets::*;

pub use sealwright_core::{Buffer, Fault, List, Reader, Secret, Sized2b, Wire, Writer};
pub use sealwright_crypto::{BlockCipher, CipherMode, Curve, HashAlg};
