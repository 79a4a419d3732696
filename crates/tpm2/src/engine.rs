//! [`Tpm2`]: the state with its crypto provider, as an [`sealwright_core::Engine`].

use crate::state::State;
use sealwright_crypto::Crypto;

/// A TPM 2.0.
#[derive(Debug)]
pub struct Tpm2 {
    pub(crate) crypto: &'static Crypto,
    pub(crate) state: State,
}
