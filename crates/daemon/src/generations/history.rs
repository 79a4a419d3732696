//! `history`, `diff`, `verify` and `restore`: the line of generations.

use super::{Answer, summary, words};
use crate::failure::{Failure, failure};
use crate::options::generations::Request;
use sealwright_state::{Content, Generation, StateError, Store, timestamp};
use serde_json::{Value, json};

/// What is kept, by the headers alone: no key is needed.
pub(super) fn kept(store: &mut Store) -> Result<Vec<Generation>, Failure> {
    let found = store.peek().map_err(words)?;
    found.ok_or_else(|| failure!("there is no TPM state in {}", store.place()))
}

/// A generation as JSON, without its content.
pub(super) fn as_json(g: &Generation) -> Value {
    json!({
        "vm": g.vm.as_str(),
        "content": content(g),
        "sequence": g.sequence,
        "epoch": g.epoch,
        "time": timestamp(g.time / 1000),
        "size": g.size,
        "digest": g.digest.to_string(),
        "parent": g.parent.to_string(),
        "key": g.key.to_string(),
        "reason": g.reason,
    })
}

fn content(g: &Generation) -> &'static str {
    match g.content {
        Content::State => "state",
        Content::Volatile => "volatile",
        Content::NoVolatile => "no volatile",
    }
}

/// `vtpmd state history`.
pub(super) fn history(_: &Request, store: &mut Store) -> Result<Answer, Failure> {
    let generations = kept(store)?;
    let mut lines = vec![format!(
        "{:>10}  {:>5}  {:<20}  {:>7}  {:<11}  {}",
        "generation", "epoch", "time", "bytes", "content", "reason"
    )];
    lines.extend(generations.iter().map(|g| {
        let time = timestamp(g.time / 1000);
        format!("{:>10}  {:>5}  {time:<20}  {:>7}  {:<11}  {}", g.sequence, g.epoch, g.size, content(g), g.reason)
            .trim_end()
            .to_owned()
    }));
    Ok(Answer { lines, json: generations.iter().map(as_json).collect() })
}

/// Sequences of the states that are kept, oldest first.
fn states(store: &Store) -> Result<Vec<u64>, Failure> {
    let all = store.history().map_err(words)?;
    Ok(all.iter().filter(|g| g.content == Content::State).map(|g| g.sequence).collect())
}

/// `vtpmd state diff`: what changed, in words that tell no secret.
pub(super) fn diff(request: &Request, store: &mut Store) -> Result<Answer, Failure> {
    store.load().map_err(words)?;
    let states = states(store)?;
    let newest = states.last().copied().ok_or_else(|| failure!("there is no state in {}", store.place()))?;
    let to = request.to.unwrap_or(newest);
    let before = states.iter().rev().find(|sequence| **sequence < to).copied();
    let from = request.from.or(before);
    let from = from.ok_or_else(|| failure!("there is no generation before {to} in {}", store.place()))?;
    let changes = summary(store, from)?.changes(&summary(store, to)?);
    let mut lines = vec![format!("from generation {from} to {to}:")];
    lines.extend(changes.iter().map(|change| format!("  {change}")));
    if changes.is_empty() {
        lines.push("  nothing that can be told".to_owned());
    }
    Ok(Answer { lines, json: json!({ "from": from, "to": to, "changes": changes }) })
}

/// `vtpmd state verify`: every generation is opened, and every link of the chain checked.
pub(super) fn verify(_: &Request, store: &mut Store) -> Result<Answer, Failure> {
    let count = store.verify().map_err(words)?;
    for sequence in states(store)? {
        summary(store, sequence)?;
    }
    let newest = store.newest().map(|mark| mark.to_string()).unwrap_or_default();
    let sealed = if store.is_sealed() { "sealed" } else { "not sealed: damage is found, forgery is not" };
    let lines = vec![
        format!("{}: {count} generations are whole and follow each other; {sealed}", store.place()),
        format!("the newest is {newest}"),
    ];
    Ok(Answer { lines, json: json!({ "generations": count, "sealed": store.is_sealed(), "newest": newest }) })
}

/// `vtpmd state restore`: an older generation becomes the newest one.
pub(super) fn restore(request: &Request, store: &mut Store) -> Result<Answer, Failure> {
    let sequence = request.generation;
    let sequence = sequence.ok_or_else(|| failure!("which one? --generation N says so; see vtpmd state history"))?;
    let reason = request.reason.as_deref();
    let reason = reason.ok_or_else(|| failure!("why? --reason TEXT says so, and is kept in the history"))?;
    store.lock().map_err(words)?;
    let made = store.load().map_err(words).and_then(|()| {
        // What cannot be read as a TPM is not made the newest one.
        summary(store, sequence)?;
        store.restore(sequence, reason).map_err(words)
    });
    store.unlock();
    let made = made?;
    let lines = vec![
        format!("generation {} now has the state of generation {sequence}", made.sequence),
        "counters and lockout of the TPM are as they were then; what the guest stored since is gone from it".to_owned(),
    ];
    Ok(Answer { lines, json: as_json(&made) })
}

/// True if the fault only means that a key is needed.
pub(super) fn wants_key(fault: &StateError) -> bool {
    matches!(fault, StateError::KeyMissing { .. })
}
