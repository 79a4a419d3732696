//! What lives while the TPM runs.

use crate::object::Slot;
use crate::session::Sessions;
use crate::structures::{
    Auth, Digest, HASH_COUNT, HashAlg, MAX_LOADED_OBJECTS, Nonce, PCR_COUNT, PRIMARY_SEED, Secret, rh,
};
use alloc::{boxed::Box, collections::BTreeMap, sync::Arc};

/// Part 4 STATE_RESET_DATA: gone at TPM Reset.
#[derive(Clone, Debug)]
pub(crate) struct ResetData {
    pub(crate) null_proof: Secret<PRIMARY_SEED>,
    pub(crate) null_seed: super::Seed,
    /// TPM Clears and the like since the reset: part of context protection for stClear objects.
    pub(crate) clear_count: u32,
    /// Sequence number of the next saved object context.
    pub(crate) object_context_id: u64,
    /// For each session slot 0 (free), 1..=3 (loaded, 1-based slot) or the context sequence of a saved one.
    pub(crate) contexts: [u64; crate::structures::MAX_ACTIVE_SESSIONS],
    /// Sequence number of the last saved session context.
    pub(crate) context_counter: u64,
    pub(crate) command_audit_digest: Digest,
    pub(crate) restart_count: u32,
    pub(crate) pcr_counter: u32,
    pub(crate) commit_counter: u64,
    pub(crate) commit_nonce: Nonce,
    pub(crate) commit_array: [u8; crate::structures::MAX_COMMITS / 8],
}

/// Part 4 STATE_CLEAR_DATA: gone at TPM Reset and Restart.
#[derive(Clone, Debug)]
pub(crate) struct ClearData {
    pub(crate) sh_enable: bool,
    pub(crate) eh_enable: bool,
    pub(crate) ph_enable_nv: bool,
    pub(crate) platform: super::Hierarchy,
    /// Authorization of the PCR group that has one (PCR 20 to 22).
    pub(crate) pcr_auth: Auth,
    /// ReadOnlyControl.
    pub(crate) read_only: bool,
}

/// The PCR banks.
#[derive(Clone, Debug)]
pub(crate) struct Pcrs {
    /// Values by bank in the order of [`HashAlg::ALL`]; the first [`HashAlg::size`] bytes of each count.
    pub(crate) banks: [[[u8; 64]; PCR_COUNT]; HASH_COUNT],
}

impl Pcrs {
    /// All zero.
    pub(crate) const fn new() -> Self {
        Self { banks: [[[0; 64]; PCR_COUNT]; HASH_COUNT] }
    }
    /// Value of a PCR; empty if there is no such.
    pub(crate) fn value(&self, hash: HashAlg, pcr: usize) -> &[u8] {
        let bank = HashAlg::ALL.iter().position(|h| *h == hash).and_then(|i| self.banks.get(i));
        bank.and_then(|b| b.get(pcr)).and_then(|v| v.get(..hash.size())).unwrap_or(&[])
    }
    /// Value of a PCR for changes; empty if there is no such.
    pub(crate) fn value_mut(&mut self, hash: HashAlg, pcr: usize) -> &mut [u8] {
        let index = HashAlg::ALL.iter().position(|h| *h == hash);
        let bank = index.and_then(|i| self.banks.get_mut(i));
        bank.and_then(|b| b.get_mut(pcr)).and_then(|v| v.get_mut(..hash.size())).unwrap_or(&mut [])
    }
}

/// What `_TPM_Init` clears.
#[derive(Clone, Debug)]
pub(crate) struct Volatile {
    /// Startup was done.
    pub(crate) started: bool,
    /// In failure mode, and why.
    pub(crate) failure: Option<u32>,
    pub(crate) ph_enable: bool,
    /// PCR_Allocate changed the banks: no Shutdown(STATE) until the next Init.
    pub(crate) pcr_reconfigured: bool,
    /// Handle of the exclusive audit session, or UNASSIGNED.
    pub(crate) exclusive_audit: u32,
    /// `_TPM_Hash_Start` came before Startup (H-CRTM).
    pub(crate) drtm_pre_startup: bool,
    /// Startup was at locality 3.
    pub(crate) startup_locality3: bool,
    /// A running `_TPM_Hash` sequence: data hashed so far, one for each bank.
    pub(crate) hash_sequence: Option<Box<[sealwright_crypto::hash::Hasher; HASH_COUNT]>>,
    pub(crate) established: bool,
    /// Orderly state is already marked as "none" in NV for a use of a dictionary-attack protected object.
    pub(crate) da_used: bool,
    /// Loaded transient objects; the handle is 0x80000000 plus the index.
    pub(crate) objects: [Option<Slot>; MAX_LOADED_OBJECTS],
    pub(crate) sessions: Sessions,
    /// Live copies of orderly NV Indexes and attributes (READLOCKED…) kept in memory.
    pub(crate) orderly_nv: BTreeMap<u32, Arc<crate::nv::NvIndex>>,
    /// Platform clock at the last update of `time` and `clock`, in milliseconds.
    pub(crate) platform_time: u64,
    /// Time of TPMS_TIME_INFO in milliseconds.
    pub(crate) time: u64,
    /// Clock of TPMS_CLOCK_INFO in milliseconds; NV holds an older value.
    pub(crate) clock: u64,
    /// ClockRateAdjust: parts in a million, positive is faster.
    pub(crate) clock_rate: i32,
    /// Remainder of the rate adjustment, in millionths of a millisecond.
    pub(crate) clock_fraction: i64,
    /// Orderly Shutdown was the last command, or the TPM was not started.
    pub(crate) orderly: bool,
    pub(crate) buffer_size: u32,
}

impl Volatile {
    /// State after `_TPM_Init`.
    pub(crate) fn new(platform_time: u64) -> Self {
        Self {
            started: false,
            failure: None,
            ph_enable: true,
            pcr_reconfigured: false,
            exclusive_audit: rh::UNASSIGNED,
            drtm_pre_startup: false,
            startup_locality3: false,
            hash_sequence: None,
            established: false,
            da_used: false,
            objects: [const { None }; MAX_LOADED_OBJECTS],
            sessions: Sessions::default(),
            orderly_nv: BTreeMap::new(),
            platform_time,
            time: 0,
            clock: 0,
            clock_rate: 0,
            clock_fraction: 0,
            orderly: true,
            buffer_size: crate::structures::MAX_COMMAND_SIZE as u32,
        }
    }
}
