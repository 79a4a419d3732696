//! The store: one state of one VM, on a back end.

mod chain;
#[cfg(test)]
mod golden;
mod open;
mod order;
mod remember;
mod rotate;
#[cfg(test)]
mod rotate_tests;
#[cfg(test)]
mod tests;

use crate::anchor::Anchor;
use crate::backend::Backend;
use crate::error::{Mark, StateError};
use crate::format::header::Header;
use crate::format::scan::Entry;
use crate::generation::{Content, Generation};
use crate::identity::{DataKeyId, Digest, Kind, VmId};
use crate::key::{DataKey, KeyContext, KeyManager, WrappedKey};
use crate::lease::Lease;
use crate::seal::Sealer;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// What a store keeps, and how much of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is kept.
    pub kind: Kind,
    /// Whose it is. `None` takes whatever VM the state says, and makes up a name for a new one.
    pub vm: Option<VmId>,
    /// How many states are kept, the newest included. At least 1.
    pub history: usize,
    /// The reason to go on with a state that is older than the anchor knows, or another one.
    pub accept_rollback: Option<String>,
    /// Asked before a state is opened that an order was left for ([`Store::set_order`]): whether it may be used all the
    /// same, or why not.
    pub permits: fn(&[u8]) -> Result<(), String>,
}

fn permits_none(_: &[u8]) -> Result<(), String> {
    Err("an order stands that this program does not know".to_owned())
}

impl Settings {
    /// The usual settings for this kind, of whatever VM: 16 TPM states, or 4 sets of UEFI variables.
    pub fn new(kind: Kind) -> Self {
        let history = match kind {
            Kind::Tpm => 16,
            Kind::Nvram => 4,
        };
        Self { kind, vm: None, history, accept_rollback: None, permits: permits_none }
    }
}

/// A data key in use. Everything in it is wiped when dropped.
pub(crate) struct Secret {
    key: DataKey,
    id: DataKeyId,
    sealer: Sealer,
    wrapped: WrappedKey,
}

/// What is known about the journal while it is open.
pub(crate) struct Journal {
    header: Header,
    entries: Vec<Entry>,
    end: u64,
    /// Where the room ends.
    limit: u64,
    /// What is behind the end cannot be trusted: the journal is replaced before the next write.
    doubt: bool,
    /// Digest of the newest state's content.
    content: Digest,
    /// What the anchor knew, if it must be overruled: a mark, or nothing.
    overruled: Option<Option<Mark>>,
}

/// A state with its history. One generation is written at a time, each durable before [`Store::commit`] returns.
pub struct Store {
    backend: Box<dyn Backend>,
    keys: Option<Arc<dyn KeyManager>>,
    anchor: Option<Box<dyn Anchor>>,
    settings: Settings,
    secret: Option<Secret>,
    /// A data key for a state that does not exist yet, and the name of its VM.
    prepared: Option<(VmId, Secret)>,
    journal: Option<Journal>,
    /// The epoch of this writer; 0 before its first write.
    epoch: u64,
    /// What the anchor was told last by this writer, and when.
    told: Option<(Mark, std::time::Instant)>,
}

impl Store {
    /// A store that is not read yet. With a key manager the state is sealed, and an unsealed one refused.
    pub fn new(backend: Box<dyn Backend>, keys: Option<Arc<dyn KeyManager>>, settings: Settings) -> Self {
        Self {
            backend,
            keys,
            anchor: None,
            settings,
            secret: None,
            prepared: None,
            journal: None,
            epoch: 0,
            told: None,
        }
    }

    /// Has every generation remembered by `anchor`, and refuses states that do not fit what it remembers.
    pub fn with_anchor(mut self, anchor: Box<dyn Anchor>) -> Self {
        self.anchor = Some(anchor);
        self
    }

    /// The place, for messages.
    pub fn place(&self) -> String {
        self.backend.place()
    }

