//! What the requests do.

use super::connection::{Connection, read_key};
use super::protocol::{CHALLENGE, Change, Present, Refusal, Request, VERSION};
use crate::log::say;
use crate::shared::Shared;
use crate::tpm::Tpm;
use sealwright_state::backend::Durability;
use sealwright_state::{DataKeyId, Generation, StateError, Store, WrappedKey, timestamp};
use serde_json::{Value, json};
use std::sync::Arc;

/// The TPM that is managed, and what is known of it from the command line.
pub(crate) struct Service {
    shared: Arc<Shared>,
    /// What a commit waits for.
    durability: Durability,
    /// The user of this process.
    pub(super) user: u32,
}

fn refused(fault: &StateError) -> Refusal {
    let kind = match fault {
        StateError::OtherDataKey { .. } => "other-key",
        StateError::NotSealed { .. } => "not-sealed",
        StateError::Locked { .. } | StateError::Changed { .. } | StateError::Fenced { .. } => "not-owner",
        StateError::Key(_) | StateError::KeyChanged { .. } | StateError::WrongKey { .. } => "key",
        _ => "storage",
    };
    Refusal::new(kind, fault.to_string())
}

fn elsewhere() -> Refusal {
    Refusal::new("storage", "this TPM is only passed through: its state is not kept here")
}

const fn word(durability: Durability) -> &'static str {
    match durability {
        Durability::None => "none",
        Durability::Data => "data",
        Durability::Full => "full",
    }
}

fn about(wrapped: &WrappedKey) -> Value {
    json!({ "manager": wrapped.manager, "id": wrapped.key_id.as_str(), "version": wrapped.version })
}

fn name(wrapped: &WrappedKey) -> String {
    match wrapped.key_id.as_str() {
        "" => format!("the key manager {}", wrapped.manager),
        key => format!("the key manager {} under {key}", wrapped.manager),
    }
}

fn generation(g: &Generation) -> Value {
    json!({
        "sequence": g.sequence,
        "epoch": g.epoch,
        "digest": g.digest.to_string(),
        "time": timestamp(g.time / 1000),
        "size": g.size,
    })
}

/// What is known of the state. No secret is in it.
fn overview(store: &Store) -> Value {
    let key = store.key_context().zip(store.wrapped_key());
    json!({
        "vm": store.vm().map(|vm| vm.as_str()),
        "place": store.place(),
        "open": store.is_open(),
        "sealed": store.is_sealed(),
        "dataKey": key.as_ref().map(|(context, _)| context.data_key.to_string()),
        "key": key.as_ref().map(|(_, wrapped)| about(wrapped)),
        "generation": store.head().map(generation),
        "locked": store.is_locked(),
    })
}

impl Service {
    /// Of this TPM. To be made before this process confines itself.
    pub(crate) fn new(shared: Arc<Shared>, durability: Durability) -> Self {
        Self { shared, durability, user: rustix::process::geteuid().as_raw() }
    }

    /// Runs one request of a client.
    pub(super) fn handle(&self, line: &[u8], client: &mut Connection) -> Result<Value, Refusal> {
        let request = Request::read(line)?;
        match request.name() {
            "status" => self.status(),
            "key" => self.key(client),
            "rewrap" => self.change(&request, Change::Rewrap(request.wrapped()?), client),
            "reseal" => {
                let descriptor = client.descriptor.take();
                let descriptor = descriptor.ok_or_else(|| {
                    Refusal::malformed("the new data key is missing: send its descriptor with the line")
                })?;
                let key = read_key(&descriptor).map_err(Refusal::malformed)?;
                let (id, wrapped) = (request.data_key("newDataKey")?, request.wrapped()?);
                self.change(&request, Change::Reseal { id, wrapped, key, reason: request.reason()? }, client)
            }
            "plain" => self.change(&request, Change::Plain { reason: request.reason()? }, client),
            other => Err(Refusal::new(
                "unknown",
                format!("the request {other:?} is unknown; known are status, key, rewrap, reseal and plain"),
            )),
        }
    }

