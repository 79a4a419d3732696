//! Writing: the next generation, as an appended record, or with a new journal that holds the kept ones and it.

use super::{Journal, Store, mark};
use crate::error::{Mark, StateError};
use crate::format::header::{Header, Sealing};
use crate::format::scan::Entry;
use crate::format::{BLOCK, blocks, record};
use crate::generation::{Content, Generation};
use crate::identity::{DataKeyId, Digest};
use crate::lease::{Holder, Lease};

/// Room that a new journal has for more records like the last, for each one that it begins with: a young journal is short,
/// as each start reads it all, and one with its full history is seldom copied...
const ROOM: u64 = 8;
/// ...for at least and at most so many...
const ROOM_RECORDS: (u64, u64) = (16, 128);
/// ...but not more than this, unless four records need more.
const MOST_ROOM: u64 = 512 * 1024;

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

impl Store {
    /// Makes the first generation. There must be no state; whether a lost one may be given up is the caller's to decide,
    /// by what [`Store::load`] said.
    pub fn create(&mut self, content: &[u8], reason: &str) -> Result<Generation, StateError> {
        if self.backend.open()?.is_some() {
            return Err(StateError::Exists { place: self.place(), kind: self.settings.kind });
        }
        let vm = match &self.prepared {
            Some((vm, _)) => vm.clone(),
            None => self.name()?,
        };
        // A new chain goes on above what an anchor knows of an old one, or the anchor would refuse it.
        let known = match &mut self.anchor {
            Some(anchor) => anchor.read(&vm, self.settings.kind)?,
            None => None,
        };
        self.secret = match (self.prepared.take(), self.keys.clone()) {
            (Some((_, secret)), _) => Some(secret),
            (None, Some(keys)) => Some(self.new_secret(&*keys, &vm)?),
            (None, None) => None,
        };
        let mut journal = Journal {
            header: Header { vm: vm.clone(), kind: self.settings.kind, area: 0, sealing: None },
            entries: Vec::new(),
            end: 0,
            limit: 0,
            doubt: true,
            content: Digest::NONE,
            overruled: None,
        };
        journal.header.sealing = self.secret.as_ref().map(sealing);
        self.journal = Some(journal);
        let made = self.write(Content::State, content, reason, known.map_or(0, |m| m.sequence));
        if made.is_err() {
            self.journal = None;
            // What the failed write left was never a state of anybody.
            let _ = self.backend.remove();
            self.prepared = self.secret.take().map(|secret| (vm, secret));
        }
        made
    }

    /// Makes the next state durable. When this returns, it survives; when it fails, nothing has changed.
    pub fn commit(&mut self, content: &[u8]) -> Result<Generation, StateError> {
        self.commit_because(content, "")
    }

    /// As [`Store::commit`], with a reason for the history.
    pub fn commit_because(&mut self, content: &[u8], reason: &str) -> Result<Generation, StateError> {
        self.write(Content::State, content, reason, 0)
    }

    /// Stores a volatile state beside the newest state.
    pub fn store_volatile(&mut self, content: &[u8]) -> Result<Generation, StateError> {
        self.write(Content::Volatile, content, "", 0)
    }

    /// Removes the volatile state, if there is one.
    pub fn remove_volatile(&mut self) -> Result<(), StateError> {
        if self.has_volatile() {
            self.write(Content::NoVolatile, &[], "", 0)?;
        }
        Ok(())
    }

    /// Makes the content of an older generation the newest state, with the reason in the history. A volatile state does
    /// not belong to it, and is removed.
    pub fn restore(&mut self, sequence: u64, reason: &str) -> Result<Generation, StateError> {
        let content = self.state_at(sequence)?;
        self.remove_volatile()?;
        self.commit_because(&content, &format!("restored from generation {sequence}: {reason}"))
    }

    /// Removes the state for good.
    pub fn remove(&mut self) -> Result<(), StateError> {
        self.backend.remove()?;
        self.journal = None;
        self.secret = None;
        Ok(())
    }

    /// Takes an epoch above all that were seen, once, before the first write; and records an accepted rollback.
    pub(super) fn begin(&mut self) -> Result<(), StateError> {
        if !self.backend.is_locked() {
            return Err(StateError::NotOpen { place: self.place(), what: "writing without the lock" });
        }
        if self.epoch == 0 {
            let noted = self.backend.lease();
            let newest = self.journal()?.newest().map_or(0, |g| g.epoch);
            let epoch = noted.as_ref().map_or(0, |l| l.epoch).max(newest).saturating_add(self.epoch_step()?);
            // While the first state is made there is none to be missed yet.
            let present = self.journal()?.newest().is_some();
            self.backend.claim(&Lease { epoch, present, holder: Some(Holder::here()) })?;
            self.epoch = epoch;
        }
        let overruled = self.journal()?.overruled;
        if let (Some(known), Some(reason)) = (overruled, self.settings.accept_rollback.clone()) {
            let content = self.state()?;
            if let Some(journal) = &mut self.journal {
                journal.overruled = None;
            }
            let found = self.head().map(mark).map_or(String::new(), |m| m.to_string());
            let (above, known) = known.map_or((0, "nothing".to_owned()), |known| (known.sequence, known.to_string()));
            let reason = format!("rollback accepted: {reason} (found {found}, known {known})");
            let written = self.write_begun(Content::State, &content, shorten(&reason), above);
            if let (Err(_), Some(journal)) = (&written, &mut self.journal) {
                journal.overruled = overruled;
            }
            written?;
        }
        Ok(())
    }

