//! Keeping Indexes: room, orderly copies, and what start-up does to them.

use super::NvIndex;
use crate::collections::{Sorted, tally};
use crate::commands::startup::StartupKind;
use crate::state::OrderlyState;
use crate::structures::{NvAttributes, NvType};
use crate::tpm::Tpm;
use alloc::{sync::Arc, vec::Vec};
use sealwright_core::Fault;

/// Bytes of user NV, shared by Indexes and persistent objects (as libtpms has them).
const NV_ROOM: usize = 171_200;
/// Bytes that an Index takes beside its data.
const INDEX_ROOM: usize = 152;
/// Bytes that a persistent object takes, of whatever kind.
const OBJECT_ROOM: usize = 2608;
/// Bytes that a counter takes in NV, orderly or not.
const COUNTER_ROOM: usize = INDEX_ROOM + 8;
/// Bytes of orderly data kept in memory.
const ORDERLY_ROOM: usize = 512;
/// Bytes that an orderly Index takes of them beside its data.
const ORDERLY_INDEX_ROOM: usize = 12;
/// Persistent objects for which there is always room (TPM_PT_HR_PERSISTENT_MIN).
const MIN_PERSISTENT: usize = 7;
/// Counters for which there is always room.
const MIN_COUNTERS: usize = 8;
/// Bytes at the end of the list of entries, which are never used.
const LIST_END: usize = 12;
/// An orderly counter reaches NV each time its value passes a multiple of this plus one (TPM_PT_ORDERLY_COUNT).
pub(crate) const ORDERLY_COUNT: u64 = 0xFF;

/// The value from which an orderly counter continues after a loss of power: above all that it may have answered.
pub(crate) const fn orderly_counter_after_loss(value: u64) -> u64 {
    value | ORDERLY_COUNT
}

