//! Entropy from the kernel.

use crate::failure::{Failure, failure};
use sealwright_crypto::Random;
use sealwright_crypto::drbg::Drbg;
use zeroize::Zeroizing;

/// Fills `out` from the kernel's generator.
pub(crate) fn fill(out: &mut [u8]) -> Result<(), Failure> {
    sealwright_state::entropy::fill(out).map_err(|fault| failure!("{fault}"))
}

/// A generator for keys and signatures, seeded by the kernel.
pub(crate) fn generator() -> Result<impl Random, Failure> {
    let mut seed = Zeroizing::new([0; 48]);
    fill(&mut *seed)?;
    Ok(Drbg::instantiate(&[&*seed]))
}