    fn write(&mut self, content: Content, bytes: &[u8], reason: &str, above: u64) -> Result<Generation, StateError> {
        self.begin()?;
        self.write_begun(content, bytes, reason, above)
    }

    /// Writes one generation with a sequence number above `above`.
    fn write_begun(
        &mut self,
        content: Content,
        bytes: &[u8],
        reason: &str,
        above: u64,
    ) -> Result<Generation, StateError> {
        let (mut generation, frame) = self.next(content, bytes, reason, above)?;
        self.put(&generation, &frame)?;
        if content == Content::State
            && let Some(journal) = &mut self.journal
        {
            journal.content = Digest::of(&[bytes]);
        }
        generation.reason = reason.to_owned();
        Ok(generation)
    }

    /// The next generation and its frame.
    fn next(
        &self,
        content: Content,
        bytes: &[u8],
        reason: &str,
        above: u64,
    ) -> Result<(Generation, Vec<u8>), StateError> {
        let journal = self.journal()?;
        let newest = journal.newest();
        let mut generation = Generation {
            vm: journal.header.vm.clone(),
            kind: journal.header.kind,
            content,
            epoch: self.epoch,
            sequence: newest.map_or(0, |g| g.sequence).max(above).saturating_add(1),
            time: crate::lease::now(),
            parent: newest.map_or(Digest::NONE, |g| g.digest),
            digest: Digest::NONE,
            was: Digest::NONE,
            key: self.secret.as_ref().map_or(DataKeyId::NONE, |s| s.id),
            size: 0,
            reason: reason.to_owned(),
        };
        let frame = record::encode(&mut generation, self.sealer(), bytes)?;
        Ok((generation, frame))
    }

    /// Makes a frame durable: behind the others if there is room and nothing is in doubt, else with a new journal. Then
    /// tells the anchor.
    fn put(&mut self, generation: &Generation, frame: &[u8]) -> Result<(), StateError> {
        let journal = self.journal()?;
        let (at, doubt) = (journal.end, journal.doubt);
        let fits = at.saturating_add(wide(frame.len())) <= journal.limit;
        let before = (journal.entries.len(), at);
        let mut appended = false;
        if fits && !doubt {
            match self.backend.append(at, frame) {
                Ok(()) => appended = true,
                Err(fault @ (StateError::Fenced { .. } | StateError::Locked { .. } | StateError::NotOpen { .. })) => {
                    return Err(fault);
                }
                // The disk may refuse this file and take another one. What the failed write left is in doubt.
                Err(_) => self.set_doubt(),
            }
        }
        if appended {
            let entry = Entry { at, length: frame.len(), generation: generation.clone() };
            if let Some(journal) = &mut self.journal {
                journal.entries.push(entry);
                journal.end = at.saturating_add(wide(frame.len()));
            }
        } else if let Err(fault) = self.rewrite(Some((generation, frame))) {
            self.set_doubt();
            self.backend.discard(at, frame.len());
            return Err(fault);
        }
        if let Err(fault) = self.tell(generation) {
            self.take_back(before, appended, frame.len());
            return Err(fault);
        }
        Ok(())
    }

    /// The anchor did not take the newest generation, so it does not count: nothing has changed.
    fn take_back(&mut self, (entries, at): (usize, u64), appended: bool, length: usize) {
        self.set_doubt();
        if let Some(journal) = &mut self.journal {
            journal.entries.pop();
            if appended {
                journal.entries.truncate(entries);
                journal.end = at;
            } else {
                journal.end = journal.end.saturating_sub(wide(length));
            }
        }
        let end = self.journal.as_ref().map_or(0, |j| j.end);
        self.backend.discard(end, length);
    }

