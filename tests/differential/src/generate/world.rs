//! What the generator remembers of one TPM.

use super::policy::Recipe;
use crate::codes::*;
use crate::session::{Session, Use};
use crate::tpm::{Call, Reply, Tpm};
use crate::wire::{In, Out, Random};
use std::collections::BTreeMap;

/// Anything with a handle and an authorization value.
#[derive(Clone, Debug)]
pub(super) struct Entity {
    pub(super) handle: u32,
    pub(super) auth: Vec<u8>,
    pub(super) policy: Option<Recipe>,
    /// A public area alone: libtpms 0.9.2 fails for good when a session asks for its authorization value.
    pub(super) public_only: bool,
}

impl Entity {
    /// An entity with this authorization value and no policy.
    pub(super) fn new(handle: u32, auth: &[u8]) -> Self {
        Self { handle, auth: auth.to_vec(), policy: None, public_only: false }
    }
}

/// A loaded or persistent object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    /// Number in this sequence: parents are known by it.
    pub(super) id: usize,
    pub(super) entity: Entity,
    pub(super) kind: u16,
    pub(super) attributes: u32,
    /// TPMT_PUBLIC.
    pub(super) public: Vec<u8>,
    /// The parent's id; 0 for primary and external objects.
    pub(super) parent: usize,
    /// True if the test knows its secrets: what it makes is the same on every TPM.
    pub(super) known: bool,
    /// creationHash and ticket, if it was made by Create or CreatePrimary.
    pub(super) creation: Option<(Vec<u8>, Vec<u8>)>,
}

impl Object {
    /// True if it can have children.
    pub(super) fn is_parent(&self) -> bool {
        self.attributes & (RESTRICTED | KEY_DECRYPT) == RESTRICTED | KEY_DECRYPT
    }
}

/// What TPM2_Create gave.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) private: Vec<u8>,
    pub(super) object: Object,
}

/// A saved context: of an object, or of a session.
#[derive(Clone, Debug)]
pub(super) enum Saved {
    Object(Vec<u8>, Object),
    Session(Vec<u8>, u32, Option<Session>),
}

/// An NV Index.
#[derive(Clone, Debug)]
pub(super) struct Index {
    pub(super) entity: Entity,
    pub(super) attributes: u32,
    pub(super) size: u16,
}

/// The generator's memory, and the TPM that it is about.
pub(super) struct World<'a> {
    pub(super) t: &'a mut Tpm,
    pub(super) r: Random,
    number: usize,
    next_id: usize,
    pub(super) objects: Vec<Object>,
    pub(super) made: Vec<Made>,
    pub(super) saved: Vec<Saved>,
    pub(super) sessions: Vec<u32>,
    pub(super) persistent: Vec<Object>,
    pub(super) indexes: Vec<Index>,
    pub(super) hierarchies: BTreeMap<u32, Entity>,
    /// Digests that policies with these steps gave.
    pub(super) recipes: Vec<Recipe>,
    /// Tickets for PolicyTicket: timeout, policyRef, name and ticket.
    pub(super) tickets: Vec<Out>,
}

impl<'a> World<'a> {
    pub(super) fn new(t: &'a mut Tpm, seed: u64) -> Self {
        let all = [RH_OWNER, RH_ENDORSEMENT, RH_PLATFORM, RH_LOCKOUT, RH_NULL];
        let entity = |handle| (handle, Entity::new(handle, b""));
        Self {
            t,
            r: Random(seed.wrapping_mul(0x2545_F491_4F6C_DD1D)),
            number: 0,
            next_id: 0,
            objects: Vec::new(),
            made: Vec::new(),
            saved: Vec::new(),
            sessions: Vec::new(),
            persistent: Vec::new(),
            indexes: Vec::new(),
            hierarchies: all.into_iter().map(entity).collect(),
            recipes: Vec::new(),
            tickets: Vec::new(),
        }
    }

    /// How many commands were sent.
    pub(super) fn steps(&self) -> usize {
        self.number
    }

    /// False once the daemon is gone.
    pub(super) fn alive(&self) -> bool {
        self.t.lost.is_none()
    }

    /// A new number for an object.
    pub(super) fn id(&mut self) -> usize {
        self.next_id += 1;
        self.next_id
    }

