//! What every anchor must do, alone and with a store: run on each of them, here and where others are implemented.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests, which other crates run too"
)]

use super::{Anchor, Pace};
use crate::backend::{Memory, MemoryCell};
use crate::error::{Mark, StateError};
use crate::identity::{Digest, Kind, VmId};
use crate::store::{Settings, Store};
use std::sync::{Arc, Mutex};

/// What an anchor can do besides.
#[derive(Clone, Copy, Debug)]
pub struct Traits {
    /// It remembers several states.
    pub many: bool,
}

type New<'a> = &'a mut dyn FnMut() -> Box<dyn Anchor>;

/// Runs everything. `new` gives the anchor as another process would have it; it knows nothing before and afterwards.
pub fn run(new: New<'_>, traits: Traits) {
    remembers(new);
    knows_its_own(new, traits);
    the_newest_state_is_taken(new);
    an_older_state_is_refused(new);
    another_state_is_refused(new);
    what_went_on_alone_is_refused(new);
    an_unknown_state(new);
}

fn vm(name: &str) -> VmId {
    VmId::new(name).unwrap()
}

fn mark(sequence: u64) -> Mark {
    Mark { sequence, digest: Digest::of(&[&sequence.to_be_bytes()]), epoch: 3 }
}

fn remembers(new: New<'_>) {
    let known =
        |anchor: &mut dyn Anchor| anchor.read(&vm("a"), Kind::Tpm).unwrap().map(|mark| (mark.sequence, mark.digest));
    let mut anchor = new();
    assert!(!anchor.name().is_empty());
    assert_eq!(known(&mut *anchor), None);
    for sequence in [1, 2, 900, u64::MAX] {
        anchor.advance(&vm("a"), Kind::Tpm, mark(sequence)).unwrap();
        assert_eq!(known(&mut *anchor), Some((sequence, mark(sequence).digest)));
    }
    drop(anchor);
    let mut again = new();
    assert_eq!(known(&mut *again), Some((u64::MAX, mark(u64::MAX).digest)));
    again.forget(&vm("a"), Kind::Tpm).unwrap();
    assert_eq!(known(&mut *again), None);
    again.forget(&vm("a"), Kind::Tpm).unwrap();
}

fn knows_its_own(new: New<'_>, traits: Traits) {
    let mut anchor = new();
    anchor.advance(&vm("a"), Kind::Tpm, mark(5)).unwrap();
    for (name, kind) in [("b", Kind::Tpm), ("a", Kind::Nvram)] {
        let other = anchor.read(&vm(name), kind);
        if traits.many {
            assert_eq!(other.unwrap(), None);
            anchor.advance(&vm(name), kind, mark(6)).unwrap();
            assert_eq!(anchor.read(&vm(name), kind).unwrap().unwrap().sequence, 6);
            anchor.forget(&vm(name), kind).unwrap();
        } else {
            assert!(matches!(other, Err(StateError::Anchor { .. })), "{other:?}");
            assert!(anchor.forget(&vm(name), kind).is_err(), "another one's is not removed");
        }
    }
    assert_eq!(anchor.read(&vm("a"), Kind::Tpm).unwrap().unwrap().sequence, 5);
    anchor.forget(&vm("a"), Kind::Tpm).unwrap();
}

/// A place with a state, of which copies can be made and put back.
#[derive(Default)]
struct Place(Arc<Mutex<MemoryCell>>);

impl Place {
    fn store(&self, anchor: Option<Box<dyn Anchor>>, accept: Option<&str>) -> Store {
        let accept_rollback = accept.map(str::to_owned);
        let settings = Settings { vm: Some(vm("a")), history: 4, accept_rollback, ..Settings::new(Kind::Tpm) };
        let store = Store::new(Box::new(Memory::on(Arc::clone(&self.0))), None, settings);
        match anchor {
            Some(anchor) => store.with_anchor(anchor),
            None => store,
        }
    }

    fn copy(&self) -> MemoryCell {
        self.0.lock().unwrap().clone()
    }

    fn put_back(&self, copy: &MemoryCell) {
        *self.0.lock().unwrap() = copy.clone();
    }
}

/// A new state with one generation.
fn made(place: &Place, new: New<'_>) -> Store {
    let mut store = place.store(Some(new()), None);
    store.lock().unwrap();
    assert!(matches!(store.load(), Err(StateError::Missing { trace: None, .. })));
    store.create(b"0", "new").unwrap();
    store
}

fn commit(store: &mut Store, times: u8) {
    (0..times).for_each(|n| drop(store.commit(&[n; 20]).unwrap()));
}

fn opened(place: &Place, new: New<'_>) -> Store {
    let mut store = place.store(Some(new()), None);
    store.lock().unwrap();
    store.load().unwrap();
    store
}

