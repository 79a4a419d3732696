//! Reading: which of the named faults a state has, or that it is good.

use super::{Journal, Secret, Store};
use crate::backend::Stored;
use crate::error::StateError;
use crate::format::header::{Found, Sealing};
use crate::format::view::View;
use crate::format::{record, scan};
use crate::generation::{Content, Generation};
use crate::identity::{DataKeyId, Digest, VmId};
use crate::key::{DataKey, KeyContext, KeyError, KeyManager};
use crate::seal::Sealer;
use zeroize::Zeroizing;

/// How often a state is read that another program is writing.
const READS: u32 = 8;

impl Store {
    /// Reads the state and checks all that can be checked. Needs no lock.
    pub fn load(&mut self) -> Result<(), StateError> {
        self.settled(Self::load_once)
    }

    /// Reads once more what does not fit together, as long as it changes and this is not the one writer: what the writer
    /// appends meanwhile may be seen in parts, and later parts without earlier ones; and its anchor may be ahead of what was
    /// read.
    fn settled<T>(&mut self, read: impl Fn(&mut Self) -> Result<T, StateError>) -> Result<T, StateError> {
        let mut before = None;
        for _ in 1..READS {
            match read(self) {
                Err(
                    fault @ (StateError::Damaged { .. }
                    | StateError::Torn { .. }
                    | StateError::RolledBack { .. }
                    | StateError::Forked { .. }),
                ) if !self.backend.is_locked() => {
                    let now = self.backend.read()?.map(|bytes| Digest::of(&[&bytes]));
                    if before == Some(now) {
                        return Err(fault);
                    }
                    before = Some(now);
                }
                done => return done,
            }
        }
        read(self)
    }

