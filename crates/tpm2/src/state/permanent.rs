//! What survives power-off.

use crate::collections::{Codes, Sorted};
use crate::nv::NvIndex;
use crate::object::Object;
use crate::structures::{Auth, Digest, HashAlg, PRIMARY_SEED, PcrSelections, Secret};
use alloc::sync::Arc;

/// Authorization of a hierarchy or of lockout.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hierarchy {
    pub(crate) auth: Auth,
    pub(crate) policy_alg: Option<HashAlg>,
    pub(crate) policy: Digest,
}

/// A primary seed, with the way in which primes are made from it (0 for seeds older than libtpms 0.8, else 1).
#[derive(Clone, Debug, Default)]
pub(crate) struct Seed {
    pub(crate) bytes: Secret<PRIMARY_SEED>,
    pub(crate) compat: u8,
}

/// How the TPM was shut down last (orderlyState of Part 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OrderlyState {
    /// Not at all: power was lost while volatile copies differed from NV.
    #[default]
    None,
    /// Not at all, and an object with dictionary-attack protection was used since the last orderly shutdown.
    DaUsed,
    /// Shutdown(CLEAR).
    Clear,
    /// Shutdown(STATE): [`Permanent::saved`] is there.
    State {
        /// `_TPM_Hash_Start` came before Startup.
        drtm: bool,
        /// Startup was at locality 3.
        locality3: bool,
    },
}

/// State kept by Shutdown(STATE) for the next Startup.
#[derive(Clone, Debug)]
pub(crate) struct SavedState {
    pub(crate) reset: super::ResetData,
    pub(crate) clear: super::ClearData,
    /// PCR that are preserved (PCR 0 to 15).
    pub(crate) pcrs: super::Pcrs,
}

/// Part 4, 9.9.? PERSISTENT_DATA with orderly data and user NV.
#[derive(Clone, Debug)]
pub(crate) struct Permanent {
    pub(crate) disable_clear: bool,
    pub(crate) owner: Hierarchy,
    pub(crate) endorsement: Hierarchy,
    pub(crate) lockout: Hierarchy,
    pub(crate) ep_seed: Seed,
    pub(crate) sp_seed: Seed,
    pub(crate) pp_seed: Seed,
    pub(crate) ph_proof: Secret<PRIMARY_SEED>,
    pub(crate) sh_proof: Secret<PRIMARY_SEED>,
    pub(crate) eh_proof: Secret<PRIMARY_SEED>,
    /// TPM Resets over the whole life.
    pub(crate) total_reset_count: u64,
    /// TPM Resets since the last Clear.
    pub(crate) reset_count: u32,
    /// Policy of the PCR group that has one (PCR 20 to 22).
    pub(crate) pcr_policy_alg: Option<HashAlg>,
    pub(crate) pcr_policy: Digest,
    pub(crate) pcr_allocated: PcrSelections,
    /// The allocation from the next `_TPM_Init` on.
    pub(crate) pcr_next: Option<PcrSelections>,
    /// Commands that need physical presence.
    pub(crate) pp_commands: Codes,
    pub(crate) failed_tries: u32,
    pub(crate) max_tries: u32,
    /// Seconds.
    pub(crate) recovery_time: u32,
    /// Seconds.
    pub(crate) lockout_recovery: u32,
    pub(crate) lockout_auth_enabled: bool,
    pub(crate) orderly_state: OrderlyState,
    pub(crate) audit_commands: Codes,
    pub(crate) audit_hash: Option<HashAlg>,
    pub(crate) audit_counter: u64,
    pub(crate) algorithm_set: u32,
    pub(crate) firmware_version: [u32; 2],
    /// What the TPM has, if that is less than the engine.
    pub(crate) profile: crate::profile::Profile,
    /// Changes at each start of the time counter, so that timeouts of another epoch are known.
    pub(crate) time_epoch: u32,
    /// Clock in milliseconds at the last commit of it.
    pub(crate) clock: u64,
    pub(crate) clock_safe: bool,
    /// Time in milliseconds (of the clock's time base) at which the last failed try was healed.
    pub(crate) self_heal_timer: u64,
    pub(crate) lockout_timer: u64,
    /// Time in milliseconds at the last orderly shutdown: the timers go on from there.
    pub(crate) shutdown_time: u64,
    pub(crate) nv: Sorted<Arc<NvIndex>>,
    /// Highest value of any counter Index, also of undefined ones.
    pub(crate) nv_max_counter: u64,
    pub(crate) persistent: Sorted<Arc<Object>>,
    pub(crate) saved: Option<Arc<SavedState>>,
}

impl Permanent {
    /// The state of a TPM that has no secrets yet, and no memory of anything.
    pub(crate) fn empty() -> Self {
        Self {
            disable_clear: false,
            owner: Hierarchy::default(),
            endorsement: Hierarchy::default(),
            lockout: Hierarchy::default(),
            ep_seed: Seed::default(),
            sp_seed: Seed::default(),
            pp_seed: Seed::default(),
            ph_proof: Secret::default(),
            sh_proof: Secret::default(),
            eh_proof: Secret::default(),
            total_reset_count: 0,
            reset_count: 0,
            pcr_policy_alg: None,
            pcr_policy: Digest::EMPTY,
            pcr_allocated: crate::pcr::all_banks(),
            pcr_next: None,
            pp_commands: Codes::new(),
            failed_tries: 0,
            max_tries: 0,
            recovery_time: 0,
            lockout_recovery: 0,
            lockout_auth_enabled: true,
            orderly_state: OrderlyState::Clear,
            audit_commands: Codes::new(),
            audit_hash: None,
            audit_counter: 0,
            algorithm_set: 0,
            firmware_version: [0; 2],
            profile: crate::profile::Profile::default(),
            time_epoch: 0,
            clock: 0,
            clock_safe: true,
            self_heal_timer: 0,
            lockout_timer: 0,
            shutdown_time: 0,
            nv: Sorted::new(),
            nv_max_counter: 0,
            persistent: Sorted::new(),
            saved: None,
        }
    }
}
