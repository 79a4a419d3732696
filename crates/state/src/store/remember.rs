//! The chain and the anchor: what the anchor is told, and whether the chain follows from what it knows.

use super::{Journal, Store, mark};
use crate::anchor::Pace;
use crate::error::{Mark, StateError};
use crate::generation::Generation;
use std::time::Instant;

/// How far the epochs of two copies are apart at least most of the time: an anchor that is told of the first generation of
/// each writer knows the others of that writer by their epoch.
const STEPS: u32 = 1 << 20;

impl Store {
    /// Holds the chain against the anchor. `Some` is what the anchor knew, if it is to be overruled.
    pub(super) fn check_anchor(&mut self, journal: &Journal) -> Result<Option<Option<Mark>>, StateError> {
        let Some(anchor) = &mut self.anchor else { return Ok(None) };
        let known = anchor.read(&journal.header.vm, journal.header.kind)?;
        let (place, name, pace) = (self.backend.place(), anchor.name(), anchor.pace());
        let Some(newest) = journal.newest() else { return Ok(None) };
        let fault = match known {
            None if anchor.adopts() => None,
            None => {
                let why =
                    "it knows no state of this VM. It was never told of one, was cleared, or belongs to another host";
                Some(StateError::Unanchored { place, anchor: name, why: why.to_owned() })
            }
            Some(expected) if newest.sequence < expected.sequence => {
                let (found, expected) = (mark(newest).into(), expected.into());
                Some(StateError::RolledBack { place, anchor: name, found, expected })
            }
            Some(expected) => match descends(journal, &expected, pace) {
                Ok(()) => None,
                Err(Some(other)) => {
                    let (found, expected) = (mark(other).into(), expected.into());
                    Some(StateError::Forked { place, anchor: name, found, expected })
                }
                Err(None) => {
                    let why = format!(
                        "it knows generation {expected}, which is not kept any more: the state has gone on to {} without telling it, or two copies were run",
                        mark(newest)
                    );
                    Some(StateError::Unanchored { place, anchor: name, why })
                }
            },
        };
        match (fault, &self.settings.accept_rollback) {
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Ok(Some(known)),
            (Some(fault), None) => Err(fault),
        }
    }

    /// How far above the epochs that were seen a new writer's is.
    pub(super) fn epoch_step(&self) -> Result<u64, StateError> {
        let slow = self.anchor.as_ref().is_some_and(|anchor| matches!(anchor.pace(), Pace::Writer(_)));
        if !slow {
            return Ok(1);
        }
        let mut random = [0; 4];
        crate::entropy::fill(&mut random)?;
        Ok(u64::from(u32::from_be_bytes(random) % STEPS).saturating_add(2))
    }

    /// Tells the anchor of a new generation, if it wants to hear of it.
    pub(super) fn tell(&mut self, generation: &Generation) -> Result<(), StateError> {
        let Some(anchor) = &self.anchor else { return Ok(()) };
        let due = match (anchor.pace(), &self.told) {
            (Pace::Generation, _) | (_, None) => true,
            (Pace::Writer(again), Some((mark, at))) => {
                mark.epoch != generation.epoch || again.is_some_and(|again| at.elapsed() >= again)
            }
        };
        if due { self.tell_now(generation) } else { Ok(()) }
    }

    /// Tells the anchor of a new generation.
    pub(super) fn tell_now(&mut self, generation: &Generation) -> Result<(), StateError> {
        let Some(anchor) = &mut self.anchor else { return Ok(()) };
        // If it fails it may have been told all the same: then it is told again of what counts.
        self.told = None;
        anchor.advance(&generation.vm, generation.kind, mark(generation))?;
        self.told = Some((mark(generation), Instant::now()));
        Ok(())
    }

    /// Tells the anchor of the newest generation, if it was not told of each: from now on no older one is taken. To be
    /// called when the writer ends, or pauses.
    pub fn settle(&mut self) -> Result<(), StateError> {
        let newest = self.journal.as_ref().and_then(Journal::newest).cloned();
        let Some(newest) = newest.filter(|newest| self.backend.is_locked() && newest.epoch == self.epoch) else {
            return Ok(());
        };
        if self.told.as_ref().is_some_and(|(told, _)| *told == mark(&newest)) { Ok(()) } else { self.tell_now(&newest) }
    }
}