    pub(super) fn set_doubt(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.doubt = true;
        }
    }

    /// The records to keep, oldest first: so many states and what is between them, but not without end. If the newest state
    /// or the volatile state is older, it is kept as the first record.
    fn kept(&self, more: Option<&Generation>, history: usize) -> Result<Vec<Entry>, StateError> {
        let journal = self.journal()?;
        let is_state = |g: &Generation| g.content == Content::State;
        let newer = more.is_some_and(is_state);
        let mut left = history.max(1).saturating_sub(usize::from(newer));
        let most = history.saturating_mul(4).saturating_add(8);
        let mut kept: Vec<Entry> = Vec::new();
        for entry in journal.entries.iter().rev().take(most) {
            if left == 0 {
                break;
            }
            left = left.saturating_sub(usize::from(is_state(&entry.generation)));
            kept.push(entry.clone());
        }
        let state = journal.state_entry().filter(|_| !newer);
        let volatile = journal.volatile_entry().filter(|_| more.is_none_or(is_state));
        for needed in [volatile, state].into_iter().flatten() {
            if !kept.iter().any(|e| e.at == needed.at) {
                kept.push(needed.clone());
            }
        }
        kept.sort_by_key(|e| e.at);
        Ok(kept)
    }

    /// Writes a new journal with the kept records and one more, in the place of the old one.
    pub(super) fn rewrite(&mut self, more: Option<(&Generation, &[u8])>) -> Result<(), StateError> {
        let mut history = self.settings.history.max(1);
        let capacity = self.backend.capacity();
        let (kept, used) = loop {
            let kept = self.kept(more.map(|(g, _)| g), history)?;
            let frames: u64 = kept.iter().map(|e| wide(e.length)).sum();
            let used =
                frames.saturating_add(wide(more.map_or(0, |(_, f)| f.len()))).saturating_add(self.header_room()?);
            // A small device keeps fewer generations, but has room for one more.
            if used.saturating_add(used / 4) <= capacity || history == 1 {
                break (kept, used);
            }
            history /= 2;
        };
        let mut frames = Vec::with_capacity(kept.len().saturating_add(1));
        for entry in kept {
            let frame = self.backend.read_at(entry.at, entry.length)?;
            let good = record::decode(&frame).is_some_and(|(r, _)| r.generation.digest == entry.generation.digest);
            if !good {
                let why = format!("generation {} has changed on the disk", entry.generation.sequence);
                return Err(StateError::Damaged { place: self.place(), why });
            }
            frames.push((entry.generation, frame));
        }
        if let Some((generation, frame)) = more {
            frames.push((generation.clone(), frame.to_vec()));
        }
        let last = frames.last().map_or(BLOCK, |(_, f)| f.len());
        let records = wide(frames.len()).saturating_mul(ROOM).clamp(ROOM_RECORDS.0, ROOM_RECORDS.1);
        let room = wide(last).saturating_mul(records).min(MOST_ROOM.max(wide(last).saturating_mul(4)));
        self.install(&frames, used.saturating_add(room).min(capacity))
    }

    /// Puts a journal of these frames in the place of the old one, with the present header and key.
    pub(super) fn install(&mut self, frames: &[(Generation, Vec<u8>)], limit: u64) -> Result<(), StateError> {
        let place = self.place();
        let mut header = self.journal()?.header.clone();
        header.area = if self.backend.reserves() { limit } else { 0 };
        header.sealing = self.secret.as_ref().map(sealing);
        let encoded = header.encode(self.sealer());
        let too_large =
            StateError::TooLarge { what: "a wrapped key", size: usize::MAX, most: crate::key::WrappedKey::MAX };
        let mut bytes = encoded.ok_or(too_large)?;
        // At once: growing leaves holes in a heap that is there for years.
        bytes.reserve_exact(frames.iter().map(|(_, frame)| frame.len()).sum());
        let mut entries = Vec::with_capacity(frames.len());
        for (generation, frame) in frames {
            entries.push(Entry { at: wide(bytes.len()), length: frame.len(), generation: generation.clone() });
            bytes.extend_from_slice(frame);
        }
        let end = wide(bytes.len());
        if end > self.backend.capacity() {
            let why = format!("it needs {end} bytes and there are {}", self.backend.capacity());
            return Err(StateError::Full { place, why });
        }
        header.area = header.area.max(if self.backend.reserves() { end } else { 0 });
        self.backend.replace(&bytes, header.area)?;
        let first = self.journal()?.entries.is_empty();
        if let Some(journal) = &mut self.journal {
            journal.header = header;
            journal.entries = entries;
            journal.end = end;
            journal.limit = limit.max(end);
            journal.doubt = false;
        }
        if first {
            // The state is durable; that it can be missed from now on is a note beside it.
            let _ = self.backend.claim(&Lease { epoch: self.epoch, present: true, holder: Some(Holder::here()) });
        }
        Ok(())
    }

    fn header_room(&self) -> Result<u64, StateError> {
        let wrapped = self.secret.as_ref().map_or(0, |s| s.wrapped.encode().map_or(0, |w| w.len()));
        Ok(wide(blocks(wrapped.saturating_add(512))))
    }

    /// What an anchor or a replica should know of the newest generation.
    pub fn newest(&self) -> Option<Mark> {
        self.journal.as_ref().and_then(Journal::newest).map(mark)
    }
}

fn sealing(secret: &super::Secret) -> Sealing {
    Sealing { key: secret.id, check: secret.sealer.check(), wrapped: secret.wrapped.clone() }
}

/// A reason cut to what a record takes.
fn shorten(reason: &str) -> &str {
    let mut end = reason.len().min(record::MAX_REASON);
    while !reason.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    reason.get(..end).unwrap_or_default()
}
