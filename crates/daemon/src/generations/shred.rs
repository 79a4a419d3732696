//! `vtpmd state shred`: the end of a state, ordered, taken back, and carried out.
//!
//! The order lies beside the state and is asked for before the state is opened. Each step of carrying it out is durable
//! before the next one begins, and can be done twice: destroying the wrapping key, noting that, erasing the state, having
//! the anchor forget it. The order itself stays, so that a copy put back here later is refused.

use super::{Answer, words};
use crate::answer::{answer, answer_line};
use crate::failure::{Failure, failure};
use crate::options::help;
use crate::options::shred::{Request, Step, parse};
use crate::private;
use crate::seal::SealKey;
use crate::storage;
use sealwright_keys::{KeyOf, Order, Phase, ShredFault, Shredding};
use sealwright_state::{KeyError, StateError, Store, VmId, WrappedKey, timestamp};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Runs the words after `vtpmd state shred`.
pub(super) fn run(words: &[String]) -> Result<ExitCode, Failure> {
    let request = parse(words)?;
    if request.help {
        answer!("{}", help::SHRED);
        return Ok(ExitCode::SUCCESS);
    }
    private::protect(true)?;
    let mut job = Job::open(&request)?;
    let answer = match request.step {
        Step::Schedule => job.schedule(),
        Step::Cancel => job.cancel(),
        Step::Finish => job.finish(),
    };
    job.store.unlock();
    let answer = answer?;
    if request.json {
        answer_line!("{:#}", answer.json);
    } else {
        answer.lines.iter().for_each(|line| answer_line!("{line}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn now() -> Result<u64, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map(|since| since.as_secs()).map_err(|_| failure!("the clock of this host is before 1970"))
}

fn key_words(key: &KeyOf) -> String {
    if key.key.as_str().is_empty() {
        format!("the key of the key manager {}", key.manager)
    } else {
        format!("the key {} of the key manager {}", key.key, key.manager)
    }
}

fn as_json(order: &Order) -> Value {
    let keys = |keys: &[KeyOf]| -> Value {
        keys.iter().map(|key| json!({ "manager": key.manager, "id": key.key.as_str() })).collect()
    };
    let Shredding { vm, reason, ordered, due, phase, keys: own, shared } = &order.shredding;
    let phase = match phase {
        Phase::Scheduled => "scheduled",
        Phase::Cancelled => "cancelled",
        Phase::Done => "done",
    };
    json!({
        "vm": vm.as_str(), "phase": phase, "reason": reason, "ordered": timestamp(*ordered), "due": timestamp(*due),
        "keys": keys(own), "sharedKeys": keys(shared), "authenticated": order.code.is_some(),
    })
}

/// The state, locked, and what was asked for.
struct Job<'a> {
    request: &'a Request,
    key: Option<Arc<SealKey>>,
    store: Store,
}

impl<'a> Job<'a> {
    fn open(request: &'a Request) -> Result<Self, Failure> {
        let state = request.options.state.as_ref();
        let state = state.ok_or_else(|| failure!("which state? --tpmstate dir=FOLDER says so"))?;
        if !state.dir.exists() {
            return Err(failure!("there is no {}", state.dir.display()));
        }
        let key = request.options.key.as_ref().map(|key| SealKey::read("key", key)).transpose()?.map(Arc::new);
        // The anchor is for the end only: an older state is shredded as well as the newest.
        let mut options = request.options.clone();
        options.store.anchor = None;
        let mut store = storage::store(&options, state, key.as_ref())?;
        store.disregard_orders();
        store.lock().map_err(words)?;
        Ok(Self { request, key, store })
    }

    /// The order that stands.
    fn order(&mut self) -> Result<Option<Order>, Failure> {
        let Some(bytes) = self.store.order().map_err(words)? else { return Ok(None) };
        let unreadable = || {
            failure!(
                "the order beside {} cannot be read: it was cut off or damaged. Take it back (--cancel), and order it again if it was meant",
                self.store.place()
            )
        };
        Order::decode(&bytes).map(Some).ok_or_else(unreadable)
    }

    fn write(&mut self, order: &Order) -> Result<(), Failure> {
        let bytes = order.encode().ok_or_else(|| failure!("--reason: the text is too long"))?;
        self.store.set_order(Some(&bytes)).map_err(words)
    }

    fn header(&mut self) -> Result<Option<(VmId, Option<WrappedKey>)>, Failure> {
        let found = self.store.peek_key().map_err(words)?;
        match (&found, &self.request.options.store.vm) {
            (Some((vm, _)), Some(given)) if vm != given => {
                Err(failure!("{} has the state of VM {vm}, not of {given}", self.store.place()))
            }
            _ => Ok(found),
        }
    }

    /// True if the VM's name was given as a confirmation; a wrong one is an error.
    fn is_confirmed(&self, vm: &VmId) -> Result<bool, Failure> {
        match &self.request.confirm {
            None => Ok(false),
            Some(name) if name == vm.as_str() => Ok(true),
            Some(name) => Err(failure!("--confirm: the state is of VM {vm}, not of {name}")),
        }
    }

    fn has_keys(&self) -> bool {
        self.store.is_sealed()
    }

    fn schedule(&mut self) -> Result<Answer, Failure> {
        let reason = self.request.reason.clone();
        let reason =
            reason.ok_or_else(|| failure!("why? --reason TEXT says so, and is told to whoever starts the TPM"))?;
        if let Some(order) = self.order()? {
            let fault = order.shredding.permits_use().err().unwrap_or(ShredFault::Cancelled(order.shredding.vm));
            return Err(failure!("{fault}"));
        }
        let found = self.header()?;
        let (vm, wrapped) = found.ok_or_else(|| failure!("there is no TPM state in {}", self.store.place()))?;
        let confirmed = self.is_confirmed(&vm)?;
        if self.request.grace.is_zero() && !confirmed {
            return Err(failure!(
                "without a time of grace a mistake cannot be mended: --confirm {vm} says that VM {vm} is meant"
            ));
        }
        // Who has the key proves it now, and the order with it. Nothing else could be wrong with an order for a state
        // that cannot be opened.
        let is_sealed = wrapped.is_some();
        let mut shredding = Shredding::schedule(&vm, wrapped.as_slice(), reason, now()?, self.request.grace);
        if is_sealed && self.has_keys() {
            self.store.load().map_err(words)?;
        }
        let code = self.store.code(&Order::authenticated(&shredding));
        shredding.phase = Phase::Scheduled;
        let order = Order { shredding, code };
        self.write(&order)?;
        let due = timestamp(order.shredding.due);
        let mut lines = vec![
            format!(
                "VM {vm}: its keys may be destroyed from {due} on (--finish); until then the order can be taken back (--cancel)"
            ),
            "the TPM does not start any more".to_owned(),
        ];
        if is_sealed && order.code.is_none() {
            lines.push("the order was given without the key of the state: --finish will ask for --confirm".to_owned());
        }
        Ok(Answer { lines, json: as_json(&order) })
    }

    fn cancel(&mut self) -> Result<Answer, Failure> {
        let Some(bytes) = self.store.order().map_err(words)? else {
            return Err(failure!("there is no order to shred {}", self.store.place()));
        };
        let mut json = json!({ "phase": "cancelled" });
        if let Some(mut order) = Order::decode(&bytes) {
            order.shredding.cancel().map_err(|fault| failure!("{fault}"))?;
            json = as_json(&order);
        }
        self.store.set_order(None).map_err(words)?;
        let lines = vec![format!("{}: the order was taken back; the TPM may start again", self.store.place())];
        Ok(Answer { lines, json })
    }

    /// Whether the order is genuine: given by somebody with the state's key, or confirmed now.
    fn vouch(&mut self, order: &Order) -> Result<(), Failure> {
        let vm = order.shredding.vm.clone();
        let confirmed = self.is_confirmed(&vm)?;
        let ask = |why: &str| failure!("{why}: --confirm {vm} says that VM {vm} is meant");
        let Some((found, wrapped)) = self.header()? else {
            let why = "the state is not there any more, so nothing shows that the order is genuine";
            return if confirmed { Ok(()) } else { Err(ask(why)) };
        };
        if found != vm {
            return Err(failure!("the order is for VM {vm}, and {} has the state of VM {found}", self.store.place()));
        }
        let Some(wrapped) = wrapped else { return Ok(()) };
        let own = KeyOf { manager: wrapped.manager, key: wrapped.key_id };
        if !order.shredding.keys.contains(&own) && !order.shredding.shared.contains(&own) {
            return Err(failure!(
                "the state is under {}, which the order does not name; take the order back (--cancel) and give a new one",
                key_words(&own)
            ));
        }
        if !self.has_keys() {
            return Err(failure!("give the key of the state (--key or --key-manager), whose end is ordered"));
        }
        match self.store.load() {
            Ok(()) => {}
            // It was destroyed before an interruption; nothing is left to be protected.
            Err(StateError::Key(KeyError::NotFound { .. })) => return Ok(()),
            Err(fault) => return Err(words(fault)),
        }
        match (order.code, self.store.code(&Order::authenticated(&order.shredding))) {
            (Some(code), Some(right)) if code == right => Ok(()),
            (Some(_), _) => Err(failure!(
                "the order was changed by somebody without the key of the state; take it back (--cancel), and give a new one"
            )),
            (None, _) if confirmed => Ok(()),
            (None, _) => Err(ask("the order was given without the key of the state")),
        }
    }

    fn finish(&mut self) -> Result<Answer, Failure> {
        let order = self.order()?;
        let none = || failure!("there is no order to shred {}; --reason gives one", self.store.place());
        let mut order = order.ok_or_else(none)?;
        let before = order.shredding.keys.clone();
        if order.shredding.phase == Phase::Scheduled {
            let left = order.shredding.due.saturating_sub(now()?);
            if left > 0 {
                let vm = order.shredding.vm;
                return Err(failure!("{}", ShredFault::TooEarly { vm, left }));
            }
            self.vouch(&order)?;
        }
        let managers = storage::key_manager(&self.request.options.store, self.key.as_ref())?;
        let managers: Vec<_> = managers.iter().map(AsRef::as_ref).collect();
        let carried_out = order.shredding.carry_out(&managers, now()?);
        carried_out.map_err(|fault| failure!("{fault}"))?;
        self.write(&order)?;
        self.store.erase().map_err(words)?;
        let vm = order.shredding.vm.clone();
        let mut options = self.request.options.store.clone();
        options.vm = Some(vm.clone());
        let anchor = storage::anchor(&options)?;
        if let Some(mut anchor) = anchor {
            anchor.forget(&vm, sealwright_state::Kind::Tpm).map_err(words)?;
        }
        let shared = &order.shredding.shared;
        let destroyed = before.iter().filter(|key| !shared.contains(key));
        let mut lines: Vec<String> = destroyed.map(|key| format!("destroyed: {}", key_words(key))).collect();
        lines.extend(shared.iter().map(|key| {
            format!(
                "kept: {}, which other VMs use too. Whoever has it and an older copy of this state can still read that copy: erase the copies",
                key_words(key)
            )
        }));
        if before.is_empty() && shared.is_empty() {
            lines.push("the state was not encrypted: whoever has a copy of it can read that copy".to_owned());
        }
        lines.push(format!("erased: {}", self.store.place()));
        lines.push(format!("VM {vm}: its TPM is gone for good; remove what is left of its folder"));
        Ok(Answer { lines, json: as_json(&order) })
    }
}