    /// Becomes the one writer, or says who is. If the state was read before, it is read again, and must be the one that
    /// was left, or another one with the same content (as a destination of a migration writes it that gives up).
    pub fn lock(&mut self) -> Result<(), StateError> {
        if self.backend.is_locked() {
            return Ok(());
        }
        self.backend.lock()?;
        let Some(before) = self.journal.take() else { return Ok(()) };
        let (left, content) = (before.head().map(mark), before.content);
        self.epoch = 0;
        let again = self.load().and_then(|()| {
            let found = self.journal()?;
            match (left, found.head().map(mark)) {
                (Some(expected), Some(found_mark)) if expected != found_mark && found.content != content => {
                    Err(StateError::Changed {
                        place: self.place(),
                        expected: expected.into(),
                        found: found_mark.into(),
                    })
                }
                _ => Ok(()),
            }
        });
        if again.is_err() {
            // What was left is not forgotten: the next try is held against it too.
            self.journal = Some(before);
            self.backend.unlock();
        }
        again
    }

    /// Forgets what was read, unless this is the one writer: whoever has no older content in memory may go on with whatever
    /// is there. The data key is kept, so that the key manager need not be asked for it again.
    pub fn forget(&mut self) {
        if !self.backend.is_locked() {
            self.journal = None;
            self.epoch = 0;
        }
    }

    /// Lets another one write. What is known about the state is kept, to compare with when the lock is taken again.
    pub fn unlock(&mut self) {
        if self.backend.is_locked() && self.journal.as_ref().is_some_and(|j| j.doubt) {
            // The remains of a write that failed should not be found by whoever comes next.
            let _ = self.rewrite(None);
        }
        // If this fails, less is noticed later; there is nobody left to tell.
        let _ = self.settle();
        self.backend.unlock();
    }

    /// True while this is the one writer.
    pub fn is_locked(&self) -> bool {
        self.backend.is_locked()
    }

    /// True once [`Store::load`] or [`Store::create`] succeeded.
    pub fn is_open(&self) -> bool {
        self.journal.is_some()
    }

    /// True if the state is, or will be, sealed.
    pub fn is_sealed(&self) -> bool {
        self.keys.is_some() || self.secret.is_some()
    }

    /// Who holds the lock, or wrote last, as far as it left a note.
    pub fn lease(&mut self) -> Option<Lease> {
        self.backend.lease()
    }

    /// Whose state this is.
    pub fn vm(&self) -> Option<&VmId> {
        self.journal.as_ref().map(|j| &j.header.vm).or(self.settings.vm.as_ref())
    }

    /// What the present data key is for; `None` if the state is not open or not sealed.
    pub fn key_context(&self) -> Option<KeyContext> {
        let header = &self.journal.as_ref()?.header;
        let data_key = header.sealing.as_ref()?.key;
        Some(KeyContext { vm: header.vm.clone(), kind: header.kind, data_key })
    }

    /// True if `proof` is what [`DataKey::prove`] gives for `message` under the present data key.
    pub fn is_proof(&self, message: &[u8], proof: &[u8]) -> bool {
        let expected = self.secret.as_ref().map(|secret| secret.key.prove(message));
        expected.is_some_and(|expected| bool::from(expected.ct_eq(proof)))
    }

    /// The wrapped data key as it is stored.
    pub fn wrapped_key(&self) -> Option<&WrappedKey> {
        self.journal.as_ref().and_then(|j| j.header.sealing.as_ref()).map(|s| &s.wrapped)
    }

    /// Wipes the data key from memory. Nothing can be read or written until it is loaded again.
    pub fn wipe(&mut self) {
        self.secret = None;
        self.prepared = None;
        self.journal = None;
        self.keys = None;
    }

    fn journal(&self) -> Result<&Journal, StateError> {
        self.journal
            .as_ref()
            .ok_or_else(|| StateError::NotOpen { place: self.backend.place(), what: "it was not read" })
    }

    fn sealer(&self) -> Option<&Sealer> {
        self.secret.as_ref().map(|s| &s.sealer)
    }
}

impl Journal {
    /// The newest record.
    fn newest(&self) -> Option<&Generation> {
        self.entries.last().map(|e| &e.generation)
    }

    /// The newest state.
    fn head(&self) -> Option<&Generation> {
        self.state_entry().map(|e| &e.generation)
    }

    fn state_entry(&self) -> Option<&Entry> {
        self.entries.iter().rev().find(|e| e.generation.content == Content::State)
    }

    /// The volatile state, if there is one.
    fn volatile_entry(&self) -> Option<&Entry> {
        let last = self.entries.iter().rev().find(|e| e.generation.content != Content::State);
        last.filter(|e| e.generation.content == Content::Volatile)
    }
}

fn mark(generation: &Generation) -> Mark {
    Mark { sequence: generation.sequence, digest: generation.digest, epoch: generation.epoch }
}
