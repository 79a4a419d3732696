//! [`Tpm2`]: the state with its crypto provider, as an [`Engine`].

use crate::dispatch;
use crate::hierarchy::NEWEST_SEED_COMPAT;
use crate::profile::Profile;
use crate::session::CommandSessions;
use crate::state::{
    ClearData, Pcrs, Permanent, ResetData, Seed, State, Volatile, decode_permanent, decode_volatile, encode_permanent,
    encode_volatile,
};
use crate::structures::{Buffer, HashAlg, MAX_COMMAND_SIZE, PRIMARY_SEED, Secret};
use crate::tpm::Tpm;
use alloc::{sync::Arc, vec::Vec};
use sealwright_core::{Engine, Fault, Platform, PlatformFault, StateFault};
use sealwright_crypto::{Crypto, Random, drbg::Drbg};
use zeroize::Zeroizing;

/// Bytes of entropy that the random number generator takes at each power-on.
const ENTROPY: usize = 48;

/// The smallest buffer that a host may set: a saved context of the largest kind and its command.
const MIN_BUFFER: u32 = crate::structures::MAX_CONTEXT as u32 + 128;

/// Version of the firmware as newest libtpms reports it: a date and a number (TPM_PT_FIRMWARE_VERSION_1 and 2).
const FIRMWARE: [u32; 2] = [0x2024_0125, 0x0012_0000];

/// A TPM 2.0.
#[derive(Debug)]
pub struct Tpm2 {
    pub(crate) crypto: &'static Crypto,
    pub(crate) state: State,
}

impl Tpm2 {
    /// Makes a new TPM, with new seeds and nothing in NV, and commits it. Call [`Engine::power_on`] next.
    pub fn manufacture(crypto: &'static Crypto, platform: &mut dyn Platform) -> Result<Self, PlatformFault> {
        Self::manufacture_with(crypto, platform, Profile::default())
    }

    /// Makes a new TPM with a profile, which it keeps.
    pub fn manufacture_with(
        crypto: &'static Crypto,
        platform: &mut dyn Platform,
        profile: Profile,
    ) -> Result<Self, PlatformFault> {
        let mut drbg = seeded(platform)?;
        let mut secret = || {
            let mut bytes = Secret::<PRIMARY_SEED>::zeros(PRIMARY_SEED);
            drbg.fill(bytes.as_mut_slice());
            bytes
        };
        let mut seed = || Seed { bytes: secret(), compat: NEWEST_SEED_COMPAT };
        let (ep_seed, sp_seed, pp_seed) = (seed(), seed(), seed());
        let permanent = Permanent {
            ep_seed,
            sp_seed,
            pp_seed,
            ph_proof: secret(),
            sh_proof: secret(),
            eh_proof: secret(),
            pp_commands: [crate::commands::PP_COMMANDS].into_iter().collect(),
            max_tries: crate::lockout::MAX_TRIES,
            recovery_time: crate::lockout::RECOVERY,
            lockout_recovery: crate::lockout::RECOVERY,
            audit_commands: [crate::commands::SET_COMMAND_CODE_AUDIT_STATUS].into_iter().collect(),
            audit_hash: Some(HashAlg::Sha512),
            firmware_version: FIRMWARE,
            pcr_allocated: crate::pcr::banks_of(profile.limits().as_deref()),
            profile,
            ..Permanent::empty()
        };
        let tpm = Self::off(crypto, permanent, drbg);
        platform.commit(&encode_permanent(&tpm.state))?;
        Ok(tpm)
    }

    /// What the TPM has.
    pub fn profile(&self) -> &Profile {
        &self.state.permanent.profile
    }

    /// The TPM of a permanent state. Call [`Engine::power_on`] or [`Engine::resume`] next.
    pub fn restore(crypto: &'static Crypto, permanent: &[u8]) -> Result<Self, StateFault> {
        Ok(Self::of_permanent(crypto, decode_permanent(permanent)?))
    }

    /// The TPM of this state, not powered.
    pub(crate) fn of_permanent(crypto: &'static Crypto, permanent: Permanent) -> Self {
        Self::off(crypto, permanent, Drbg::instantiate(&[]))
    }

