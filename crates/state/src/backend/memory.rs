//! A journal in memory, for tests, and for instances that are kept by somebody else.

use super::{Backend, Stored};
use crate::error::StateError;
use crate::lease::{Holder, Lease};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a [`Memory`] keeps; shared, so that several can be opened on it.
#[derive(Clone, Debug, Default)]
pub struct MemoryCell {
    /// The journal.
    pub journal: Option<Vec<u8>>,
    /// The next writes fail as on a full disk.
    pub full: bool,
    lease: Option<Lease>,
    order: Option<Vec<u8>>,
    locked: bool,
}

impl MemoryCell {
    /// A cell with this journal.
    pub fn holding(journal: Vec<u8>) -> Self {
        Self { journal: Some(journal), ..Self::default() }
    }
}

/// A back end in memory.
#[derive(Debug, Default)]
pub struct Memory {
    cell: Arc<Mutex<MemoryCell>>,
    epoch: u64,
    mine: bool,
    /// Where the cell comes from, for messages; empty for memory.
    name: String,
}

impl Memory {
    /// A back end on this cell.
    pub fn on(cell: Arc<Mutex<MemoryCell>>) -> Self {
        Self { cell, epoch: 0, mine: false, name: String::new() }
    }

    /// The same, of what was read from a place of this name, or will be written there.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    fn cell(&self) -> MutexGuard<'_, MemoryCell> {
        self.cell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writable(&self) -> Result<MutexGuard<'_, MemoryCell>, StateError> {
        if !self.mine {
            return Err(StateError::NotOpen { place: self.place(), what: "writing without the lock" });
        }
        let cell = self.cell();
        if let Some(lease) = cell.lease.as_ref().filter(|l| l.epoch > self.epoch) {
            let holder = Lease::who(Some(lease));
            return Err(StateError::Fenced { place: self.place(), mine: self.epoch, found: lease.epoch, holder });
        }
        if cell.full {
            return Err(StateError::Full { place: self.place(), why: "the test says so".to_owned() });
        }
        Ok(cell)
    }
}

impl Backend for Memory {
    fn place(&self) -> String {
        if self.name.is_empty() { "memory".to_owned() } else { self.name.clone() }
    }

    fn open(&mut self) -> Result<Option<Stored>, StateError> {
        Ok(self.cell().journal.clone().map(Stored::Whole))
    }

    fn read_at(&mut self, at: u64, length: usize) -> Result<Vec<u8>, StateError> {
        let cell = self.cell();
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let found = cell.journal.as_ref().and_then(|j| j.get(at..at.checked_add(length)?));
        found
            .map(<[u8]>::to_vec)
            .ok_or_else(|| StateError::Torn { place: self.place(), why: "a record is not there any more".to_owned() })
    }

    fn append(&mut self, at: u64, bytes: &[u8]) -> Result<(), StateError> {
        let mut cell = self.writable()?;
        let journal = cell.journal.get_or_insert_default();
        journal.resize(usize::try_from(at).unwrap_or(usize::MAX), 0);
        journal.extend_from_slice(bytes);
        Ok(())
    }

    fn discard(&mut self, at: u64, _: usize) {
        let Ok(mut cell) = self.writable() else { return };
        if let (Some(journal), Ok(at)) = (&mut cell.journal, usize::try_from(at)) {
            journal.truncate(at);
        }
    }

    fn replace(&mut self, bytes: &[u8], _: u64) -> Result<(), StateError> {
        let mut cell = self.writable()?;
        cell.journal = Some(bytes.to_vec());
        Ok(())
    }

    fn remove(&mut self) -> Result<(), StateError> {
        let mut cell = self.writable()?;
        cell.journal = None;
        cell.lease = None;
        Ok(())
    }

    fn order(&mut self) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.cell().order.clone())
    }

    fn set_order(&mut self, order: Option<&[u8]>) -> Result<(), StateError> {
        let order = super::order_of(order)?;
        self.writable()?.order = order;
        Ok(())
    }

    fn reserves(&self) -> bool {
        false
    }

    fn lock(&mut self) -> Result<Option<Lease>, StateError> {
        let mut cell = self.cell.lock().unwrap_or_else(PoisonError::into_inner);
        if cell.locked && !self.mine {
            let holder = Lease::who(cell.lease.as_ref());
            drop(cell);
            return Err(StateError::Locked { place: self.place(), holder });
        }
        cell.locked = true;
        self.mine = true;
        let before = cell.lease.clone();
        let (epoch, present) = before.as_ref().map_or((0, false), |l| (l.epoch, l.present));
        cell.lease = Some(Lease { epoch, present, holder: Some(Holder::here()) });
        self.epoch = self.epoch.max(epoch);
        Ok(before)
    }

    fn claim(&mut self, lease: &Lease) -> Result<(), StateError> {
        self.writable()?.lease = Some(lease.clone());
        self.epoch = lease.epoch;
        Ok(())
    }

    fn unlock(&mut self) {
        if core::mem::take(&mut self.mine) {
            let mut cell = self.cell();
            cell.locked = false;
            if let Some(lease) = &mut cell.lease {
                lease.holder = None;
            }
        }
    }

    fn is_locked(&self) -> bool {
        self.mine
    }

    fn lease(&mut self) -> Option<Lease> {
        self.cell().lease.clone()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.unlock();
    }
}
