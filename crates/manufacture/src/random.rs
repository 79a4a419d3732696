//! Entropy from the kernel.

use crate::failure::{Failure, failure};
use rustix::rand::{GetRandomFlags, getrandom};
use sealwright_crypto::Random;
use sealwright_crypto::drbg::Drbg;
use zeroize::Zeroizing;

/// Fills `out` from the kernel's generator.
pub(crate) fn fill(mut out: &mut [u8]) -> Result<(), Failure> {
    while !out.is_empty() {
        match getrandom(&mut *out, GetRandomFlags::empty()) {
            Ok(n) => out = out.get_mut(n..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(failure!("the kernel gives no random numbers: {error}")),
        }
    }
    Ok(())
}

/// A generator for keys and signatures, seeded by the kernel.
pub(crate) fn generator() -> Result<impl Random, Failure> {
    let mut seed = Zeroizing::new([0; 48]);
    fill(&mut *seed)?;
    Ok(Drbg::instantiate(&[&*seed]))
}
