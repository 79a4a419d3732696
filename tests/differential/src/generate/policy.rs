//! Policies: made of random steps in trial sessions, then followed, or nearly so.

use super::world::{Entity, World};
use crate::codes::*;
use crate::session::PolicyAuth;
use crate::table;
use crate::wire::Out;

/// One assertion of a policy. Its effect on the digest is the same on every TPM.
#[derive(Clone, Debug)]
enum Part {
    AuthValue,
    Password,
    Code(u32),
    Locality(u8),
    Pcr(Vec<u8>),
    Presence,
    Secret(u32, Vec<u8>),
    Nv(u32, Vec<u8>, u16),
    NvWritten(u8),
    CounterTimer(u16, u16),
    /// The other branch.
    Or(Vec<u8>, Vec<u8>),
    CpHash(Vec<u8>),
    NameHash(Vec<u8>),
}

/// The steps of a policy and the digest that they gave.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    pub(super) hash: u16,
    parts: Vec<Part>,
    pub(super) digest: Vec<u8>,
}

impl Recipe {
    /// True if it allows nothing but this command.
    pub(super) fn is_for(&self, code: u32) -> bool {
        matches!(self.parts[..], [Part::Code(c)] if c == code)
    }
}

impl World<'_> {
    /// In `percent` of the cases a policy: one that is known already, or a new one.
    pub(super) fn some_policy(&mut self, percent: usize) -> Option<Recipe> {
        if !self.chance(percent) {
            return None;
        }
        let known = self.recipes.clone();
        self.one(&known)
    }

    fn part(&mut self) -> Part {
        match self.r.below(24) {
            0..=3 => Part::AuthValue,
            4..=5 => Part::Password,
            6..=9 => {
                let codes: Vec<u32> = table::commands().keys().copied().filter(|c| *c < 0x199).collect();
                let usual = [0x15Eu32, 0x15D, 0x137, 0x14E, 0x14B, 0x150, 0x148, 0x131, 0x153, 0x157, 0x13B, 0x129];
                Part::Code(if self.chance(80) { self.of(&usual) } else { self.of(&codes) })
            }
            10 => Part::Locality(self.of(&[1u8, 2, 3, 8, 31, 40])),
            11..=12 => Part::Pcr(self.selection().0),
            13 => Part::Presence,
            14..=15 => {
                let reference = self.new_auth();
                Part::Secret(self.of(&[RH_OWNER, RH_ENDORSEMENT, RH_PLATFORM, RH_LOCKOUT, 16]), reference)
            }
            16..=17 => {
                let all: Vec<u32> = self.indexes.iter().map(|i| i.entity.handle).collect();
                let n = self.of(&[1usize, 4, 8]);
                match self.one(&all) {
                    Some(index) => Part::Nv(index, self.r.bytes(n), self.r.below(12) as u16),
                    None => Part::AuthValue,
                }
            }
            18..=19 => Part::NvWritten(self.r.below(2) as u8),
            // Fields that do not depend on when a command runs: resetCount, restartCount.
            20 => Part::CounterTimer(self.of(&[16u16, 20]), self.r.below(12) as u16),
            21 => Part::Or(Vec::new(), self.r.bytes(32)),
            22 => Part::CpHash(self.r.bytes(32)),
            _ => Part::NameHash(self.r.bytes(32)),
        }
    }

    /// Makes a policy in a trial session and remembers it.
    fn make_policy(&mut self) {
        let hash = self.of(&[SHA256, SHA256, SHA256, SHA1, SHA384]);
        let Some(session) = self.new_session(SE_TRIAL, hash) else { return };
        let mut parts = Vec::new();
        let mut more = self.r.below(4);
        if self.chance(40) {
            // For one command: the only way to some.
            let code = self.of(&[0x14B, 0x14B, 0x13B, 0x13B, 0x11F, 0x150, 0x15E, 0x15D]);
            if self.assert(session, &Part::Code(code)) {
                parts.push(Part::Code(code));
            }
            more = 0;
        }
        for _ in 0..more {
            let mut part = self.part();
            if let Part::Or(mine, other) = &mut part {
                *mine = self.digest(session);
                other.resize(mine.len(), 7);
            }
            if self.assert(session, &part) {
                parts.push(part);
            }
        }
        let digest = self.digest(session);
        self.flush_session(session);
        if !digest.is_empty() {
            self.recipes.push(Recipe { hash, parts, digest });
        }
    }

    fn flush_session(&mut self, session: u32) {
        self.sessions.retain(|s| *s != session);
        self.t.sessions.remove(&session);
        self.bare("FlushContext", &[], Out::new().u32(session));
    }

    fn digest(&mut self, session: u32) -> Vec<u8> {
        self.bare("PolicyGetDigest", &[session], Out::new()).sized(0)
    }

    /// Goes through the steps of a policy in a session. `command` is the one that the session is for: a policy that
    /// names another command is followed all the same.
    pub(super) fn follow(&mut self, session: u32, recipe: &Recipe, command: Option<&'static str>) {
        let skip = if command.is_none() { self.r.below(recipe.parts.len() + 1) } else { usize::MAX };
        self.t.policy_auth(session, PolicyAuth::None);
        for (i, part) in recipe.parts.iter().enumerate() {
            if i != skip {
                self.assert(session, part);
            }
        }
    }

    /// One assertion. True if the TPM accepts it.
    fn assert(&mut self, session: u32, part: &Part) -> bool {
        let s = [session];
        let reply = match part {
            Part::AuthValue => self.bare("PolicyAuthValue", &s, Out::new()),
            Part::Password => self.bare("PolicyPassword", &s, Out::new()),
            Part::Code(code) => self.bare("PolicyCommandCode", &s, Out::new().u32(*code)),
            Part::Locality(locality) => self.bare("PolicyLocality", &s, Out::new().u8(*locality)),
            Part::Pcr(select) => self.bare("PolicyPCR", &s, Out::new().u16(0).raw(select)),
            Part::Presence => self.bare("PolicyPhysicalPresence", &s, Out::new()),
            Part::Secret(handle, reference) => {
                let entity = if *handle >> 24 == 0x40 { self.hierarchy(*handle) } else { self.pcr(*handle) };
                let expiration = self.of(&[0u32, 0, 0, (-1_000_000i32) as u32, 1_000_000]);
                let p = Out::new().u16(0).u16(0).sized(reference).u32(expiration);
                let usage = crate::session::password(&entity.auth);
                let reply = self.call("PolicySecret", &[entity.handle, session], vec![usage], p);
                let ticket = reply.parameters.get(2 + reply.sized(0).len()..).unwrap_or(&[]).to_vec();
                if reply.rc == 0 && !reply.sized(0).is_empty() {
                    let name = Out::new().sized(&handle.to_be_bytes());
                    let ticket = Out::new().sized(&reply.sized(0)).u16(0).sized(reference).raw(&name.0).raw(&ticket);
                    self.tickets.push(ticket);
                }
                reply
            }
            Part::Nv(index, operand, operation) => {
                let known = self.indexes.iter().find(|i| i.entity.handle == *index).cloned();
                let auth = known.map(|i| i.entity.auth).unwrap_or_default();
                let p = Out::new().sized(operand).u16(0).u16(*operation);
                let usage = crate::session::password(&auth);
                self.call("PolicyNV", &[*index, *index, session], vec![usage], p)
            }
            Part::NvWritten(written) => self.bare("PolicyNvWritten", &s, Out::new().u8(*written)),
            Part::CounterTimer(offset, operation) => {
                let p = Out::new().sized(&[0, 0, 0, 1]).u16(*offset).u16(*operation);
                self.bare("PolicyCounterTimer", &s, p)
            }
            Part::Or(mine, other) => self.bare("PolicyOR", &s, Out::new().u32(2).sized(mine).sized(other)),
            Part::CpHash(digest) => self.bare("PolicyCpHash", &s, Out::new().sized(digest)),
            Part::NameHash(digest) => self.bare("PolicyNameHash", &s, Out::new().sized(digest)),
        };
        if reply.rc == 0 {
            match part {
                Part::AuthValue => self.t.policy_auth(session, PolicyAuth::AuthValue),
                Part::Password => self.t.policy_auth(session, PolicyAuth::Password),
                _ => {}
            }
        }
        reply.rc == 0
    }

    /// A PCR as an entity.
    pub(super) fn pcr(&self, number: u32) -> Entity {
        Entity::new(number, b"")
    }

    /// One thing about policies.
    pub(super) fn policy_business(&mut self) {
        let policies: Vec<u32> = self.sessions.iter().copied().filter(|s| s >> 24 == 3).collect();
        match (self.r.below(10), self.one(&policies)) {
            (0..=4, _) => self.make_policy(),
            (5..=6, Some(session)) => {
                let part = self.part();
                self.assert(session, &part);
                self.digest(session);
            }
            (7, Some(session)) => {
                self.bare("PolicyRestart", &[session], Out::new());
                self.t.policy_auth(session, PolicyAuth::None);
            }
            (8, Some(session)) => {
                let all = self.tickets.clone();
                if let Some(ticket) = self.one(&all) {
                    self.bare("PolicyTicket", &[session], ticket);
                    self.digest(session);
                }
            }
            (_, Some(session)) => {
                let n = self.of(&[20usize, 32, 32, 48]);
                let hash = self.r.bytes(n);
                let name = self.of(&["PolicyTemplate", "PolicyNameHash", "PolicyCpHash"]);
                self.bare(name, &[session], Out::new().sized(&hash));
            }
            _ => self.make_policy(),
        }
    }
}
