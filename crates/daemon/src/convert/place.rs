//! Where a state is: with swtpm, with vtpmd, or in a file to be carried elsewhere.

use super::portable;
use crate::failure::{Failure, failure};
use crate::options::{Options, StateOption};
use crate::seal::SealKey;
use crate::storage;
use sealwright_state::swtpm::{Folder, Linear, MAX_BLOB, Part, SwtpmError, SwtpmKey, open, seal};
use sealwright_state::{Generation, KeyManager, StateError, Store, VmId};
use std::fs::File;
use std::io::Read;
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
    /// A file with swtpm's permanent state, and perhaps one with its volatile state, wherever they were copied to.
    SwtpmParts(PathBuf, Option<PathBuf>),
    /// A folder, file or device of vtpmd's.
    Own(StateOption),
    /// A file to be carried elsewhere.
    File(PathBuf),
}

/// The permanent and the volatile state, out of their envelopes, and what is known about them.
pub(super) struct States {
    pub(super) permanent: Zeroizing<Vec<u8>>,
    pub(super) volatile: Option<Zeroizing<Vec<u8>>>,
    /// Whose they are, if the format says so.
    pub(super) vm: Option<VmId>,
    /// Which generation they are, if the format counts them.
    pub(super) generation: Option<u64>,
}

fn said(fault: &SwtpmError) -> Failure {
    failure!("{fault}")
}

/// A fault of a store, in words.
pub(super) fn kept(fault: &StateError) -> Failure {
    failure!("{fault}")
}

impl Place {
    /// The place of its name on the command line. `volatile` is a file of swtpm's volatile state.
    pub(super) fn parse(option: &str, text: &str, volatile: Option<&Path>) -> Result<Self, Failure> {
        let (kind, path) = text.split_once(':').unwrap_or_default();
        let own = |single| Self::Own(StateOption { single, ..StateOption::folder(path.into()) });
        let place = match kind {
            _ if path.is_empty() => None,
            "swtpm" => Some(Self::Swtpm(path.into())),
            "swtpm-file" => Some(Self::SwtpmFile(path.into())),
            "swtpm-permall" => Some(Self::SwtpmParts(path.into(), volatile.map(Path::to_owned))),
            "vtpmd" => Some(own(false)),
            "vtpmd-file" => Some(own(true)),
            "file" => Some(Self::File(path.into())),
            _ => None,
        };
        let place = place.ok_or_else(|| {
            failure!(
                "--{option}: '{text}' is no place; swtpm:FOLDER, swtpm-file:FILE, swtpm-permall:FILE, vtpmd:FOLDER, vtpmd-file:FILE and file:FILE are"
            )
        })?;
        match (&place, volatile) {
            (Self::SwtpmParts(..), _) | (_, None) => Ok(place),
            _ => Err(failure!("--volatile is for swtpm-permall:FILE only; {place} says itself whether it has one")),
        }
    }

    /// True if this place is of swtpm's.
    pub(super) const fn is_swtpm(&self) -> bool {
        matches!(self, Self::Swtpm(_) | Self::SwtpmFile(_) | Self::SwtpmParts(..))
    }

    /// The folder that is locked while the state is used, if it is one.
    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Swtpm(path) => Some(path),
            Self::Own(state) if !state.single => Some(&state.dir),
            _ => None,
        }
    }
}

impl core::fmt::Display for Place {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Swtpm(path) => write!(f, "swtpm's folder {}", path.display()),
            Self::SwtpmFile(path) => write!(f, "swtpm's file {}", path.display()),
            Self::SwtpmParts(path, _) | Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Own(state) if state.single => write!(f, "vtpmd's file {}", state.dir.display()),
            Self::Own(state) => write!(f, "vtpmd's folder {}", state.dir.display()),
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
            _ => Err(failure!("{place} is not a folder or linear file of swtpm's")),
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

