//! State on the wire, in an envelope around the engine's bytes; and the keys of the command line, which seal it, and
//! wrap the key of the state at rest.

pub(crate) mod envelope;
pub(crate) mod key;
mod wrap;

pub(crate) use envelope::{Kind, Layer, SealFault};
pub(crate) use key::SealKey;
pub(crate) use wrap::LocalKey;