    /// True in `percent` of a hundred cases.
    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.r.below(100) < percent
    }

    /// One of `all`, copied.
    pub(super) fn one<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        if all.is_empty() { None } else { Some(self.r.pick(all).clone()) }
    }

    /// One of `all`, which is never empty.
    pub(super) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        *self.r.pick(all)
    }

    /// A hierarchy with what is known of it.
    pub(super) fn hierarchy(&self, handle: u32) -> Entity {
        self.hierarchies.get(&handle).cloned().unwrap_or(Entity::new(handle, b""))
    }

    /// One command.
    pub(super) fn call(&mut self, name: &'static str, handles: &[u32], uses: Vec<Use>, parameters: Out) -> Reply {
        // Slots that libtpms needs for persistent objects: without them it answers TPM_RC_OBJECT_MEMORY, and we do not.
        let copies = handles.iter().filter(|h| *h >> 24 == 0x81).count();
        let own = usize::from(matches!(name, "Create" | "CreateLoaded" | "Load" | "MAC_Start"));
        if copies != 0 && self.objects.len() + copies + own > 3 {
            return Reply { rc: u32::MAX, ..Reply::default() };
        }
        self.number += 1;
        let label = format!("step {}", self.number);
        let call = Call { name, handles: handles.to_vec(), uses, parameters: parameters.0 };
        self.t.fixed =
            self.objects.iter().chain(&self.persistent).filter(|o| o.known).map(|o| o.entity.handle).collect();
        let reply = self.t.call(&label, call);
        // A slot's number may be another one on the other side: libtpms uses slots for persistent objects too.
        if let Some(step) = self.t.steps.last_mut() {
            // Clock becomes safe some seconds after a loss of power: whether it is yet depends on the machine's load.
            step.fields.retain(|f| f.0 != "attest.safe");
            for (field, value) in &mut step.fields {
                match field.as_str() {
                    "attest.time.counts" => value.truncate(16),
                    "clockInfo" => value.truncate(value.find(" safe").unwrap_or(value.len())),
                    _ => {}
                }
                if field == "handle" && value.starts_with("0x80") {
                    value.truncate(4);
                }
            }
        }
        let open = &self.t.sessions;
        self.sessions.retain(|s| open.contains_key(s));
        reply
    }

    /// A command without sessions.
    pub(super) fn bare(&mut self, name: &'static str, handles: &[u32], parameters: Out) -> Reply {
        self.call(name, handles, Vec::new(), parameters)
    }

    /// A step on the control channel.
    pub(super) fn control(&mut self, operation: impl FnOnce(&mut dyn crate::daemon::Machine) -> std::io::Result<u32>) {
        self.number += 1;
        let label = format!("step {}", self.number);
        self.t.control(&label, operation);
    }

    /// Leaves fields out of the last answer: those which depend on what a TPM chose at random.
    pub(super) fn forget_fields(&mut self, names: &[&str]) {
        if let Some(step) = self.t.steps.last_mut() {
            step.fields.retain(|f| !names.iter().any(|n| f.0.starts_with(n)));
        }
    }

    /// The handles that this TPM has from `first` on, asked without a record.
    fn handles(&mut self, first: u32) -> Vec<u32> {
        let command = Out::new().u16(ST_NO_SESSIONS).u32(22).u32(0x17A).u32(1).u32(first).u32(254);
        let response = self.t.quiet(&command.0);
        let mut input = In(response.get(15..).unwrap_or(&[]));
        let count = input.u32().unwrap_or(0);
        (0..count).filter_map(|_| input.u32()).collect()
    }

    /// Forgets what is not there any more, after commands that remove things by the way.
    pub(super) fn look_around(&mut self) {
        let (transient, persistent, nv) =
            (self.handles(0x8000_0000), self.handles(0x8100_0000), self.handles(0x0100_0000));
        let loaded = self.handles(0x0200_0000);
        self.objects.retain(|o| transient.contains(&o.entity.handle));
        self.persistent.retain(|o| persistent.contains(&o.entity.handle));
        self.indexes.retain(|i| nv.contains(&i.entity.handle));
        self.sessions.retain(|s| loaded.contains(s));
        self.t.sessions.retain(|s, _| loaded.contains(s));
    }

    /// Flushes objects until `free` of the three slots are free.
    pub(super) fn make_room(&mut self, free: usize) {
        while self.objects.len() + free > 3 {
            let at = self.r.below(self.objects.len());
            let object = self.objects.remove(at);
            if self.chance(25) {
                let saved = self.bare("ContextSave", &[object.entity.handle], Out::new());
                if saved.rc == 0 {
                    self.saved.push(Saved::Object(saved.parameters, object.clone()));
                }
            }
            self.bare("FlushContext", &[], Out::new().u32(object.entity.handle));
        }
    }
}
