//! The state formats of libtpms 0.5 to 0.10, both ways: what swtpm keeps in its files and sends in a live migration.
//!
//! The permanent state carries everything that survives power-off; seeds, proofs and the levels of their derivation are
//! taken over as they are, so that primary keys, wrapped keys, sealed data, tickets and saved contexts stay valid. The
//! volatile state carries a running TPM: objects, sessions, sequences, PCR and clocks.
//!
//! What a format cannot say is refused with an [`ImportFault`] or [`ExportFault`]; nothing has changed then.

mod builtin;
mod constants;
pub(crate) mod context;
mod fault;
mod nv;
mod object;
mod permanent;
mod profile;
mod reset;
mod sequence;
mod session;
mod sink;
mod source;
mod volatile;

pub use builtin::{ALL_ALGORITHMS, ALL_COMMANDS, BUILTIN_PROFILES, BuiltinProfile};
pub use fault::{ExportFault, ImportFault};

use crate::engine::Tpm2;
use alloc::vec::Vec;
use sealwright_core::Platform;
use sealwright_crypto::{Crypto, drbg::STATE};
use zeroize::Zeroizing;

impl Tpm2 {
    /// The TPM of a permanent state of libtpms, without swtpm's envelope. Call [`sealwright_core::Engine::power_on`]
    /// next.
    ///
    /// # Errors
    /// If the bytes are not such a state, are damaged, or are of a newer libtpms.
    pub fn from_libtpms_permanent(crypto: &'static Crypto, bytes: &[u8]) -> Result<Self, ImportFault> {
        Ok(Self::of_permanent(crypto, permanent::read(crypto, bytes)?))
    }

    /// The permanent state as libtpms reads it. libtpms 0.9 and later read that of a TPM with the `null` profile, as all
    /// are that were not imported with another.
    ///
    /// # Errors
    /// If the state has something that libtpms (or the profile) does not know.
    pub fn to_libtpms_permanent(&self) -> Result<Zeroizing<Vec<u8>>, ExportFault> {
        permanent::write(&self.state)
    }

    /// Goes on as the running TPM of a volatile state of libtpms, which must be of this permanent one. `wall_clock` is
    /// the time of day in milliseconds since 1970, if Clock is to count the time that has passed since the state was
    /// written.
    ///
    /// # Errors
    /// If the bytes are not such a state, are damaged, or are of another TPM. The TPM is unchanged then.
    pub fn resume_libtpms_volatile(
        &mut self,
        platform: &mut dyn Platform,
        bytes: &[u8],
        wall_clock: Option<u64>,
    ) -> Result<(), ImportFault> {
        let mut entropy = Zeroizing::new([0; STATE]);
        platform.entropy(&mut *entropy).map_err(|_| ImportFault::Entropy)?;
        let now = platform.now();
        let (buffer_size, permanent) = (self.state.volatile.buffer_size, &self.state.permanent);
        self.state = volatile::read(self.crypto, permanent, bytes, now, wall_clock, &entropy)?;
        self.state.volatile.buffer_size = buffer_size;
        Ok(())
    }

    /// The volatile state as libtpms reads it; the permanent one belongs to it. `wall_clock` is the time of day in
    /// milliseconds since 1970: libtpms counts the time that passes until it reads the state.
    ///
    /// # Errors
    /// If something runs that the format cannot say.
    pub fn to_libtpms_volatile(
        &mut self,
        platform: &mut dyn Platform,
        wall_clock: u64,
    ) -> Result<Zeroizing<Vec<u8>>, ExportFault> {
        self.tpm(platform, 0).update_time();
        volatile::write(self.crypto, &self.state, wall_clock)
    }

    /// The JSON text of the profile with which libtpms made the TPM; `None` for the `null` profile.
    pub fn libtpms_profile(&self) -> Option<&str> {
        self.state.permanent.profile.text()
    }
}