fn end(new: New<'_>) {
    new().forget(&vm("a"), Kind::Tpm).unwrap();
}

/// What the last writer left is taken, whether it ended in order or not, and however far it had gone.
fn the_newest_state_is_taken(new: New<'_>) {
    let place = Place::default();
    for (commits, in_order) in
        [(0, true), (0, false), (2, true), (2, false), (30, false), (30, true), (1, false), (30, false)]
    {
        let mut store = if place.copy().journal.is_none() { made(&place, new) } else { opened(&place, new) };
        commit(&mut store, commits);
        if in_order {
            store.settle().unwrap();
        }
        // Without `unlock`, which would tell the anchor too: as after a crash.
        drop(store);
        opened(&place, new);
    }
    end(new);
}

fn an_older_state_is_refused(new: New<'_>) {
    let place = Place::default();
    let mut store = made(&place, new);
    commit(&mut store, 2);
    let before = place.copy();
    commit(&mut store, 3);
    store.unlock();
    drop(store);
    let newest = place.copy();
    place.put_back(&before);
    let mut older = place.store(Some(new()), None);
    match older.load() {
        Err(StateError::RolledBack { found, expected, .. }) => assert!(found.sequence < expected.sequence),
        other => panic!("{other:?}"),
    }
    drop(older);
    // The newer one goes on, and makes the next writer's first generation a reason to refuse what was copied before it.
    place.put_back(&newest);
    let mut store = opened(&place, new);
    commit(&mut store, 1);
    drop(store);
    let last = place.copy();
    place.put_back(&newest);
    assert!(matches!(place.store(Some(new()), None).load(), Err(StateError::RolledBack { .. })));
    // Break glass.
    let mut accepted = place.store(Some(new()), Some("the newer one is lost"));
    accepted.lock().unwrap();
    accepted.load().unwrap();
    accepted.commit(b"on").unwrap();
    assert!(accepted.history().unwrap().iter().any(|g| g.reason.contains("the newer one is lost")));
    drop(accepted);
    drop(opened(&place, new));
    place.put_back(&last);
    let refused = place.store(Some(new()), None).load();
    assert!(refused.is_err(), "the line that was given up is refused now: {refused:?}");
    end(new);
}

/// Two copies are run, one of them where the anchor does not hear of it.
fn another_state_is_refused(new: New<'_>) {
    let place = Place::default();
    let mut store = made(&place, new);
    commit(&mut store, 2);
    store.unlock();
    drop(store);
    let copy = Place::default();
    copy.put_back(&place.copy());
    let mut store = opened(&place, new);
    commit(&mut store, 3);
    store.unlock();
    drop(store);
    let mut alone = copy.store(None, None);
    alone.lock().unwrap();
    alone.load().unwrap();
    commit(&mut alone, 3);
    drop(alone);
    place.put_back(&copy.copy());
    assert!(matches!(place.store(Some(new()), None).load(), Err(StateError::Forked { .. })));
    end(new);
}

/// The same, and the copy has gone on so far that nothing is kept that both have.
fn what_went_on_alone_is_refused(new: New<'_>) {
    let place = Place::default();
    let mut store = made(&place, new);
    commit(&mut store, 2);
    store.unlock();
    drop(store);
    let copy = Place::default();
    copy.put_back(&place.copy());
    let mut store = opened(&place, new);
    commit(&mut store, 40);
    drop(store);
    let mut alone = copy.store(None, None);
    alone.lock().unwrap();
    alone.load().unwrap();
    commit(&mut alone, 90);
    drop(alone);
    place.put_back(&copy.copy());
    assert!(matches!(place.store(Some(new()), None).load(), Err(StateError::Unanchored { .. })));
    end(new);
}

/// A state from before the anchor: taken, or refused until somebody says that it is the right one.
fn an_unknown_state(new: New<'_>) {
    let place = Place::default();
    let mut store = place.store(None, None);
    store.lock().unwrap();
    store.create(b"0", "new").unwrap();
    commit(&mut store, 2);
    drop(store);
    let anchor = new();
    let (adopts, slow) = (anchor.adopts(), matches!(anchor.pace(), Pace::Writer(_)));
    drop(anchor);
    let mut store = place.store(Some(new()), None);
    store.lock().unwrap();
    let taken = store.load();
    if adopts {
        taken.unwrap();
    } else {
        assert!(matches!(taken, Err(StateError::Unanchored { .. })), "{taken:?}");
        drop(store);
        store = place.store(Some(new()), Some("the first start with an anchor"));
        store.lock().unwrap();
        store.load().unwrap();
    }
    commit(&mut store, 1);
    assert_eq!(slow, store.head().unwrap().epoch > 2, "epochs of writers with a slow anchor are far apart");
    drop(store);
    opened(&place, new);
    end(new);
}
