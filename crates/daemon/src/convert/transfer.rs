//! Carries a state from one place to another. What is at the target stays until the new state is whole there, and the
//! source is held until then.

use super::place::{Place, States, Swtpm, carried, kept, own, own_states, parts, store_own};
use super::portable;
use crate::failure::{Failure, failure};
use crate::instance;
use crate::options::Options;
use crate::seal::SealKey;
use crate::storage;
use sealwright_state::swtpm::SwtpmKey;
use sealwright_state::{KeyManager, StateError, Store};
use std::sync::Arc;

/// One end: a place, and the key of the state there.
pub(super) struct End {
    pub(super) place: Place,
    pub(super) key: Option<Arc<SealKey>>,
    /// Settings of a state of our own, with the key manager instead of the key.
    pub(super) options: Options,
}

impl End {
    /// True if the state there is, or will be, encrypted.
    pub(super) fn is_sealed(&self) -> bool {
        self.key.is_some() || self.options.store.key_manager.is_some()
    }

    fn swtpm_key(&self) -> Result<Option<SwtpmKey>, Failure> {
        if self.options.store.key_manager.is_some() {
            return Err(failure!("{} can be encrypted with a key only, not by a key manager", self.place));
        }
        self.key.as_ref().map(|key| key.swtpm()).transpose().map_err(|fault| failure!("{fault}"))
    }

    fn key_manager(&self) -> Result<Option<Arc<dyn KeyManager>>, Failure> {
        storage::key_manager(&self.options.store, self.key.as_ref())
    }
}

/// What is to be carried where.
pub(super) struct Transfer {
    pub(super) from: End,
    pub(super) to: End,
    /// This generation instead of the newest.
    pub(super) generation: Option<u64>,
    /// There may be a state at the target.
    pub(super) overwrite: bool,
    /// Permission bits of files that are made.
    pub(super) mode: Option<u32>,
    /// For the history.
    pub(super) reason: &'static str,
}

/// The source as long as nobody else may use it.
enum Held {
    Swtpm(Swtpm),
    Own(Box<Store>),
    Nothing,
}

/// Our states of libtpms's.
fn imported(states: States) -> Result<States, Failure> {
    let volatile = states.volatile.as_ref().map(|bytes| bytes.as_slice());
    let maker = instance::maker(None)?;
    let imported = maker.import(&states.permanent, volatile);
    let imported = imported.map_err(|fault| failure!("the state of swtpm cannot be taken over: {fault}"))?;
    Ok(States { permanent: imported.permanent, volatile: imported.volatile, ..states })
}

/// libtpms's states of ours.
fn exported(states: States) -> Result<States, Failure> {
    let volatile = states.volatile.as_ref().map(|bytes| bytes.as_slice());
    let exported = instance::maker(None)?.export(&states.permanent, volatile);
    let exported = exported.map_err(|fault| failure!("the state cannot be given to swtpm: {fault}"))?;
    Ok(States { permanent: exported.permanent, volatile: exported.volatile, ..states })
}

fn nothing(place: &Place) -> Failure {
    failure!("there is no state in {place}")
}

fn source(end: &End, generation: Option<u64>) -> Result<(Held, States), Failure> {
    if let (Some(_), false) = (generation, matches!(end.place, Place::Own(_))) {
        return Err(failure!("--generation: {} has one state only", end.place));
    }
    match &end.place {
        Place::Own(state) => {
            let mut store = own(state, &end.options, end.key.as_ref())?;
            let states = own_states(&mut store, generation)?.ok_or_else(|| nothing(&end.place))?;
            Ok((Held::Own(Box::new(store)), states))
        }
        Place::File(path) => Ok((Held::Nothing, carried(path, end.key_manager()?)?)),
        Place::SwtpmParts(permanent, volatile) => {
            let states = parts(permanent, volatile.as_deref(), end.swtpm_key()?.as_ref())?;
            Ok((Held::Nothing, states))
        }
        Place::Swtpm(_) | Place::SwtpmFile(_) => {
            let key = end.swtpm_key()?;
            let swtpm = Swtpm::open(&end.place, None, false)?;
            let states = swtpm.states(&end.place, key.as_ref(), key.as_ref())?;
            Ok((Held::Swtpm(swtpm), states))
        }
    }
}

