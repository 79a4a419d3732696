//! Where and how the state of the TPM is kept: in vtpmd's own format, or in swtpm's.

use super::swtpm::SwtpmKept;
use crate::tpm::Refused;
use sealwright_state::{StateError, Store};
use zeroize::Zeroizing;

/// The state at rest.
pub(crate) enum Kept {
    /// In vtpmd's own format: generations, epochs, an anchor.
    Own(Box<Store>),
    /// In swtpm's format.
    Swtpm(Box<SwtpmKept>),
}

impl From<Store> for Kept {
    fn from(store: Store) -> Self {
        Self::Own(Box::new(store))
    }
}

impl Kept {
    /// Takes the lock; if another process has it, words about that.
    pub(crate) fn lock(&mut self) -> Result<Option<Refused>, Refused> {
        match self {
            Self::Own(store) => match store.lock() {
                Ok(()) => Ok(None),
                Err(fault @ StateError::Locked { .. }) => Ok(Some(Refused::locked(&fault))),
                Err(fault) => Err(fault.into()),
            },
            Self::Swtpm(kept) => kept.lock(),
        }
    }

    /// The store of vtpmd's own format: a state in swtpm's has no generations and no data key.
    pub(crate) fn own(&mut self) -> Option<&mut Store> {
        match self {
            Self::Own(store) => Some(store),
            Self::Swtpm(_) => None,
        }
    }

    /// Forgets what was read, so that the next use reads it again.
    pub(crate) fn forget(&mut self) {
        match self {
            Self::Own(store) => store.forget(),
            Self::Swtpm(kept) => kept.forget(),
        }
    }

    /// Gives the lock back.
    pub(crate) fn unlock(&mut self) {
        match self {
            Self::Own(store) => store.unlock(),
            Self::Swtpm(kept) => kept.unlock(),
        }
    }

    /// True while the lock is held, or none is wanted.
    pub(crate) fn is_locked(&self) -> bool {
        match self {
            Self::Own(store) => store.is_locked(),
            Self::Swtpm(kept) => kept.is_locked(),
        }
    }

    /// True where a missing state is a new TPM, whatever has been there: that is swtpm's way.
    pub(crate) fn is_swtpm(&self) -> bool {
        matches!(self, Self::Swtpm(_))
    }

    /// The next commit makes the first state.
    pub(crate) fn is_new(&self) -> bool {
        matches!(self, Self::Own(store) if !store.is_open())
    }

    /// Reads the stored state; `None` if there is none, and a new TPM may be made.
    pub(crate) fn load(&mut self, create: bool) -> Result<Option<Zeroizing<Vec<u8>>>, Refused> {
        let store = match self {
            Self::Own(store) => store,
            Self::Swtpm(kept) => return kept.load(),
        };
        match store.load() {
            Ok(()) => Ok(Some(store.state()?)),
            Err(StateError::Missing { trace, .. }) if trace.is_none() || create => Ok(None),
            Err(StateError::OtherState { .. }) if create => Ok(None),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Makes the permanent state durable: the next, or the first.
    pub(crate) fn save(&mut self, state: &[u8], reason: &str) -> Result<(), Refused> {
        match self {
            Self::Own(store) if store.is_open() => store.commit_because(state, reason)?,
            Self::Own(store) => store.create(state, reason)?,
            Self::Swtpm(kept) => return kept.save(state),
        };
        Ok(())
    }

    /// The stored volatile state.
    pub(crate) fn volatile(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, Refused> {
        match self {
            Self::Own(store) => Ok(store.volatile()?),
            Self::Swtpm(kept) => Ok(kept.volatile()),
        }
    }

    /// True if there is a stored volatile state.
    pub(crate) fn has_volatile(&mut self) -> Result<bool, Refused> {
        match self {
            Self::Own(store) => Ok(store.has_volatile()),
            Self::Swtpm(kept) => kept.has_volatile(),
        }
    }

    /// Stores the volatile state of a TPM with this permanent one.
    pub(crate) fn store_volatile(&mut self, permanent: &[u8], volatile: &[u8]) -> Result<(), Refused> {
        match self {
            Self::Own(store) => store.store_volatile(volatile).map(|_| ()).map_err(Refused::from),
            Self::Swtpm(kept) => kept.store_volatile(permanent, volatile),
        }
    }

    /// Removes the stored volatile state.
    pub(crate) fn remove_volatile(&mut self) -> Result<(), Refused> {
        match self {
            Self::Own(store) => store.remove_volatile().map_err(Refused::from),
            Self::Swtpm(kept) => kept.remove_volatile(),
        }
    }

    /// See [`Store::settle`].
    pub(crate) fn settle(&mut self) -> Result<(), Refused> {
        match self {
            Self::Own(store) => store.settle().map_err(Refused::from),
            Self::Swtpm(_) => Ok(()),
        }
    }

    /// Wipes keys and state from memory.
    pub(crate) fn wipe(&mut self) {
        match self {
            Self::Own(store) => store.wipe(),
            Self::Swtpm(kept) => kept.wipe(),
        }
    }
}