impl Tpm<'_> {
    /// Bytes of NV that are free.
    fn nv_free(&self) -> usize {
        let p = &self.state.permanent;
        // The data of an orderly Index has a place of its own.
        let data = |i: &NvIndex| if i.has(NvAttributes::ORDERLY) { 0 } else { i.data.len() };
        let indexes = p.nv.values().fold(0usize, |n, i| n.saturating_add(data(i)).saturating_add(INDEX_ROOM));
        NV_ROOM.saturating_sub(indexes).saturating_sub(p.persistent.len().saturating_mul(OBJECT_ROOM))
    }

    /// Bytes of NV that are free beside what is kept for other things.
    fn nv_free_beside(&self, kept: usize) -> usize {
        let end = if kept == 0 { 0 } else { LIST_END };
        self.nv_free().saturating_sub(kept).saturating_sub(end)
    }

    /// Defined counters.
    pub(crate) fn nv_counters(&self) -> usize {
        tally(self.state.permanent.nv.values().filter(|i| i.is(NvType::Counter)))
    }

    /// Bytes kept for persistent objects, however many Indexes are defined.
    fn nv_kept_for_objects(&self) -> usize {
        MIN_PERSISTENT.saturating_sub(self.state.permanent.persistent.len()).saturating_mul(OBJECT_ROOM)
    }

    /// Bytes kept for counters, whatever else is stored.
    fn nv_kept_for_counters(&self) -> usize {
        MIN_COUNTERS.saturating_sub(self.nv_counters()).saturating_mul(COUNTER_ROOM)
    }

    /// TPM_RC_NV_SPACE if there is no room for `bytes` more beside what is kept.
    fn nv_room(&self, bytes: usize, kept: usize) -> Result<(), Fault> {
        let needed = bytes.saturating_add(kept).saturating_add(LIST_END);
        if needed <= self.nv_free() { Ok(()) } else { Err(Fault::NV_SPACE) }
    }

    /// Room for one more persistent object.
    pub(crate) fn nv_check_new_object(&self) -> Result<(), Fault> {
        self.nv_room(OBJECT_ROOM, self.nv_kept_for_counters())
    }

    /// How many more persistent objects there can be.
    pub(crate) fn nv_objects_free(&self) -> usize {
        self.nv_free_beside(self.nv_kept_for_counters()) / OBJECT_ROOM
    }

    /// Room for one more Index with this much data.
    pub(crate) fn nv_check_new(&self, size: usize, attributes: NvAttributes) -> Result<(), Fault> {
        let orderly = attributes.has(NvAttributes::ORDERLY);
        let mut kept = self.nv_kept_for_objects();
        if attributes.nv_type() != Some(NvType::Counter) {
            kept = kept.saturating_add(self.nv_kept_for_counters());
        }
        self.nv_room(INDEX_ROOM.saturating_add(if orderly { 0 } else { size }), kept)?;
        if orderly && size.saturating_add(ORDERLY_INDEX_ROOM) > self.nv_orderly_free() {
            return Err(Fault::NV_SPACE);
        }
        Ok(())
    }

    /// Bytes of memory for orderly data that are free.
    fn nv_orderly_free(&self) -> usize {
        let live = self.state.permanent.nv.values().filter(|i| i.has(NvAttributes::ORDERLY));
        let used = |i: &Arc<NvIndex>| i.data.len().saturating_add(ORDERLY_INDEX_ROOM);
        ORDERLY_ROOM.saturating_sub(live.map(used).fold(0, usize::saturating_add))
    }

    /// How many more counters can be defined, even if they are orderly.
    pub(crate) fn nv_counters_free(&self) -> usize {
        let in_nv = self.nv_free_beside(self.nv_kept_for_objects()) / COUNTER_ROOM;
        in_nv.min(self.nv_orderly_free() / const { ORDERLY_INDEX_ROOM + 8 })
    }

    /// Stores a changed Index: orderly ones in memory, others in NV.
    pub(crate) fn nv_store(&mut self, index: NvIndex) {
        let handle = index.public.index.0;
        if index.has(NvAttributes::ORDERLY) {
            self.state.volatile.orderly_nv.insert(handle, Arc::new(index));
            self.clear_orderly();
        } else {
            self.permanent_mut().nv.insert(handle, Arc::new(index));
        }
    }

    /// Stores a changed Index in NV even if it is orderly.
    pub(crate) fn nv_store_now(&mut self, index: NvIndex) {
        let handle = index.public.index.0;
        let index = Arc::new(index);
        if index.has(NvAttributes::ORDERLY) {
            self.state.volatile.orderly_nv.insert(handle, Arc::clone(&index));
        }
        self.permanent_mut().nv.insert(handle, index);
    }

    /// Removes an Index; the highest counter value is remembered, so that a new counter starts above it.
    pub(crate) fn nv_delete(&mut self, handle: u32) {
        if let Ok(index) = self.nv_index(handle)
            && index.is(NvType::Counter)
            && index.has(NvAttributes::WRITTEN)
        {
            let value = index.value();
            let p = self.permanent_mut();
            p.nv_max_counter = p.nv_max_counter.max(value);
        }
        self.state.volatile.orderly_nv.remove(handle);
        self.permanent_mut().nv.remove(handle);
    }

    /// Highest value that any deleted counter had: where new ones start.
    pub(crate) fn nv_max_counter(&self) -> u64 {
        self.state.permanent.nv_max_counter
    }

    /// Copies all orderly data to NV, at Shutdown.
    pub(crate) fn nv_flush_orderly(&mut self) {
        let live = core::mem::replace(&mut self.state.volatile.orderly_nv, Sorted::new());
        let p = self.permanent_mut();
        for (handle, index) in live.iter() {
            p.nv.insert(handle, Arc::clone(index));
        }
        self.state.volatile.orderly_nv = live;
    }

    /// Locks and WRITTEN at Startup (Part 2, 13.4). A TPM Resume changes nothing; a TPM Reset forgets orderly data, and
    /// only counters go on.
    pub(crate) fn nv_startup(&mut self, kind: StartupKind, previous: OrderlyState) {
        let lost = matches!(previous, OrderlyState::None | OrderlyState::DaUsed);
        let mut changed = Vec::new();
        for (handle, index) in self.state.permanent.nv.iter().filter(|_| kind != StartupKind::Resume) {
            let mut next = (**index).clone();
            let orderly = next.has(NvAttributes::ORDERLY);
            next.set(NvAttributes::READLOCKED, false);
            if next.is(NvType::Counter) {
                if orderly && lost && next.has(NvAttributes::WRITTEN) {
                    next.set_value(orderly_counter_after_loss(next.value()));
                }
            } else if next.has(NvAttributes::CLEAR_STCLEAR) || (orderly && kind == StartupKind::Reset) {
                next.set(NvAttributes::WRITTEN, false);
            }
            if !(next.has(NvAttributes::WRITTEN) && next.has(NvAttributes::WRITEDEFINE)) {
                next.set(NvAttributes::WRITELOCKED, false);
            }
            if next.public != index.public || next.data != index.data {
                changed.push((handle, Arc::new(next)));
            }
        }
        if !changed.is_empty() {
            let nv = &mut self.permanent_mut().nv;
            for (handle, index) in changed {
                nv.insert(handle, index);
            }
        }
        let orderly = self.state.permanent.nv.iter().filter(|(_, i)| i.has(NvAttributes::ORDERLY));
        self.state.volatile.orderly_nv = orderly.map(|(h, i)| (h, Arc::clone(i))).collect();
    }
}