    fn status(&self) -> Result<Value, Refusal> {
        let mut tpm = self.shared.tpm();
        let tpm = tpm.own().ok_or_else(elsewhere)?;
        let mut status = json!({
            "program": "vtpmd",
            "programVersion": env!("CARGO_PKG_VERSION"),
            "versions": [VERSION],
            "pid": std::process::id(),
            "kind": "tpm",
            "running": tpm.is_running(),
            "givenAway": tpm.is_released(),
            "durability": word(self.durability),
        });
        let store = tpm.look().ok_or_else(elsewhere)?;
        if let (Some(all), Value::Object(more)) = (status.as_object_mut(), overview(store)) {
            all.extend(more);
        }
        Ok(status)
    }

    fn key(&self, client: &mut Connection) -> Result<Value, Refusal> {
        let mut challenge = [0; CHALLENGE];
        sealwright_state::entropy::fill(&mut challenge).map_err(|e| Refusal::new("storage", e.to_string()))?;
        let mut tpm = self.shared.tpm();
        let store = tpm.own().and_then(Tpm::look).ok_or_else(elsewhere)?;
        let Some(vm) = store.vm().filter(|_| store.is_open()).cloned() else {
            return Err(Refusal::new(
                "storage",
                format!("there is no state in {} yet that could be read", store.place()),
            ));
        };
        let context = store.key_context();
        let kind = context.as_ref().map_or(sealwright_state::Kind::Tpm, |context| context.kind);
        let key = context.map(|context| context.data_key).zip(store.wrapped_key().cloned());
        drop(tpm);
        client.challenge = Some(challenge);
        Ok(Present { vm, kind, key, challenge }.to_json())
    }

    /// Changes the keys, if the client can show that it opened the present one.
    fn change(&self, request: &Request, change: Change, client: &mut Connection) -> Result<Value, Refusal> {
        let challenge = client.challenge.take();
        let challenge = challenge
            .ok_or_else(|| Refusal::new("denied", "each change needs a challenge of its own: ask for \"key\" first"))?;
        let present = request.data_key("dataKey")?;
        let proof = if present == DataKeyId::NONE { Vec::new() } else { request.bytes("proof")? };
        let statement = change.statement(&challenge, present);
        let mut tpm = self.shared.tpm();
        let tpm = tpm.own().ok_or_else(elsewhere)?;
        if tpm.is_released() {
            return Err(Refusal::new(
                "not-owner",
                "the state was given away to the destination of a migration; ask there",
            ));
        }
        let done = tpm.change_keys(|store| {
            store.check_present(present)?;
            if present != DataKeyId::NONE && !store.is_proof(&statement, &proof) {
                return Ok(None);
            }
            match &change {
                Change::Rewrap(wrapped) => store.rewrap_with(present, wrapped.clone())?,
                Change::Reseal { id, wrapped, key, reason } => {
                    store.reseal_with(*id, key.clone(), wrapped.clone(), reason)?;
                }
                Change::Plain { reason } => {
                    store.reseal(None, reason)?;
                }
            }
            Ok(Some(overview(store)))
        });
        let done = done.map_err(|fault| {
            say!("the request {} of the management socket was refused: {fault}", change.name());
            refused(&fault)
        })?;
        let Some(overview) = done else {
            say!("the request {} of the management socket was refused: it has no right proof", change.name());
            let why = "the proof is not right: only who can open the present data key may change it";
            return Err(Refusal::new("denied", why));
        };
        match &change {
            Change::Rewrap(wrapped) => say!("the data key of the state is now wrapped by {}", name(wrapped)),
            Change::Reseal { wrapped, id, .. } => {
                say!("the state has the new data key {id}, wrapped by {}", name(wrapped));
            }
            Change::Plain { .. } => say!("the state is not encrypted any more"),
        }
        Ok(overview)
    }
}
