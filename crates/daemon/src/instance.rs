//! The engine behind the daemon: how one is made, and with which crypto.

use crate::failure::{Failure, failure};
use sealwright_core::{Engine, Platform, PlatformFault, StateFault};
use sealwright_crypto::Crypto;
use sealwright_state::entropy;
use sealwright_tpm2::Tpm2;
use sealwright_tpm2::libtpms::{ExportFault, ImportFault};
use sealwright_tpm2::profile::Profile;
use std::time::{SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

/// Makes engines. The one seam between the daemon and a TPM implementation.
pub(crate) trait Maker: Send {
    /// A new TPM; its first state is committed.
    fn manufacture(&self, platform: &mut dyn Platform) -> Result<Box<dyn Engine + Send>, PlatformFault>;
    /// The TPM of a permanent state. Afterwards either `power_on` or `resume` is called.
    fn restore(&self, permanent: &[u8]) -> Result<Box<dyn Engine + Send>, StateFault>;
    /// The profile of the TPM of a permanent state.
    fn profile(&self, permanent: &[u8]) -> Result<Profile, StateFault>;
    /// The states of a TPM that libtpms wrote, in the engine's own format.
    fn import(&self, permanent: &[u8], volatile: Option<&[u8]>) -> Result<Imported, ImportFault>;
    /// The states of a TPM in libtpms's format, of those in the engine's own.
    fn export(&self, permanent: &[u8], volatile: Option<&[u8]>) -> Result<Exported, NoExport>;
}

/// A platform for an engine that runs nothing: it takes over a state and gives it away again.
struct Still;

impl Platform for Still {
    fn entropy(&mut self, out: &mut [u8]) -> Result<(), PlatformFault> {
        entropy::fill(out).map_err(|_| PlatformFault::Entropy)
    }
    fn now(&mut self) -> u64 {
        0
    }
    fn commit(&mut self, _: &[u8]) -> Result<(), PlatformFault> {
        Err(PlatformFault::Unavailable)
    }
}

/// Milliseconds since 1970.
pub(crate) fn wall_clock() -> Option<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

/// States of swtpm in the engine's own format.
pub(crate) struct Imported {
    pub(crate) permanent: Zeroizing<Vec<u8>>,
    pub(crate) volatile: Option<Zeroizing<Vec<u8>>>,
}

/// The engine's states in libtpms's format.
pub(crate) struct Exported {
    pub(crate) permanent: Zeroizing<Vec<u8>>,
    pub(crate) volatile: Option<Zeroizing<Vec<u8>>>,
}

/// Why a state could not be given away in libtpms's format.
#[derive(Debug)]
pub(crate) enum NoExport {
    /// It is none of the engine's.
    State(StateFault),
    /// The format cannot say it.
    Format(ExportFault),
    /// The clock of the host is before 1970.
    Clock,
}

impl core::fmt::Display for NoExport {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::State(fault) => write!(f, "{fault}"),
            Self::Format(fault) => write!(f, "{fault}"),
            Self::Clock => f.write_str("the clock of this host is before 1970"),
        }
    }
}

/// The buffer sizes told on the control channel before an engine runs: (current, minimum, maximum).
pub(crate) const BUFFER_SIZE: (u32, u32, u32) = (4096, 3528, 4096);

/// Makes TPM 2.0 engines.
struct Tpm2Maker(&'static Crypto, Profile);

impl Maker for Tpm2Maker {
    fn manufacture(&self, platform: &mut dyn Platform) -> Result<Box<dyn Engine + Send>, PlatformFault> {
        Ok(Box::new(Tpm2::manufacture_with(self.0, platform, self.1.clone())?))
    }

    fn restore(&self, permanent: &[u8]) -> Result<Box<dyn Engine + Send>, StateFault> {
        Ok(Box::new(Tpm2::restore(self.0, permanent)?))
    }

    fn profile(&self, permanent: &[u8]) -> Result<Profile, StateFault> {
        Ok(Tpm2::restore(self.0, permanent)?.profile().clone())
    }

    fn import(&self, permanent: &[u8], volatile: Option<&[u8]>) -> Result<Imported, ImportFault> {
        let mut tpm = Tpm2::from_libtpms_permanent(self.0, permanent)?;
        if let Some(volatile) = volatile {
            tpm.resume_libtpms_volatile(&mut Still, volatile, wall_clock())?;
        }
        // The volatile state first: it is bound to the permanent one by everything but Clock.
        let volatile = volatile.map(|_| Zeroizing::new(tpm.save_volatile(&mut Still)));
        Ok(Imported { permanent: Zeroizing::new(tpm.save_permanent()), volatile })
    }

    fn export(&self, permanent: &[u8], volatile: Option<&[u8]>) -> Result<Exported, NoExport> {
        let mut tpm = Tpm2::restore(self.0, permanent).map_err(NoExport::State)?;
        let mut running = None;
        if let Some(bytes) = volatile {
            tpm.resume(&mut Still, bytes).map_err(NoExport::State)?;
            let now = wall_clock().ok_or(NoExport::Clock)?;
            running = Some(tpm.to_libtpms_volatile(&mut Still, now).map_err(NoExport::Format)?);
        }
        Ok(Exported { permanent: tpm.to_libtpms_permanent().map_err(NoExport::Format)?, volatile: running })
    }
}

/// The maker of TPM 2.0 engines on the crypto provider of this name; `native` is the default. New TPMs have no profile.
pub(crate) fn maker(crypto: Option<&str>) -> Result<Box<dyn Maker>, Failure> {
    maker_with(crypto, Profile::default())
}

/// The same, with the profile of new TPMs.
pub(crate) fn maker_with(crypto: Option<&str>, profile: Profile) -> Result<Box<dyn Maker>, Failure> {
    let crypto = match crypto {
        None | Some("native") => &sealwright_crypto_native::NATIVE,
        Some("rust") => &sealwright_crypto::RUST,
        Some(other) => return Err(failure!("--crypto: '{other}' is unknown; native and rust are known")),
    };
    Ok(Box::new(Tpm2Maker(crypto, profile)))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench(Vec<u8>);

    impl Platform for Bench {
        fn entropy(&mut self, out: &mut [u8]) -> Result<(), PlatformFault> {
            out.fill(7);
            Ok(())
        }
        fn now(&mut self) -> u64 {
            1
        }
        fn commit(&mut self, state: &[u8]) -> Result<(), PlatformFault> {
            self.0 = state.to_vec();
            Ok(())
        }
    }

    #[test]
    fn the_engine_has_the_buffer_sizes_told_before_it_runs_and_restores_what_it_commits() {
        for crypto in ["native", "rust"] {
            let maker = maker(Some(crypto)).unwrap();
            let mut bench = Bench(Vec::new());
            let mut made = maker.manufacture(&mut bench).unwrap();
            assert_eq!(made.buffer_size(), BUFFER_SIZE);
            made.power_on(&mut bench);
            let restored = maker.restore(&bench.0).unwrap();
            assert_eq!(restored.save_permanent(), bench.0);
        }
        assert!(maker(Some("none")).is_err());
    }
}
