//! The engine behind the daemon: how one is made, and with which crypto.

use crate::failure::{Failure, failure};
use sealwright_core::{Engine, Platform, PlatformFault, StateFault};

/// Makes engines. The one seam between the daemon and a TPM implementation.
pub(crate) trait Maker: Send {
    /// A new TPM; its first state is committed.
    fn manufacture(&self, platform: &mut dyn Platform) -> Result<Box<dyn Engine + Send>, PlatformFault>;
    /// The TPM of a permanent state. Afterwards either `power_on` or `resume` is called.
    fn restore(&self, permanent: &[u8]) -> Result<Box<dyn Engine + Send>, StateFault>;
}

/// The buffer sizes told on the control channel before an engine runs: (current, minimum, maximum).
pub(crate) const BUFFER_SIZE: (u32, u32, u32) = (4096, 3528, 4096);

/// The maker of TPM 2.0 engines on the crypto provider of this name.
pub(crate) fn maker(crypto: Option<&str>) -> Result<Box<dyn Maker>, Failure> {
    match crypto {
        None | Some("native" | "rust") => Err(failure!("this build of vtpmd contains no TPM 2.0 engine")),
        Some(other) => Err(failure!("--crypto: '{other}' is unknown; native and rust are known")),
    }
}