fn target(transfer: &Transfer, states: &States) -> Result<(), Failure> {
    let (end, overwrite) = (&transfer.to, transfer.overwrite);
    let used = || failure!("there is already a state in {}; --overwrite puts the new one in its place", end.place);
    match &end.place {
        Place::Own(state) => {
            let mut store = own(state, &end.options, end.key.as_ref())?;
            // What is lost is replaced only if that is meant.
            let is_lost = overwrite && matches!(store.load(), Err(StateError::Missing { .. }));
            let there = if is_lost { None } else { own_states(&mut store, None)? };
            let Some(there) = there else {
                // A new state belongs to the VM that it comes from, unless another one is named.
                let mut options = end.options.clone();
                options.store.vm = options.store.vm.or_else(|| states.vm.clone());
                drop(store);
                let mut store = own(state, &options, end.key.as_ref())?;
                return store_own(&mut store, states, transfer.reason).map(|_| ());
            };
            if !overwrite {
                return Err(used());
            }
            if let (Some(vm), None, Some(other)) = (&there.vm, &end.options.store.vm, &states.vm)
                && vm != other
            {
                return Err(failure!(
                    "{} has the state of VM {vm}, and what is to be put there is of VM {other}; --vm {vm} says that this is meant",
                    end.place
                ));
            }
            store_own(&mut store, states, transfer.reason).map(|_| ())
        }
        Place::File(path) => {
            if std::fs::symlink_metadata(path).is_ok() && !overwrite {
                return Err(failure!("{} is there already; --overwrite puts the new one in its place", end.place));
            }
            let vm = end.options.store.vm.clone().or_else(|| states.vm.clone());
            portable::write(path, transfer.mode, states, vm, end.key_manager()?, transfer.reason)
        }
        Place::SwtpmParts(..) => Err(failure!("swtpm-permall:FILE can be read only; give swtpm:FOLDER")),
        Place::Swtpm(_) | Place::SwtpmFile(_) => {
            let key = end.swtpm_key()?;
            let mut swtpm = Swtpm::open(&end.place, transfer.mode, true)?;
            if swtpm.is_used()? && !overwrite {
                return Err(used());
            }
            swtpm.forget_volatile()?;
            swtpm.store(states, key.as_ref())
        }
    }
}

/// Another key for the state at the place where it is.
fn in_place(transfer: &Transfer) -> Result<States, Failure> {
    let (from, to) = (&transfer.from, &transfer.to);
    match &from.place {
        Place::Own(state) => {
            let mut store = own(state, &from.options, from.key.as_ref())?;
            let states = own_states(&mut store, None)?.ok_or_else(|| nothing(&from.place))?;
            store.reseal(to.key_manager()?, "another key").map_err(|fault| kept(&fault))?;
            Ok(states)
        }
        Place::File(path) => {
            let (_, states) = source(from, None)?;
            portable::write(path, transfer.mode, &states, states.vm.clone(), to.key_manager()?, transfer.reason)?;
            Ok(states)
        }
        place => {
            let (old, new) = (from.swtpm_key()?, to.swtpm_key()?);
            let mut swtpm = Swtpm::open(place, transfer.mode, false)?;
            let states = swtpm.states(place, old.as_ref(), new.as_ref())?;
            swtpm.store(&states, new.as_ref())?;
            Ok(states)
        }
    }
}

/// True if both are the same folder, whose lock can be held once only.
fn share_a_lock(one: &Place, other: &Place) -> bool {
    match (one.folder(), other.folder()) {
        (Some(a), Some(b)) => a == b || a.canonicalize().ok().is_some_and(|a| b.canonicalize().is_ok_and(|b| a == b)),
        _ => false,
    }
}

/// Carries the state; gives back what was carried, as it was at the source.
pub(super) fn run(transfer: &Transfer) -> Result<States, Failure> {
    let (from, to) = (&transfer.from.place, &transfer.to.place);
    if from == to {
        return in_place(transfer);
    }
    let (mut held, states) = source(&transfer.from, transfer.generation)?;
    if share_a_lock(from, to) {
        held = Held::Nothing;
    }
    let states = match (from.is_swtpm(), to.is_swtpm()) {
        (true, false) => imported(states)?,
        (false, true) => exported(states)?,
        _ => states,
    };
    target(transfer, &states)?;
    match held {
        Held::Swtpm(swtpm) => drop(swtpm),
        Held::Own(store) => drop(store),
        Held::Nothing => {}
    }
    Ok(states)
}
