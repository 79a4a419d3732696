//! State at rest and on the wire: the envelope around the engine's bytes, and the keys that seal it.

pub(crate) mod envelope;
pub(crate) mod key;

pub(crate) use envelope::{Kind, Layer, SealFault};
pub(crate) use key::SealKey;
