//! Hierarchies: their seeds, proofs and authorizations (Part 1, 13; Part 4, Hierarchy.c).

use crate::object::Slot;
use crate::state::{ClearData, Hierarchy, OrderlyState, ResetData, Seed};
use crate::structures::{Auth, MAX_COMMITS, Nonce, PRIMARY_SEED, Secret, rh};
use crate::tpm::Tpm;
use alloc::vec::Vec;
use sealwright_core::{Buffer, Fault};
use sealwright_crypto::Random;

/// The newest way of making primes from a seed.
pub(crate) const NEWEST_SEED_COMPAT: u8 = 1;

impl ResetData {
    /// State after a TPM Reset.
    pub(crate) fn new(null_seed: Seed, null_proof: Secret<PRIMARY_SEED>, commit_nonce: Nonce) -> Self {
        Self {
            null_proof,
            null_seed,
            clear_count: 0,
            object_context_id: 0,
            contexts: [0; crate::structures::MAX_ACTIVE_SESSIONS],
            context_counter: 0,
            command_audit_digest: Buffer::EMPTY,
            restart_count: 0,
            pcr_counter: 0,
            commit_counter: 0,
            commit_nonce,
            commit_array: [0; MAX_COMMITS / 8],
        }
    }
}

impl ClearData {
    /// State after a TPM Reset or Restart.
    pub(crate) fn new() -> Self {
        Self {
            sh_enable: true,
            eh_enable: true,
            ph_enable_nv: true,
            platform: Hierarchy::default(),
            pcr_auth: Auth::default(),
            read_only: false,
        }
    }
}

impl Tpm<'_> {
    /// A new primary seed.
    pub(crate) fn new_seed(&mut self) -> Result<Seed, Fault> {
        Ok(Seed { bytes: self.new_secret()?, compat: NEWEST_SEED_COMPAT })
    }

    /// A new proof.
    pub(crate) fn new_secret(&mut self) -> Result<Secret<PRIMARY_SEED>, Fault> {
        Secret::from_slice(&self.random_bytes(PRIMARY_SEED))
    }

    /// A new secret for split signing.
    pub(crate) fn new_commit_nonce(&mut self) -> Result<Nonce, Fault> {
        Buffer::from_slice(&self.random_bytes(crate::ticket::CONTEXT_HASH.size()))
    }

    /// A number that differs from that of any other run of the clock, with all likelihood.
    pub(crate) fn new_time_epoch(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.state.drbg.fill(&mut bytes);
        u32::from_be_bytes(bytes)
    }

    /// Authorization of a hierarchy or of lockout, for changes.
    pub(crate) fn hierarchy_mut(&mut self, handle: u32) -> &mut Hierarchy {
        match handle {
            rh::PLATFORM => &mut self.clear_mut().platform,
            rh::OWNER => &mut self.permanent_mut().owner,
            rh::ENDORSEMENT => &mut self.permanent_mut().endorsement,
            _ => &mut self.permanent_mut().lockout,
        }
    }

    /// Flushes all transient objects of a hierarchy.
    pub(crate) fn flush_hierarchy(&mut self, hierarchy: u32) {
        for slot in &mut self.state.volatile.objects {
            if matches!(slot, Some(Slot::Object(object)) if object.hierarchy == hierarchy) {
                *slot = None;
            }
        }
    }

    /// Removes all persistent objects of a hierarchy.
    pub(crate) fn remove_persistent(&mut self, hierarchy: u32) {
        let gone: Vec<u32> = {
            let all = self.state.permanent.persistent.iter();
            all.filter(|(_, object)| object.hierarchy == hierarchy).map(|(handle, _)| handle).collect()
        };
        for handle in gone {
            self.permanent_mut().persistent.remove(handle);
        }
    }

    /// From now on a loss of power is not orderly: what Shutdown saved is no longer true.
    pub(crate) fn clear_orderly(&mut self) {
        // A protected object was used since power came on: a failure may be lost with the power.
        let now = if self.state.volatile.da_used { OrderlyState::DaUsed } else { OrderlyState::None };
        if matches!(self.state.permanent.orderly_state, OrderlyState::Clear | OrderlyState::State { .. }) {
            let permanent = self.permanent_mut();
            permanent.orderly_state = now;
            permanent.saved = None;
        }
    }
}
