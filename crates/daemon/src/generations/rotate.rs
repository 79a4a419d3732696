//! `rewrap` and `reseal`: new keys for a state, at rest or under a TPM that runs.
//!
//! The key managers are asked here. A vtpmd that runs gets the result by its management socket; without one, the state is
//! changed under its lock.

use super::words;
use crate::answer::{answer, answer_line};
use crate::failure::{Failure, failure};
use crate::manage::client::{Client, NoClient};
use crate::manage::{Change, Present};
use crate::options::rotate::{Request, parse};
use crate::options::state_commands::StateCommand;
use crate::options::{KeyOption, Options, StoreOptions};
use crate::seal::SealKey;
use crate::{private, storage};
use sealwright_state::{DataKey, DataKeyId, KeyManager, StateError, Store};
use serde_json::json;
use std::process::ExitCode;
use std::sync::Arc;

type Keys = Option<Arc<dyn KeyManager>>;

/// What is to be new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// What wraps the data key.
    Rewrap,
    /// The data key.
    Reseal,
}

/// The keys of the command line.
struct Wanted {
    old: Keys,
    new: Keys,
    reason: String,
}

fn keys(option: &str, address: Option<&String>, key: Option<&KeyOption>) -> Result<Keys, Failure> {
    let read = key.map(|key| SealKey::read(option, key)).transpose()?.map(Arc::new);
    let options = StoreOptions { key_manager: address.cloned(), ..StoreOptions::default() };
    storage::key_manager(&options, read.as_ref())
}

/// Runs the words behind the command.
pub(super) fn run(what: What, command: &StateCommand, words: &[String]) -> Result<ExitCode, Failure> {
    let request = parse(command, words)?;
    if request.help {
        answer!("{}", command.help());
        return Ok(ExitCode::SUCCESS);
    }
    // Data keys will be in this memory.
    private::protect(true)?;
    let old = keys("key", request.store.key_manager.as_ref(), request.key.as_ref())?;
    let given = keys("new-key", request.new_key_manager.as_ref(), request.new_key.as_ref())?;
    // A manager that has a newer key of its own is both.
    let new = given.or_else(|| old.clone()).filter(|_| !request.to_plain);
    if new.is_none() && !request.to_plain {
        return Err(failure!("who wraps the data key from now on? --new-key-manager or --new-key says so"));
    }
    let reason = request.reason.clone().unwrap_or_else(|| "another data key".to_owned());
    let change = Wanted { old, new, reason };
    let running = match &request.manage {
        None => None,
        Some(path) => match Client::connect(path) {
            Ok(client) => Some(client),
            // With the place given too, it is enough that the state's lock is free.
            Err(NoClient::Nobody(_)) if request.state.is_some() => None,
            Err(NoClient::Nobody(failure) | NoClient::Other(failure)) => return Err(failure),
        },
    };
    let (before, after) = match running {
        Some(mut client) => by_socket(what, &change, &mut client)?,
        None => under_lock(what, &change, &request)?,
    };
    tell(what, &before, &after, request.json);
    Ok(ExitCode::SUCCESS)
}

/// Has a running vtpmd change its keys. Gives back what was before and what is now.
fn by_socket(what: What, change: &Wanted, client: &mut Client) -> Result<(Present, Present), Failure> {
    let before = client.present()?;
    let vm = &before.vm;
    let failed =
        |doing: &str, fault: &dyn core::fmt::Display| failure!("VM {vm}: {doing} failed, nothing was changed: {fault}");
    let opened = match (&before.key, &change.old) {
        (None, _) => None,
        (Some((_, wrapped)), None) => {
            return Err(failure!(
                "VM {vm}: its data key is wrapped by the key manager {}: give the present key by --key-manager or --key",
                wrapped.manager
            ));
        }
        (Some((_, wrapped)), Some(old)) if wrapped.manager != old.name() => {
            return Err(failure!(
                "VM {vm}: its data key is wrapped by the key manager {}, and the present key was given as one of {}",
                wrapped.manager,
                old.name()
            ));
        }
        (Some((id, wrapped)), Some(old)) => {
            let opened = old.unwrap(&before.context(*id), wrapped);
            Some(opened.map_err(|fault| failed("opening the data key with its present wrapping key", &fault))?)
        }
    };
    let change = match (what, &change.new) {
        (What::Rewrap, Some(new)) => {
            let opened = opened.as_ref().ok_or_else(|| not_sealed(vm))?;
            let wrapped = new.wrap_and_open(&before.context(before.id()), opened);
            Change::Rewrap(wrapped.map_err(|fault| failed("wrapping the data key anew", &fault))?)
        }
        (What::Reseal, Some(new)) => {
            let fault = |fault| failed("making a data key", &fault);
            let (id, key) = (DataKeyId::random().map_err(fault)?, DataKey::random().map_err(fault)?);
            let wrapped = new.wrap_and_open(&before.context(id), &key);
            let wrapped = wrapped.map_err(|fault| failed("wrapping the new data key", &fault))?;
            Change::Reseal { id, wrapped, key, reason: change.reason.clone() }
        }
        (_, None) => Change::Plain { reason: change.reason.clone() },
    };
    client.change(&before, &change, opened.as_ref())?;
    let key = match change {
        Change::Rewrap(wrapped) => Some((before.id(), wrapped)),
        Change::Reseal { id, wrapped, .. } => Some((id, wrapped)),
        Change::Plain { .. } => None,
    };
    let after = Present { key, ..before.clone() };
    Ok((before, after))
}

