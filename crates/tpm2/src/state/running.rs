//! What lives while the TPM runs.

use super::record::{Fields, Out};
use crate::collections::{Sorted, copy};
use crate::object::Slot;
use crate::session::Sessions;
use crate::structures::{
    Auth, Digest, HASH_COUNT, HashAlg, MAX_LOADED_OBJECTS, Nonce, PCR_COUNT, PRIMARY_SEED, Secret, rh,
};
use alloc::{sync::Arc, vec::Vec};
use sealwright_core::StateFault;
use zeroize::Zeroizing;

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

/// The values of a bank; the first [`HashAlg::size`] bytes of each count.
type Bank = [[u8; 64]; PCR_COUNT];

/// The PCR banks.
#[derive(Clone, Debug)]
pub(crate) struct Pcrs {
    /// Values by bank in the order of [`HashAlg::ALL`]. Banks are shared until they change: an extend copies only those
    /// that it extends.
    banks: [Arc<Bank>; HASH_COUNT],
}

impl Pcrs {
    /// All zero.
    pub(crate) fn new() -> Self {
        Self { banks: HashAlg::ALL.map(|_| Arc::new([[0; 64]; PCR_COUNT])) }
    }
    /// Value of a PCR; empty if there is no such.
    pub(crate) fn value(&self, hash: HashAlg, pcr: usize) -> &[u8] {
        let bank = HashAlg::ALL.iter().position(|h| *h == hash).and_then(|i| self.banks.get(i));
        bank.and_then(|b| b.get(pcr)).and_then(|v| v.get(..hash.size())).unwrap_or(&[])
    }
    /// Value of a PCR for changes; empty if there is no such.
    pub(crate) fn value_mut(&mut self, hash: HashAlg, pcr: usize) -> &mut [u8] {
        let index = HashAlg::ALL.iter().position(|h| *h == hash);
        let bank = index.and_then(|i| self.banks.get_mut(i)).map(Arc::make_mut);
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
    pub(crate) hash_sequence: Option<Vec<sealwright_crypto::hash::Hasher>>,
    pub(crate) established: bool,
    /// Orderly state is already marked as "none" in NV for a use of a dictionary-attack protected object.
    pub(crate) da_used: bool,
    /// Loaded transient objects; the handle is 0x80000000 plus the index.
    pub(crate) objects: [Option<Slot>; MAX_LOADED_OBJECTS],
    pub(crate) sessions: Sessions,
    /// Live copies of orderly NV Indexes and attributes (READLOCKED…) kept in memory.
    pub(crate) orderly_nv: Sorted<Arc<crate::nv::NvIndex>>,
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
    /// How the TPM had been shut down before this start.
    pub(crate) previous_orderly: super::OrderlyState,
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
            orderly_nv: Sorted::new(),
            platform_time,
            time: 0,
            clock: 0,
            clock_rate: 0,
            clock_fraction: 0,
            previous_orderly: super::OrderlyState::None,
            orderly: true,
            buffer_size: crate::structures::MAX_COMMAND_SIZE as u32,
        }
    }
}

/// Bytes of [`ResetData`].
pub(super) fn encode_reset(reset: &ResetData) -> Zeroizing<Vec<u8>> {
    let mut out = Out::part();
    out.field(1, &reset.null_proof);
    out.bytes(2, &super::encoding::seed_bytes(&reset.null_seed));
    out.field(3, &reset.clear_count);
    out.field(4, &reset.object_context_id);
    out.field(5, &reset.contexts);
    out.field(6, &reset.context_counter);
    out.field(7, &reset.command_audit_digest);
    out.field(8, &reset.restart_count);
    out.field(9, &reset.pcr_counter);
    out.field(10, &reset.commit_counter);
    out.field(11, &reset.commit_nonce);
    out.field(12, &reset.commit_array);
    out.finish()
}

/// [`ResetData`] of its bytes.
pub(super) fn decode_reset(bytes: &[u8]) -> Result<ResetData, StateFault> {
    let f = Fields::part(bytes)?;
    Ok(ResetData {
        null_proof: f.get(1)?,
        null_seed: super::encoding::seed_of(f.bytes(2)?)?,
        clear_count: f.get(3)?,
        object_context_id: f.get(4)?,
        contexts: f.get(5)?,
        context_counter: f.get(6)?,
        command_audit_digest: f.get(7)?,
        restart_count: f.get(8)?,
        pcr_counter: f.get(9)?,
        commit_counter: f.get(10)?,
        commit_nonce: f.get(11)?,
        commit_array: f.get(12)?,
    })
}

/// Bytes of [`ClearData`].
pub(super) fn encode_clear(clear: &ClearData) -> Zeroizing<Vec<u8>> {
    let mut out = Out::part();
    out.field(1, &clear.sh_enable);
    out.field(2, &clear.eh_enable);
    out.field(3, &clear.ph_enable_nv);
    out.bytes(4, &super::encoding::hierarchy_bytes(&clear.platform));
    out.field(5, &clear.pcr_auth);
    out.field(6, &clear.read_only);
    out.finish()
}

/// [`ClearData`] of its bytes.
pub(super) fn decode_clear(bytes: &[u8]) -> Result<ClearData, StateFault> {
    let f = Fields::part(bytes)?;
    Ok(ClearData {
        sh_enable: f.get(1)?,
        eh_enable: f.get(2)?,
        ph_enable_nv: f.get(3)?,
        platform: super::encoding::hierarchy_of(f.bytes(4)?)?,
        pcr_auth: f.get(5)?,
        read_only: f.get_or(6, false)?,
    })
}

/// Bytes of all PCR: one field for each bank, numbered by its TCG identifier.
pub(super) fn encode_pcrs(pcrs: &Pcrs) -> Zeroizing<Vec<u8>> {
    let mut out = Out::part();
    for hash in HashAlg::ALL {
        let bank: Vec<u8> = (0..PCR_COUNT).flat_map(|pcr| pcrs.value(hash, pcr)).copied().collect();
        out.bytes(hash.id(), &bank);
    }
    out.finish()
}

/// All PCR of their bytes; a bank that was not written is zero.
pub(super) fn decode_pcrs(bytes: &[u8]) -> Result<Pcrs, StateFault> {
    let f = Fields::part(bytes)?;
    let mut pcrs = Pcrs::new();
    for hash in HashAlg::ALL {
        let Some(bank) = f.all(hash.id()).next() else { continue };
        if bank.len() != hash.size().saturating_mul(PCR_COUNT) {
            return Err(StateFault::Format);
        }
        for (pcr, value) in (0..PCR_COUNT).zip(bank.chunks(hash.size())) {
            copy(pcrs.value_mut(hash, pcr), value);
        }
    }
    Ok(pcrs)
}
