//! The keys of the state, at the start and while the TPM runs.

use super::{Refused, Tpm};
use sealwright_state::{StateError, Store};

impl Tpm {
    /// Has the key manager give the data key of the stored state, or wrap one for the state of a new TPM, and opens the
    /// anchor. Afterwards, this process may confine itself so that it cannot reach the key manager any more.
    ///
    /// A state that comes by migration may still be its source's, so it is not judged before INIT; but a key that cannot be
    /// had now would not be had then.
    pub(crate) fn open_keys(&mut self) -> Result<(), Refused> {
        // A state in swtpm's format has no data key.
        let Some(store) = self.host.store.own() else { return Ok(()) };
        let loaded = if self.manners.incoming && !store.is_open() { store.load() } else { Ok(()) };
        if let Err(
            fault @ (StateError::Key(_)
            | StateError::WrongKey { .. }
            | StateError::KeyMissing { .. }
            | StateError::NotSealed { .. }),
        ) = loaded
        {
            return Err(fault.into());
        }
        Ok(store.prepare()?)
    }

    /// True if the lock was given away for a migration, and not taken back yet.
    pub(crate) fn is_released(&self) -> bool {
        self.released
    }

    /// The store, with what is stored now. While the TPM runs that is what is known; else it is read again, as another
    /// program may have written it. `None` if the state is kept in swtpm's format.
    pub(crate) fn look(&mut self) -> Option<&Store> {
        let is_off = self.engine.is_none();
        let store = self.host.store.own()?;
        if is_off && !store.is_locked() {
            store.forget();
            // What is wrong with it is said by INIT.
            let _ = store.load();
        }
        Some(store)
    }

    /// Changes something about the keys of the state, as its one writer. While the TPM is off the lock is taken for that
    /// time only.
    pub(crate) fn change_keys<T>(
        &mut self,
        change: impl FnOnce(&mut Store) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let is_off = self.engine.is_none();
        let store = self.host.store.own().ok_or_else(|| StateError::NotOpen {
            place: "a place in swtpm's format".to_owned(),
            what: "changing the key of the state",
        })?;
        let held = store.is_locked();
        if !held {
            if is_off {
                store.forget();
            }
            store.lock()?;
        }
        let loaded = if store.is_open() { Ok(()) } else { store.load() };
        let changed = loaded.and_then(|()| change(store));
        if !held {
            store.unlock();
        }
        changed
    }
}
