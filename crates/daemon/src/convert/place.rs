//! Where a state is: in a folder or a linear file of swtpm's, or in a folder of ours.

use crate::failure::{Failure, failure};
use crate::options::{Options, StateOption, StoreOptions};
use crate::seal::SealKey;
use crate::storage;
use sealwright_state::swtpm::{Folder, Linear, Part, SwtpmError, SwtpmKey, open, seal};
use sealwright_state::{StateError, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// A place of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A folder of swtpm's.
    Swtpm(PathBuf),
    /// A linear file of swtpm's, or a block device.
    SwtpmFile(PathBuf),
    /// A folder of vtpmd's.
    Own(PathBuf),
}

/// The permanent and the volatile state, out of their envelopes.
pub(super) struct States {
    pub(super) permanent: Zeroizing<Vec<u8>>,
    pub(super) volatile: Option<Zeroizing<Vec<u8>>>,
}

fn said(fault: &SwtpmError) -> Failure {
    failure!("{fault}")
}

fn kept(fault: &StateError) -> Failure {
    failure!("{fault}")
}

impl Place {
    /// The place of its name on the command line.
    pub(super) fn parse(option: &str, text: &str) -> Result<Self, Failure> {
        let place = match text.split_once(':') {
            Some(("swtpm", path)) if !path.is_empty() => Self::Swtpm(path.into()),
            Some(("swtpm-file", path)) if !path.is_empty() => Self::SwtpmFile(path.into()),
            Some(("vtpmd", path)) if !path.is_empty() => Self::Own(path.into()),
            _ => {
                return Err(failure!(
                    "--{option}: '{text}' is no place; swtpm:FOLDER, swtpm-file:FILE and vtpmd:FOLDER are"
                ));
            }
        };
        Ok(place)
    }

    /// True if this place is of swtpm's.
    pub(super) const fn is_swtpm(&self) -> bool {
        matches!(self, Self::Swtpm(_) | Self::SwtpmFile(_))
    }
}

impl core::fmt::Display for Place {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Swtpm(path) => write!(f, "swtpm's folder {}", path.display()),
            Self::SwtpmFile(path) => write!(f, "swtpm's file {}", path.display()),
            Self::Own(path) => write!(f, "vtpmd's folder {}", path.display()),
        }
    }
}

/// A state of swtpm, in either form, locked.
pub(super) enum Swtpm {
    Folder(Folder),
    File(Linear),
}

impl Swtpm {
    /// Opens and locks the place. With `create`, a file that is not there is made.
    pub(super) fn open(place: &Place, mode: Option<u32>, create: bool) -> Result<Self, Failure> {
        match place {
            Place::Swtpm(path) => {
                let mut folder = Folder::open(path, mode).map_err(|f| said(&f))?;
                folder.lock().map_err(|f| said(&f))?;
                Ok(Self::Folder(folder))
            }
            Place::SwtpmFile(path) => {
                let mut file = Linear::open(path, mode, create).map_err(|f| said(&f))?;
                file.lock().map_err(|f| said(&f))?;
                Ok(Self::File(file))
            }
            Place::Own(_) => Err(failure!("{place} is not a place of swtpm's")),
        }
    }

    fn read(&self, part: Part) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let read = match self {
            Self::Folder(folder) => folder.read(part),
            Self::File(file) => file.read(part),
        };
        read.map_err(|f| said(&f))
    }

    /// True if there is a permanent state.
    pub(super) fn is_used(&self) -> Result<bool, Failure> {
        Ok(self.read(Part::Permanent)?.is_some())
    }

    /// Everything there, out of its envelopes. What opens with `other` only was converted to it already.
    pub(super) fn states(&self, key: Option<&SwtpmKey>, other: Option<&SwtpmKey>) -> Result<States, Failure> {
        let opened = |bytes: &[u8]| match open(bytes, key) {
            Err(fault) if key != other => open(bytes, other).map_err(|_| said(&fault)),
            opened => opened.map_err(|fault| said(&fault)),
        };
        let permanent = self.read(Part::Permanent)?.ok_or_else(|| failure!("there is no permanent state of swtpm"))?;
        let volatile = self.read(Part::Volatile)?;
        Ok(States { permanent: opened(&permanent)?, volatile: volatile.map(|bytes| opened(&bytes)).transpose()? })
    }

    /// Puts these states in the place of what is there, at any instant one of the two.
    pub(super) fn store(&mut self, states: &States, key: Option<&SwtpmKey>) -> Result<(), Failure> {
        let sealed = |bytes: &[u8]| seal(bytes, key).map_err(|f| said(&f));
        let permanent = sealed(&states.permanent)?;
        let volatile = states.volatile.as_ref().map(|bytes| sealed(bytes)).transpose()?;
        let stored = match self {
            Self::Folder(folder) => {
                // A volatile state never stands beside the permanent one of another TPM.
                let first = if volatile.is_none() { folder.remove(Part::Volatile) } else { Ok(()) };
                first.and_then(|()| folder.write(Part::Permanent, &permanent)).and_then(|()| match &volatile {
                    Some(bytes) => folder.write(Part::Volatile, bytes),
                    None => Ok(()),
                })
            }
            Self::File(file) => {
                let mut parts = vec![(Part::Permanent, permanent.as_slice())];
                parts.extend(volatile.as_ref().map(|bytes| (Part::Volatile, bytes.as_slice())));
                file.store(&parts)
            }
        };
        stored.map_err(|f| said(&f))
    }

    /// Removes the volatile state, if there is one that nothing takes the place of.
    pub(super) fn forget_volatile(&self) -> Result<(), Failure> {
        match self {
            Self::Folder(folder) => folder.remove(Part::Volatile).map_err(|f| said(&f)),
            Self::File(_) => Ok(()),
        }
    }
}

/// A store of our own in this folder, locked.
pub(super) fn own(path: &Path, options: &StoreOptions, key: Option<&Arc<SealKey>>) -> Result<Store, Failure> {
    let state = StateOption { dir: path.to_owned(), single: false, mode: None, lock: true, fsync: true };
    let options = Options { store: options.clone(), ..Options::default() };
    let mut store = storage::store(&options, &state, key)?;
    store.lock().map_err(|f| kept(&f))?;
    Ok(store)
}

/// What a store of our own has; `None` if nothing was ever there.
pub(super) fn own_states(store: &mut Store) -> Result<Option<States>, Failure> {
    match store.load() {
        // What another program left in the folder is not ours to judge here.
        Err(StateError::Missing { trace: None, .. } | StateError::OtherState { .. }) => return Ok(None),
        loaded => loaded.map_err(|f| kept(&f))?,
    }
    let permanent = store.state().map_err(|f| kept(&f))?;
    Ok(Some(States { permanent, volatile: store.volatile().map_err(|f| kept(&f))? }))
}

/// Makes these states the next (or the first) of a store of our own.
pub(super) fn store_own(store: &mut Store, states: &States, reason: &str) -> Result<(), Failure> {
    let stored = if store.is_open() {
        store.commit_because(&states.permanent, reason)
    } else {
        store.create(&states.permanent, reason)
    };
    stored.map_err(|f| kept(&f))?;
    match &states.volatile {
        Some(volatile) => store.store_volatile(volatile).map(|_| ()).map_err(|f| kept(&f)),
        None if store.has_volatile() => store.remove_volatile().map_err(|f| kept(&f)),
        None => Ok(()),
    }
}
