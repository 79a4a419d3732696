//! Slots of transient objects, and finding objects by handle.

use super::{Object, Sequence};
use crate::structures::{HandleKind, kind, rh};
use crate::tpm::Tpm;
use alloc::sync::Arc;
use sealwright_core::Fault;

/// What a transient handle names.
#[derive(Clone, Debug)]
pub(crate) enum Slot {
    /// A key or data object.
    Object(Arc<Object>),
    /// A sequence.
    Sequence(Arc<Sequence>),
}

const fn index_of(handle: u32) -> usize {
    (handle & 0x00FF_FFFF) as usize
}

impl Tpm<'_> {
    /// The slot of a transient handle.
    pub(crate) fn slot(&self, handle: u32) -> Option<&Slot> {
        match kind(handle) {
            HandleKind::Transient => self.state.volatile.objects.get(index_of(handle))?.as_ref(),
            _ => None,
        }
    }

    /// The object of a transient or persistent handle that the dispatcher has found to be loaded; a sequence is
    /// TPM_RC_MODE-free: it is no object, so TPM_RC_HANDLE.
    pub(crate) fn object(&self, handle: u32) -> Result<Arc<Object>, Fault> {
        match kind(handle) {
            HandleKind::Persistent => self.state.permanent.persistent.get(handle).cloned().ok_or(Fault::HANDLE),
            _ => match self.slot(handle) {
                Some(Slot::Object(object)) => Ok(Arc::clone(object)),
                _ => Err(Fault::HANDLE),
            },
        }
    }

    /// The sequence of a transient handle; anything else is TPM_RC_MODE.
    pub(crate) fn sequence(&self, handle: u32) -> Result<Arc<Sequence>, Fault> {
        match self.slot(handle) {
            Some(Slot::Sequence(sequence)) => Ok(Arc::clone(sequence)),
            _ => Err(Fault::MODE),
        }
    }

    /// Puts something into a free slot and returns its handle; TPM_RC_OBJECT_MEMORY if there is none.
    pub(crate) fn insert_slot(&mut self, slot: Slot) -> Result<u32, Fault> {
        let objects = &mut self.state.volatile.objects;
        let (index, free) = objects.iter_mut().enumerate().find(|(_, s)| s.is_none()).ok_or(Fault::OBJECT_MEMORY)?;
        *free = Some(slot);
        u32::try_from(index).map(|i| rh::TRANSIENT_FIRST | i).map_err(|_| Fault::OBJECT_MEMORY)
    }

    /// TPM_RC_OBJECT_MEMORY if no slot is free; to be asked before expensive work.
    pub(crate) fn check_free_slot(&self) -> Result<(), Fault> {
        if self.state.volatile.objects.iter().any(Option::is_none) { Ok(()) } else { Err(Fault::OBJECT_MEMORY) }
    }

    /// Replaces what a transient handle names.
    pub(crate) fn replace_slot(&mut self, handle: u32, slot: Slot) {
        if let Some(place) = self.state.volatile.objects.get_mut(index_of(handle)) {
            *place = Some(slot);
        }
    }

    /// Removes what a transient handle names.
    pub(crate) fn flush_slot(&mut self, handle: u32) {
        if let Some(place) = self.state.volatile.objects.get_mut(index_of(handle)) {
            *place = None;
        }
    }
}
