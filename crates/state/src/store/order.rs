//! Orders about a state, such as that its keys are to be destroyed: a note beside the journal that is asked for before
//! anything is opened.

use super::Store;
use crate::error::StateError;
use crate::format::header::Header;
use crate::identity::VmId;
use crate::key::WrappedKey;

impl Store {
    /// Refuses a state that an order forbids to use.
    pub(super) fn obey_orders(&mut self) -> Result<(), StateError> {
        let Some(order) = self.backend.order()? else { return Ok(()) };
        (self.settings.permits)(&order).map_err(|why| StateError::Ordered { place: self.place(), why })
    }

    /// From now on orders do not hinder: for whoever gives, takes back or carries out orders.
    pub fn disregard_orders(&mut self) {
        self.settings.permits = |_| Ok(());
    }

    /// The order that stands, if there is one. Needs neither lock nor key.
    pub fn order(&mut self) -> Result<Option<Vec<u8>>, StateError> {
        self.backend.order()
    }

    /// Leaves an order in the place of the one that stands, or takes it back. When this returns, that is durable.
    pub fn set_order(&mut self, order: Option<&[u8]>) -> Result<(), StateError> {
        if !self.backend.is_locked() {
            return Err(StateError::NotOpen { place: self.place(), what: "an order without the lock" });
        }
        self.backend.set_order(order)
    }

    /// A code of these bytes that nobody can make without the data key; `None` if the state is not sealed or not open.
    pub fn code(&self, bytes: &[u8]) -> Option<[u8; 32]> {
        self.sealer().map(|sealer| sealer.note(bytes))
    }

    /// Whose state is stored, and its wrapped data key, by the header alone: nothing is opened. `None` if there is no
    /// state.
    pub fn peek_key(&mut self) -> Result<Option<(VmId, Option<WrappedKey>)>, StateError> {
        let place = self.place();
        let Some(bytes) = self.backend.read()? else { return Ok(None) };
        let header = Header::decode(&place, self.settings.kind, &bytes)?.header;
        Ok(Some((header.vm, header.sealing.map(|sealing| sealing.wrapped))))
    }

    /// Removes the state for good, with the wrapped key in it, and overwrites it first where the place allows that.
    pub fn erase(&mut self) -> Result<(), StateError> {
        if !self.backend.is_locked() {
            return Err(StateError::NotOpen { place: self.place(), what: "erasing without the lock" });
        }
        self.backend.erase()?;
        self.journal = None;
        self.secret = None;
        Ok(())
    }
}