    /// A TPM that is not powered.
    fn off(crypto: &'static Crypto, permanent: Permanent, drbg: Drbg) -> Self {
        let state = State {
            permanent: Arc::new(permanent),
            reset: Arc::new(ResetData::new(Seed::default(), Secret::default(), Buffer::EMPTY)),
            clear: Arc::new(ClearData::new()),
            pcrs: Arc::new(Pcrs::new()),
            volatile: Volatile::new(0),
            drbg,
        };
        Self { crypto, state }
    }

    pub(crate) fn tpm<'a>(&'a mut self, platform: &'a mut dyn Platform, locality: u8) -> Tpm<'a> {
        Tpm { crypto: self.crypto, platform, state: &mut self.state, locality, command: CommandSessions::default() }
    }
}

fn seeded(platform: &mut dyn Platform) -> Result<Drbg, PlatformFault> {
    let mut entropy = Zeroizing::new([0; ENTROPY]);
    platform.entropy(&mut *entropy)?;
    Ok(Drbg::instantiate(&[&*entropy]))
}

impl Engine for Tpm2 {
    fn execute(&mut self, platform: &mut dyn Platform, locality: u8, command: &[u8], response: &mut [u8]) -> usize {
        dispatch::execute(self, platform, locality, command, response)
    }

    fn power_on(&mut self, platform: &mut dyn Platform) {
        let buffer_size = self.state.volatile.buffer_size;
        let established = self.state.volatile.established;
        let mut volatile = Volatile::new(platform.now());
        volatile.buffer_size = buffer_size;
        volatile.established = established;
        match seeded(platform) {
            Ok(drbg) => self.state.drbg = drbg,
            Err(_) => volatile.failure = Some(Fault::FAILURE.code()),
        }
        self.state.volatile = volatile;
        self.state.pcrs = Arc::new(Pcrs::new());
        self.state.clear = Arc::new(ClearData::new());
        self.state.reset = Arc::new(ResetData::new(Seed::default(), Secret::default(), Buffer::EMPTY));
        if let Some(next) = self.state.permanent.pcr_next {
            // Not committed here: until Startup commits it, each power-on comes to the same allocation.
            let permanent = Arc::make_mut(&mut self.state.permanent);
            permanent.pcr_allocated = next;
            permanent.pcr_next = None;
        }
    }

    fn hash_start(&mut self, platform: &mut dyn Platform) {
        self.tpm(platform, 4).hash_sequence_start();
    }

    fn hash_data(&mut self, platform: &mut dyn Platform, data: &[u8]) {
        self.tpm(platform, 4).hash_sequence_data(data);
    }

    fn hash_end(&mut self, platform: &mut dyn Platform) {
        self.tpm(platform, 4).hash_sequence_end();
    }

    fn established(&self) -> bool {
        self.state.volatile.established
    }

    fn reset_established(&mut self, locality: u8) -> bool {
        let allowed = matches!(locality, 3 | 4);
        if allowed {
            self.state.volatile.established = false;
        }
        allowed
    }

    fn buffer_size(&self) -> (u32, u32, u32) {
        (self.state.volatile.buffer_size, MIN_BUFFER, MAX_COMMAND_SIZE as u32)
    }

    fn set_buffer_size(&mut self, size: u32) -> u32 {
        self.state.volatile.buffer_size = size.clamp(MIN_BUFFER, MAX_COMMAND_SIZE as u32);
        self.state.volatile.buffer_size
    }

    fn save_permanent(&self) -> Vec<u8> {
        encode_permanent(&self.state).to_vec()
    }

    fn save_volatile(&mut self, platform: &mut dyn Platform) -> Vec<u8> {
        self.tpm(platform, 0).update_time();
        encode_volatile(self.crypto, &self.state).to_vec()
    }

    fn resume(&mut self, platform: &mut dyn Platform, volatile: &[u8]) -> Result<(), StateFault> {
        self.state = decode_volatile(self.crypto, &self.state.permanent, volatile, platform.now())?;
        Ok(())
    }

    fn is_orderly(&self) -> bool {
        self.state.volatile.orderly
    }
}