/// Whether a chain follows from a generation that is not newer than its newest. If not: the one with its number, if that is
/// kept.
fn descends<'a>(journal: &'a Journal, known: &Mark, pace: Pace) -> Result<(), Option<&'a Generation>> {
    let mut kept = journal.entries.iter().map(|entry| &entry.generation);
    if let Some(same) = kept.clone().find(|g| g.sequence == known.sequence) {
        return if same.digest == known.digest || same.was == known.digest { Ok(()) } else { Err(Some(same)) };
    }
    // It is not kept, but the generation after it is, or one of the same writer.
    let follows = |g: &Generation| {
        let same_writer = matches!(pace, Pace::Writer(_)) && known.epoch != 0 && g.epoch == known.epoch;
        g.parent == known.digest || (same_writer && g.sequence > known.sequence)
    };
    if kept.any(follows) { Ok(()) } else { Err(None) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anchor::Anchor;
    use crate::backend::Memory;
    use crate::identity::{Kind, VmId};
    use crate::store::Settings;
    use core::time::Duration;
    use std::sync::{Arc, Mutex};

    const HOUR: Duration = Duration::from_secs(3600);

    /// What an anchor remembers, how often it was told, and whether its next answer is lost.
    #[derive(Default)]
    struct Memo {
        mark: Option<Mark>,
        told: u32,
        loses: bool,
    }

    struct Slow(Arc<Mutex<Memo>>);

    impl Anchor for Slow {
        fn name(&self) -> String {
            "a slow anchor".to_owned()
        }
        fn read(&mut self, _: &VmId, _: Kind) -> Result<Option<Mark>, StateError> {
            Ok(self.0.lock().unwrap().mark)
        }
        fn advance(&mut self, _: &VmId, _: Kind, mark: Mark) -> Result<(), StateError> {
            let mut memo = self.0.lock().unwrap();
            memo.mark = Some(mark);
            memo.told += 1;
            if core::mem::take(&mut memo.loses) {
                return Err(StateError::Anchor { anchor: self.name(), why: "no answer".to_owned() });
            }
            Ok(())
        }
        fn forget(&mut self, _: &VmId, _: Kind) -> Result<(), StateError> {
            self.0.lock().unwrap().mark = None;
            Ok(())
        }
        fn pace(&self) -> Pace {
            Pace::Writer(Some(HOUR))
        }
    }

    /// A new state, of whose first generation the anchor was told.
    fn made() -> (Store, Arc<Mutex<Memo>>) {
        let memo: Arc<Mutex<Memo>> = Arc::default();
        let mut store = Store::new(Box::new(Memory::on(Arc::default())), None, Settings::new(Kind::Tpm))
            .with_anchor(Box::new(Slow(Arc::clone(&memo))));
        store.lock().unwrap();
        store.create(b"0", "new").unwrap();
        assert_eq!(memo.lock().unwrap().told, 1);
        (store, memo)
    }

    /// An hour passes for what the store knows of its anchor.
    fn wait(store: &mut Store) {
        let (_, at) = store.told.as_mut().unwrap();
        *at = at.checked_sub(HOUR).unwrap();
    }

    #[test]
    fn an_anchor_with_an_interval_is_told_after_each() {
        let (mut store, memo) = made();
        for hour in 2..5 {
            for _ in 0..3 {
                store.commit(b"1").unwrap();
            }
            assert_eq!(memo.lock().unwrap().told, hour - 1, "within the interval");
            wait(&mut store);
            let newest = store.commit(b"2").unwrap();
            assert_eq!(memo.lock().unwrap().told, hour, "after it");
            assert_eq!(memo.lock().unwrap().mark, Some(mark(&newest)));
        }
    }

    #[test]
    fn an_anchor_whose_answer_was_lost_is_told_of_what_counts() {
        let (mut store, memo) = made();
        let newest = store.commit(b"1").unwrap();
        wait(&mut store);
        memo.lock().unwrap().loses = true;
        store.commit(b"2").unwrap_err();
        assert_ne!(memo.lock().unwrap().mark, Some(mark(&newest)), "it has taken what does not count");
        store.unlock();
        assert_eq!(memo.lock().unwrap().mark, Some(mark(&newest)));
        store.load().unwrap();
    }
}