    /// Everything at this place, out of its envelopes. What opens with `other` only was converted to it already.
    pub(super) fn states(
        &self,
        place: &Place,
        key: Option<&SwtpmKey>,
        other: Option<&SwtpmKey>,
    ) -> Result<States, Failure> {
        let opened = |bytes: &[u8]| match open(bytes, key) {
            Err(fault) if key != other => open(bytes, other).map_err(|_| said(&fault)),
            opened => opened.map_err(|fault| said(&fault)),
        };
        let permanent =
            self.read(Part::Permanent)?.ok_or_else(|| failure!("there is no permanent state in {place}"))?;
        let volatile = self.read(Part::Volatile)?;
        let volatile = volatile.map(|bytes| opened(&bytes)).transpose()?;
        Ok(States { permanent: opened(&permanent)?, volatile, vm: None, generation: None })
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

/// What swtpm wrote into these files. Nothing is locked: they are copies.
pub(super) fn parts(permanent: &Path, volatile: Option<&Path>, key: Option<&SwtpmKey>) -> Result<States, Failure> {
    let read = |path: &Path| -> Result<Zeroizing<Vec<u8>>, Failure> {
        let place = path.display().to_string();
        // Room from the start: growing would leave copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BLOB.saturating_add(1)));
        let most = u64::try_from(MAX_BLOB).unwrap_or(u64::MAX).saturating_add(1);
        let read = File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
        read.map_err(|e| failure!("cannot read {place}: {e}"))?;
        if bytes.is_empty() {
            return Err(said(&SwtpmError::Empty { place }));
        }
        if bytes.len() > MAX_BLOB {
            return Err(said(&SwtpmError::TooLarge { what: "the file", size: bytes.len(), most: MAX_BLOB }));
        }
        open(&bytes, key).map_err(|fault| failure!("{place}: {fault}"))
    };
    Ok(States { permanent: read(permanent)?, volatile: volatile.map(read).transpose()?, vm: None, generation: None })
}

/// A store of our own, locked.
pub(super) fn own(state: &StateOption, options: &Options, key: Option<&Arc<SealKey>>) -> Result<Store, Failure> {
    let mut store = storage::store(options, state, key)?;
    store.lock().map_err(|f| kept(&f))?;
    Ok(store)
}

/// What a store has: its newest state, or that of a generation; `None` if nothing was ever there.
pub(super) fn own_states(store: &mut Store, generation: Option<u64>) -> Result<Option<States>, Failure> {
    match store.load() {
        // What another program left in the folder is not ours to judge here.
        Err(StateError::Missing { trace: None, .. } | StateError::OtherState { .. }) => return Ok(None),
        loaded => loaded.map_err(|f| kept(&f))?,
    }
    let newest = store.head().map(|g| g.sequence);
    let (permanent, volatile) = match generation.filter(|sequence| Some(*sequence) != newest) {
        // A volatile state belongs to the newest one.
        Some(sequence) => (store.state_at(sequence), Ok(None)),
        None => (store.state(), store.volatile()),
    };
    Ok(Some(States {
        permanent: permanent.map_err(|f| kept(&f))?,
        volatile: volatile.map_err(|f| kept(&f))?,
        vm: store.vm().cloned(),
        generation: generation.or(newest),
    }))
}

/// Makes these states the next (or the first) of a store of our own.
pub(super) fn store_own(store: &mut Store, states: &States, reason: &str) -> Result<Generation, Failure> {
    let stored = if store.is_open() {
        store.commit_because(&states.permanent, reason)
    } else {
        store.create(&states.permanent, reason)
    };
    let stored = stored.map_err(|f| kept(&f))?;
    match &states.volatile {
        Some(volatile) => store.store_volatile(volatile).map(|_| ()).map_err(|f| kept(&f))?,
        None if store.has_volatile() => store.remove_volatile().map_err(|f| kept(&f))?,
        None => {}
    }
    Ok(stored)
}

/// What a file that was carried here has.
pub(super) fn carried(path: &Path, keys: Option<Arc<dyn KeyManager>>) -> Result<States, Failure> {
    let mut store = portable::read(path, keys)?;
    own_states(&mut store, None)?.ok_or_else(|| failure!("there is no state in the file {}", path.display()))
}