    fn load_once(&mut self) -> Result<(), StateError> {
        let unclean = self.epoch != 0 && self.backend.is_locked() && self.journal.as_ref().is_some_and(|j| j.doubt);
        if unclean && self.rewrite(None).is_err() {
            // What is stored may have the remains of a write that was refused; what is known here has not.
            return Ok(());
        }
        self.journal = None;
        let place = self.place();
        self.obey_orders()?;
        let Some(stored) = self.backend.open()? else { return Err(self.missing()) };
        let found = scan::scan(&place, self.settings.kind, &mut View::new(&mut *self.backend, &stored))?;
        if let Some(vm) = self.settings.vm.as_ref().filter(|vm| **vm != found.header.header.vm) {
            return Err(StateError::Foreign {
                place,
                expected: format!("the {} state of VM {vm}", self.settings.kind),
                found: format!("that of VM {}", found.header.header.vm),
            });
        }
        self.unseal(&found.header)?;
        let key = self.secret.as_ref().map_or(DataKeyId::NONE, |s| s.id);
        if let Some(other) = found.entries.iter().find(|e| e.generation.key != key) {
            let why = format!("generation {} has another data key than its header says", other.generation.sequence);
            return Err(StateError::Damaged { place, why });
        }
        let mut journal = Journal {
            limit: found.header.header.area.max(found.end),
            header: found.header.header,
            entries: found.entries,
            end: found.end,
            doubt: found.torn,
            content: Digest::NONE,
            overruled: None,
        };
        for entry in [journal.state_entry().cloned(), journal.volatile_entry().cloned()].into_iter().flatten() {
            let content = match &stored {
                Stored::Whole(bytes) => {
                    let frame = usize::try_from(entry.at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
                    self.opened(frame, &entry.generation)?
                }
                Stored::Open(_) => self.content(entry.at, entry.length, &entry.generation)?,
            };
            if entry.generation.content == Content::State {
                journal.content = Digest::of(&[&content]);
            }
        }
        journal.overruled = self.check_anchor(&journal)?;
        self.journal = Some(journal);
        Ok(())
    }

    fn broken(&self, generation: &Generation) -> StateError {
        let why = format!("generation {} does not open with its key", generation.sequence);
        StateError::Damaged { place: self.place(), why }
    }

    fn missing(&mut self) -> StateError {
        let (place, kind) = (self.place(), self.settings.kind);
        let mut trace = self.backend.trace();
        if let (None, Some(vm), Some(anchor)) = (&trace, &self.settings.vm, &mut self.anchor) {
            match anchor.read(vm, kind) {
                Ok(Some(mark)) => trace = Some(format!("{} has recorded its generation {mark}", anchor.name())),
                Ok(None) => {}
                Err(fault) => return fault,
            }
        }
        match (&trace, self.backend.other()) {
            (None, Some(other)) => StateError::OtherState { place, kind, other },
            _ => StateError::Missing { place, kind, trace },
        }
    }

    /// Has the data key of a header unwrapped, unless it is in memory already. Then nobody is asked: the header may name a
    /// wrapping key or a manager that is not known here, after a rewrap by another program.
    fn unseal(&mut self, found: &Found) -> Result<(), StateError> {
        let place = self.place();
        let Some(sealing) = &found.header.sealing else {
            return if self.is_sealed() { Err(StateError::NotSealed { place }) } else { Ok(()) };
        };
        let known = self.secret.as_ref().map(|secret| secret.id);
        let fresh = if known == Some(sealing.key) { None } else { Some(self.unwrapped(found, sealing, known)?) };
        let sealer = fresh.as_ref().or(self.secret.as_ref()).map(|secret| &secret.sealer);
        if sealer.is_none_or(|s| s.check() != sealing.check) {
            return Err(StateError::WrongKey { place, why: "the data key does not fit its check value".to_owned() });
        }
        if !sealer.is_some_and(|s| found.is_authentic(s)) {
            return Err(StateError::Damaged {
                place,
                why: "its header was changed by somebody without the key".to_owned(),
            });
        }
        match (fresh, &mut self.secret) {
            (Some(fresh), _) => self.secret = Some(fresh),
            (None, Some(secret)) => secret.wrapped = sealing.wrapped.clone(),
            (None, None) => {}
        }
        Ok(())
    }

    /// The data key of a header, from the key manager. `known` is another one that the state had before.
    fn unwrapped(&self, found: &Found, sealing: &Sealing, known: Option<DataKeyId>) -> Result<Secret, StateError> {
        let place = || self.place();
        let wrapped = &sealing.wrapped;
        let opened = match &self.keys {
            None => Err(StateError::KeyMissing { place: place(), manager: wrapped.manager.clone() }),
            Some(keys) if wrapped.manager != keys.name() => {
                let why = format!("it was wrapped by the key manager {}, given is {}", wrapped.manager, keys.name());
                Err(StateError::WrongKey { place: place(), why })
            }
            Some(keys) => {
                let header = &found.header;
                let context = KeyContext { vm: header.vm.clone(), kind: header.kind, data_key: sealing.key };
                keys.unwrap(&context, wrapped).map_err(|fault| match fault {
                    KeyError::WrongKey { .. } => StateError::WrongKey { place: place(), why: fault.to_string() },
                    fault => fault.into(),
                })
            }
        };
        let key = opened.map_err(|fault| match known {
            None => fault,
            Some(before) => StateError::KeyChanged { place: place(), before, now: sealing.key, why: Box::new(fault) },
        })?;
        Ok(Secret { sealer: Sealer::new(&key), key, id: sealing.key, wrapped: wrapped.clone() })
    }

    /// Has a data key wrapped for the state that [`Store::create`] will make, so that the key manager need not be asked
    /// then, and opens the anchor. It is for programs that cannot reach them later. Nothing is stored.
    pub fn prepare(&mut self) -> Result<(), StateError> {
        if self.prepared.is_none()
            && self.journal.is_none()
            && let Some(keys) = self.keys.clone()
        {
            let vm = self.name()?;
            let secret = self.new_secret(&*keys, &vm)?;
            self.prepared = Some((vm, secret));
        }
        // After the key manager was asked, which may be the same TPM.
        self.anchor.as_mut().map_or(Ok(()), |anchor| anchor.prepare())
    }

    /// The name of the VM of a new state.
    pub(super) fn name(&self) -> Result<VmId, StateError> {
        self.settings.vm.clone().map_or_else(VmId::random, Ok)
    }

    /// A new data key, wrapped.
    pub(super) fn new_secret(&self, keys: &dyn KeyManager, vm: &VmId) -> Result<Secret, StateError> {
        let id = DataKeyId::random()?;
        let key = DataKey::random()?;
        let context = KeyContext { vm: vm.clone(), kind: self.settings.kind, data_key: id };
        let wrapped = keys.wrap(&context, &key)?;
        Ok(Secret { sealer: Sealer::new(&key), key, id, wrapped })
    }

    /// The content of one record.
    pub(super) fn content(
        &mut self,
        at: u64,
        length: usize,
        generation: &Generation,
    ) -> Result<Zeroizing<Vec<u8>>, StateError> {
        let frame = self.backend.read_at(at, length)?;
        self.opened(&frame, generation)
    }

    /// The content of the record in a frame, which has to be this generation's.
    fn opened(&self, frame: &[u8], generation: &Generation) -> Result<Zeroizing<Vec<u8>>, StateError> {
        let content = record::decode(frame)
            .filter(|(record, _)| record.generation.digest == generation.digest)
            .and_then(|(record, _)| record.open(self.sealer()));
        content.ok_or_else(|| self.broken(generation))
    }

    /// The newest state.
    pub fn state(&mut self) -> Result<Zeroizing<Vec<u8>>, StateError> {
        let entry = self.journal()?.state_entry().cloned();
        let entry = entry.ok_or_else(|| StateError::NotOpen { place: self.place(), what: "it has no state" })?;
        self.content(entry.at, entry.length, &entry.generation)
    }

    /// The volatile state, if one is stored.
    pub fn volatile(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, StateError> {
        let entry = self.journal()?.volatile_entry().cloned();
        entry.map(|entry| self.content(entry.at, entry.length, &entry.generation)).transpose()
    }

    /// True if a volatile state is stored.
    pub fn has_volatile(&self) -> bool {
        self.journal.as_ref().is_some_and(|j| j.volatile_entry().is_some())
    }

    /// The generations that are kept, oldest first.
    pub fn history(&self) -> Result<Vec<Generation>, StateError> {
        Ok(self.journal()?.entries.iter().map(|e| e.generation.clone()).collect())
    }

    /// The newest state's generation.
    pub fn head(&self) -> Option<&Generation> {
        self.journal.as_ref().and_then(Journal::head)
    }

    /// The state of a generation that is kept.
    pub fn state_at(&mut self, sequence: u64) -> Result<Zeroizing<Vec<u8>>, StateError> {
        let journal = self.journal()?;
        let mut states = journal.entries.iter().filter(|e| e.generation.content == Content::State);
        let entry = states.clone().find(|e| e.generation.sequence == sequence).cloned();
        let Some(entry) = entry else {
            let first = states.next().map_or(0, |e| e.generation.sequence);
            let last = states.next_back().map_or(first, |e| e.generation.sequence);
            return Err(StateError::NoGeneration { place: self.place(), sequence, kept: format!("{first} to {last}") });
        };
        self.content(entry.at, entry.length, &entry.generation)
    }

    /// The generations that are stored, without their key: nothing is opened or remembered. `None` if there is no state.
    pub fn peek(&mut self) -> Result<Option<Vec<Generation>>, StateError> {
        self.settled(|store| {
            let place = store.place();
            let Some(stored) = store.backend.open()? else { return Ok(None) };
            let found = scan::scan(&place, store.settings.kind, &mut View::new(&mut *store.backend, &stored))?;
            Ok(Some(found.entries.into_iter().map(|e| e.generation).collect()))
        })
    }

    /// Reads everything again, and opens every generation that is kept; returns how many they are.
    pub fn verify(&mut self) -> Result<usize, StateError> {
        self.settled(|store| {
            store.load_once()?;
            let entries = store.journal()?.entries.clone();
            for entry in &entries {
                store.content(entry.at, entry.length, &entry.generation)?;
            }
            Ok(entries.len())
        })
    }
}
