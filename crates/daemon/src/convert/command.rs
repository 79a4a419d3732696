//! `vtpmd convert`: a state from swtpm's format to ours and back, and from one key to another.

use super::place::{Place, States, Swtpm, own, own_states, store_own};
use crate::failure::{Failure, failure};
use crate::options::{KeyOption, StoreOptions, convert as options};
use crate::seal::{LocalKey, SealKey};
use crate::{instance, private};
use sealwright_core::{Platform, PlatformFault};
use sealwright_state::KeyManager;
use sealwright_state::swtpm::SwtpmKey;
use std::process::ExitCode;
use std::sync::Arc;

const HELP: &str = "\
Usage: vtpmd convert --from PLACE [--key KEY] --to PLACE [--new-key KEY] [--force]

Copies the state of a TPM 2.0 to another place and format. With the same PLACE twice, the state stays there and gets
another key (or one, or none); an interruption leaves the old or the new, and running it again goes on.

PLACE
  swtpm:FOLDER        a folder of swtpm's, with tpm2-00.permall in it
  swtpm-file:FILE     a linear file or block device of swtpm's (backend-uri=file://)
  vtpmd:FOLDER        a folder of vtpmd's

  --key KEY           the key of the state as it is, if it is encrypted: the values of --key in vtpmd socket --help
  --new-key KEY       the key that it gets; without it the new state is not encrypted
  --force             put the state in the place of one that is there (vtpmd keeps that in its history)
  --vm NAME           whose state it is, for vtpmd
  --mode OCTAL        permission bits of files of swtpm's that are made

No TPM may be running on either place: both are locked.
";

/// What the command line asks for.
#[derive(Debug, Default)]
pub(crate) struct Convert {
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) key: Option<KeyOption>,
    pub(crate) new_key: Option<KeyOption>,
    pub(crate) force: bool,
    pub(crate) store: StoreOptions,
    pub(crate) mode: Option<u32>,
    pub(crate) help: bool,
}

/// A platform for an engine that runs nothing: it takes over a state and gives it away again.
struct Still;

impl Platform for Still {
    fn entropy(&mut self, out: &mut [u8]) -> Result<(), PlatformFault> {
        crate::random::fill(out).map_err(|_| PlatformFault::Entropy)
    }
    fn now(&mut self) -> u64 {
        0
    }
    fn commit(&mut self, _: &[u8]) -> Result<(), PlatformFault> {
        Err(PlatformFault::Unavailable)
    }
}

/// Our states of libtpms's.
fn imported(states: &States) -> Result<States, Failure> {
    let volatile = states.volatile.as_ref().map(|bytes| bytes.as_slice());
    let maker = instance::maker(None)?;
    let imported = maker.import(&mut Still, &states.permanent, volatile);
    let imported = imported.map_err(|fault| failure!("the state of swtpm cannot be taken over: {fault}"))?;
    Ok(States { permanent: imported.permanent, volatile: imported.volatile })
}

/// libtpms's states of ours.
fn exported(states: &States) -> Result<States, Failure> {
    let volatile = states.volatile.as_ref().map(|bytes| bytes.as_slice());
    let exported = instance::maker(None)?.export(&mut Still, &states.permanent, volatile);
    let exported = exported.map_err(|fault| failure!("the state cannot be given to swtpm: {fault}"))?;
    Ok(States { permanent: exported.permanent, volatile: exported.volatile })
}

fn swtpm_key(key: Option<&Arc<SealKey>>) -> Result<Option<SwtpmKey>, Failure> {
    key.map(|key| key.swtpm()).transpose().map_err(|fault| failure!("{fault}"))
}

/// Another key for the state at the place where it is.
fn in_place(
    convert: &Convert,
    place: &Place,
    key: Option<&Arc<SealKey>>,
    new_key: Option<&Arc<SealKey>>,
) -> Result<States, Failure> {
    if let Place::Own(path) = place {
        let mut store = own(path, &convert.store, key)?;
        let states = own_states(&mut store)?.ok_or_else(|| failure!("there is no state in {place}"))?;
        let keys = new_key.map(|key| Arc::new(LocalKey(Arc::clone(key))) as Arc<dyn KeyManager>);
        store.reseal(keys, "another key").map_err(|fault| failure!("{fault}"))?;
        return Ok(states);
    }
    let mut swtpm = Swtpm::open(place, convert.mode, false)?;
    let (old, new) = (swtpm_key(key)?, swtpm_key(new_key)?);
    let states = swtpm.states(old.as_ref(), new.as_ref())?;
    swtpm.store(&states, new.as_ref())?;
    Ok(states)
}

fn source(convert: &Convert, place: &Place, key: Option<&Arc<SealKey>>) -> Result<States, Failure> {
    if let Place::Own(path) = place {
        let mut store = own(path, &convert.store, key)?;
        return own_states(&mut store)?.ok_or_else(|| failure!("there is no state in {place}"));
    }
    let key = swtpm_key(key)?;
    Swtpm::open(place, None, false)?.states(key.as_ref(), key.as_ref())
}

fn target(convert: &Convert, place: &Place, states: &States, key: Option<&Arc<SealKey>>) -> Result<(), Failure> {
    let used = || failure!("there is already a state in {place}; --force puts the new one in its place");
    if let Place::Own(path) = place {
        let mut store = own(path, &convert.store, key)?;
        if own_states(&mut store)?.is_some() && !convert.force {
            return Err(used());
        }
        return store_own(&mut store, states, "converted");
    }
    let mut swtpm = Swtpm::open(place, convert.mode, true)?;
    if swtpm.is_used()? && !convert.force {
        return Err(used());
    }
    swtpm.forget_volatile()?;
    swtpm.store(states, swtpm_key(key)?.as_ref())
}

/// Runs `vtpmd convert`.
pub(crate) fn run(words: &[String]) -> Result<ExitCode, Failure> {
    let convert = options(words)?;
    if convert.help {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    let place = |name, text: &Option<String>| match text {
        Some(text) => Place::parse(name, text),
        None => Err(failure!("--{name} is needed; see vtpmd convert --help")),
    };
    let (from, to) = (place("from", &convert.from)?, place("to", &convert.to)?);
    private::protect(true)?;
    let read = |name, key: &Option<_>| Ok(key.as_ref().map(|k| SealKey::read(name, k)).transpose()?.map(Arc::new));
    let (key, new_key): (Option<Arc<SealKey>>, _) = (read("key", &convert.key)?, read("new-key", &convert.new_key)?);
    let states = if from == to {
        in_place(&convert, &from, key.as_ref(), new_key.as_ref())?
    } else {
        let states = source(&convert, &from, key.as_ref())?;
        let states = match (from.is_swtpm(), to.is_swtpm()) {
            (true, false) => imported(&states)?,
            (false, true) => exported(&states)?,
            _ => states,
        };
        target(&convert, &to, &states, new_key.as_ref())?;
        states
    };
    let running = if states.volatile.is_some() { ", with the state of a running TPM" } else { "" };
    let sealed = if new_key.is_some() { "encrypted" } else { "not encrypted" };
    println!("{from}: the state is now in {to}, {sealed}{running}");
    Ok(ExitCode::SUCCESS)
}
