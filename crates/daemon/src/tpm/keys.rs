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
        let store = &mut self.host.store;
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
    /// program may have written it.
    pub(crate) fn look(&mut self) -> &Store {
        let store = &mut self.host.store;
        if self.engine.is_none() && !store.is_locked() {
            store.forget();
            // What is wrong with it is said by INIT.
            let _ = store.load();
        }
        store
    }

    /// Changes something about the keys of the state, as its one writer. While the TPM is off the lock is taken for that
    /// time only.
    pub(crate) fn change_keys<T>(
        &mut self,
        change: impl FnOnce(&mut Store) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let held = self.host.store.is_locked();
        if !held {
            if self.engine.is_none() {
                self.host.store.forget();
            }
            self.host.store.lock()?;
        }
        let store = &mut self.host.store;
        let loaded = if store.is_open() { Ok(()) } else { store.load() };
        let changed = loaded.and_then(|()| change(store));
        if !held {
            store.unlock();
        }
        changed
    }
}