fn not_sealed(vm: &dyn core::fmt::Display) -> Failure {
    failure!("VM {vm}: its state is not encrypted, so there is no data key to wrap: vtpmd state reseal encrypts it")
}

/// Changes the keys of a state that no TPM runs on.
fn under_lock(what: What, change: &Wanted, request: &Request) -> Result<(Present, Present), Failure> {
    let state = request.state.as_ref();
    let state = state.ok_or_else(|| {
        failure!("which state? --manage PATH says so for a vtpmd that runs, --tpmstate dir=FOLDER for one at rest")
    })?;
    if !state.dir.exists() {
        return Err(failure!("there is no {}", state.dir.display()));
    }
    let options = Options { store: request.store.clone(), ..Options::default() };
    let mut store = storage::store_with(&options, state, change.old.clone())?;
    store.lock().map_err(|fault| match fault {
        StateError::Locked { .. } => failure!(
            "{fault}. If it is a vtpmd, it can change the keys while it runs: give --manage PATH, the management socket that \
             it was started with"
        ),
        fault => words(fault),
    })?;
    let changed = store.load().and_then(|()| {
        let before = present(&store)?;
        match (what, &change.new) {
            (What::Rewrap, Some(new)) => store.rewrap(Arc::clone(new))?,
            (_, new) => {
                store.reseal(new.clone(), &change.reason)?;
            }
        }
        Ok((before, present(&store)?))
    });
    store.unlock();
    changed.map_err(|fault| match (&fault, what) {
        (StateError::NotSealed { place }, What::Rewrap) => not_sealed(place),
        _ => words(fault),
    })
}

fn present(store: &Store) -> Result<Present, StateError> {
    let vm = store.vm().cloned();
    let vm = vm.ok_or_else(|| StateError::NotOpen { place: store.place(), what: "it has no state" })?;
    let key = store.key_context().map(|context| context.data_key).zip(store.wrapped_key().cloned());
    Ok(Present::new(vm, sealwright_state::Kind::Tpm, key))
}

fn tell(what: What, before: &Present, after: &Present, as_json: bool) {
    let who = |present: &Present| {
        present.key.as_ref().map(|(_, wrapped)| match wrapped.key_id.as_str() {
            "" => wrapped.manager.clone(),
            key => format!("{}, key {key}", wrapped.manager),
        })
    };
    if as_json {
        let key = |present: &Present| {
            present.key.as_ref().map(|(id, wrapped)| {
                json!({ "dataKey": id.to_string(), "manager": wrapped.manager, "id": wrapped.key_id.as_str() })
            })
        };
        answer_line!("{:#}", json!({ "vm": after.vm.as_str(), "before": key(before), "after": key(after) }));
        return;
    }
    match (what, who(after)) {
        (What::Rewrap, Some(now)) => {
            answer_line!("VM {}: the data key {} is now wrapped by {now}", after.vm, after.id());
        }
        (_, Some(now)) => {
            answer_line!("VM {}: the state has the new data key {}, wrapped by {now}", after.vm, after.id())
        }
        (_, None) => answer_line!("VM {}: the state is not encrypted any more", after.vm),
    }
    if let Some(old) = who(before) {
        answer_line!("it was wrapped by {old}; older copies of the state still need that key");
    }
    answer_line!("start vtpmd with the new key next time");
}
