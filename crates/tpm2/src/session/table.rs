//! The table of active sessions: 64 handles, three of them loaded, the others saved outside (Part 1, 30.5).

use super::Session;
use crate::structures::{HandleKind, MAX_ACTIVE_SESSIONS, MAX_LOADED_SESSIONS, kind, rh};
use crate::tpm::Tpm;
use alloc::sync::Arc;
use sealwright_core::Fault;

/// Values up to this one are slots of loaded sessions, greater ones are context sequence numbers.
const LOADED: u64 = MAX_LOADED_SESSIONS as u64;

/// Saved contexts may be this far behind the counter (TPM_PT_CONTEXT_GAP_MAX plus 1).
const GAP: u64 = 0x1_0000;

/// Place of a session handle in the table.
const fn index_of(handle: u32) -> usize {
    (handle & 0x00FF_FFFF) as usize
}

impl Tpm<'_> {
    fn context_entry(&self, handle: u32) -> u64 {
        match kind(handle) {
            HandleKind::HmacSession | HandleKind::PolicySession => {
                self.state.reset.contexts.get(index_of(handle)).copied().unwrap_or(0)
            }
            _ => 0,
        }
    }

    fn set_context_entry(&mut self, handle: u32, value: u64) {
        if let Some(entry) = self.reset_mut().contexts.get_mut(index_of(handle)) {
            *entry = value;
        }
    }

    /// Sequence number that the next saved session gets.
    fn next_sequence(&self) -> u64 {
        self.state.reset.context_counter.max(LOADED.saturating_add(1))
    }

    /// The smallest sequence number of a saved session.
    fn oldest_sequence(&self) -> Option<u64> {
        self.state.reset.contexts.iter().copied().filter(|entry| *entry > LOADED).min()
    }

    /// True if the counter has run as far away from the oldest saved session as it may.
    fn gap_is_full(&self) -> bool {
        self.oldest_sequence().is_some_and(|oldest| self.next_sequence().saturating_sub(oldest) >= GAP)
    }

    fn free_session_slots(&self) -> usize {
        crate::collections::tally(self.state.volatile.sessions.slots.iter().filter(|slot| slot.is_none()))
    }

    /// True if the session is loaded; a handle of the other kind of session with the same number counts too.
    pub(crate) fn session_is_loaded(&self, handle: u32) -> bool {
        (1..=LOADED).contains(&self.context_entry(handle))
    }

    /// True if the session is saved outside.
    pub(crate) fn session_is_saved(&self, handle: u32) -> bool {
        self.context_entry(handle) > LOADED
    }

    /// Handles of all loaded (or all saved) sessions, ascending by number. A saved session is not known to be of
    /// either kind, so it has the handle of an HMAC session.
    pub(crate) fn session_handles(&self, loaded: bool) -> alloc::vec::Vec<u32> {
        let numbers = (0..u32::MAX).zip(self.state.reset.contexts.iter());
        let wanted = numbers.filter(|(_, entry)| **entry != 0 && (**entry <= LOADED) == loaded);
        let handle = |(number, _): (u32, &u64)| {
            let handle = rh::HMAC_SESSION_FIRST | number;
            let is_policy = loaded && self.session(handle).is_ok_and(|session| session.policy.is_some());
            if is_policy { rh::POLICY_SESSION_FIRST | number } else { handle }
        };
        wanted.map(handle).collect()
    }

    /// A loaded session; TPM_RC_HANDLE if there is none.
    pub(crate) fn session(&self, handle: u32) -> Result<&Session, Fault> {
        let slot = self.context_entry(handle).checked_sub(1).and_then(|slot| usize::try_from(slot).ok());
        let slots = &self.state.volatile.sessions.slots;
        slot.and_then(|slot| slots.get(slot)).and_then(Option::as_deref).ok_or(Fault::HANDLE)
    }

    /// A loaded session, for changes.
    pub(crate) fn session_mut(&mut self, handle: u32) -> Result<&mut Session, Fault> {
        let slot = self.context_entry(handle).checked_sub(1).and_then(|slot| usize::try_from(slot).ok());
        let slots = &mut self.state.volatile.sessions.slots;
        slot.and_then(|slot| slots.get_mut(slot)).and_then(Option::as_mut).map(Arc::make_mut).ok_or(Fault::HANDLE)
    }

    /// TPM_RC_SESSION_MEMORY, CONTEXT_GAP or SESSION_HANDLES if no session can be made now.
    pub(crate) fn check_free_session(&self) -> Result<(), Fault> {
        match self.free_session_slots() {
            0 => return Err(Fault::SESSION_MEMORY),
            // The last slot is kept for loading the oldest session, which is the way out of a full gap.
            1 if self.gap_is_full() => return Err(Fault::CONTEXT_GAP),
            _ => {}
        }
        if self.state.reset.contexts.contains(&0) { Ok(()) } else { Err(Fault::SESSION_HANDLES) }
    }

    /// Sessions that were in memory at a loss of power are gone; saved contexts are still good (Part 1, 12.2.3).
    pub(crate) fn forget_loaded_sessions(&mut self) {
        for entry in self.reset_mut().contexts.iter_mut().filter(|entry| **entry <= LOADED) {
            *entry = 0;
        }
    }

    /// Puts a session into a free slot and returns its handle.
    pub(crate) fn insert_session(&mut self, session: Session) -> Result<u32, Fault> {
        self.check_free_session()?;
        let first = if session.policy.is_some() { rh::POLICY_SESSION_FIRST } else { rh::HMAC_SESSION_FIRST };
        let index = self.state.reset.contexts.iter().position(|entry| *entry == 0).ok_or(Fault::SESSION_HANDLES)?;
        let handle = first | u32::try_from(index).map_err(|_| Fault::SESSION_HANDLES)?;
        self.fill_slot(handle, session)?;
        Ok(handle)
    }

    fn fill_slot(&mut self, handle: u32, session: Session) -> Result<(), Fault> {
        let slots = &mut self.state.volatile.sessions.slots;
        let (slot, place) =
            slots.iter_mut().enumerate().find(|(_, slot)| slot.is_none()).ok_or(Fault::SESSION_MEMORY)?;
        *place = Some(Arc::new(session));
        self.set_context_entry(handle, slot.saturating_add(1) as u64);
        Ok(())
    }

    /// Removes a loaded or saved session.
    pub(crate) fn flush_session(&mut self, handle: u32) {
        let entry = self.context_entry(handle);
        if let Some(slot) = entry.checked_sub(1).filter(|slot| *slot < LOADED) {
            let slots = &mut self.state.volatile.sessions.slots;
            if let Some(place) = usize::try_from(slot).ok().and_then(|slot| slots.get_mut(slot)) {
                *place = None;
            }
        }
        if entry != 0 {
            self.set_context_entry(handle, 0);
        }
    }

    /// Takes a loaded session out of its slot and returns it with the sequence number of its context.
    pub(crate) fn unload_session(&mut self, handle: u32) -> Result<(Session, u64), Fault> {
        if self.gap_is_full() {
            return Err(Fault::CONTEXT_GAP);
        }
        let session = self.session(handle)?.clone();
        let sequence = self.next_sequence();
        let mut next = sequence.checked_add(1).ok_or(Fault::TOO_MANY_CONTEXTS)?;
        // Low bits that would look like a slot number are left out, as the reference implementation does.
        if next % GAP == 0 {
            next = next.checked_add(LOADED.saturating_add(1)).ok_or(Fault::TOO_MANY_CONTEXTS)?;
        }
        self.flush_session(handle);
        self.set_context_entry(handle, sequence);
        self.reset_mut().context_counter = next;
        Ok((session, sequence))
    }

    /// True if this is the sequence number of the newest saved context of the session.
    pub(crate) fn session_sequence_is_valid(&self, handle: u32, sequence: u64) -> bool {
        self.session_is_saved(handle) && self.context_entry(handle) == sequence
    }

    /// Puts a saved session back into a slot, under its handle.
    pub(crate) fn reload_session(&mut self, handle: u32, session: Session) -> Result<(), Fault> {
        match self.free_session_slots() {
            0 => return Err(Fault::SESSION_MEMORY),
            1 if self.gap_is_full() && Some(self.context_entry(handle)) != self.oldest_sequence() => {
                return Err(Fault::CONTEXT_GAP);
            }
            _ => {}
        }
        if index_of(handle) >= MAX_ACTIVE_SESSIONS {
            return Err(Fault::HANDLE);
        }
        self.fill_slot(handle, session)
    }
}
