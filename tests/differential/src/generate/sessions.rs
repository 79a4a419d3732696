//! Sessions: started in all ways, saved, loaded, flushed.

use super::world::{Saved, World};
use crate::codes::*;
use crate::crypto::Symmetric;
use crate::scenario::salt_for;
use crate::wire::Out;

impl World<'_> {
    /// A session of random kind; room is made for it. `None` if the TPM refuses.
    pub(super) fn new_session(&mut self, kind: u8, hash: u16) -> Option<u32> {
        if self.sessions.len() >= 3 && self.chance(95) {
            let at = self.r.below(self.sessions.len());
            let old = self.sessions.remove(at);
            self.end_session(old);
        }
        let symmetric = match self.r.below(6) {
            0 => Symmetric::Aes(128),
            1 => Symmetric::Aes(256),
            2 => Symmetric::Xor(self.of(&[SHA1, SHA256, SHA512])),
            _ => Symmetric::Null,
        };
        let bind = self.bind();
        let bind = bind.as_ref().map(|(h, a)| (*h, a.as_slice()));
        let keys: Vec<u32> = self.objects.iter().filter(|o| o.is_parent()).map(|o| o.entity.handle).collect();
        let key = if self.chance(20) { self.one(&keys) } else { None };
        let (encrypted, salt) = key.map(|k| salt_for(self.t, k)).unwrap_or_default();
        let key = if encrypted.is_empty() { RH_NULL } else { key.unwrap_or(RH_NULL) };
        let label = format!("session before step {}", self.steps() + 1);
        let handle = self.t.session_salted(&label, kind, hash, symmetric, bind, key, &encrypted, &salt);
        if handle == 0 {
            return None;
        }
        self.sessions.push(handle);
        Some(handle)
    }

    fn bind(&mut self) -> Option<(u32, Vec<u8>)> {
        if !self.chance(25) {
            return None;
        }
        let entity = match self.r.below(3) {
            0 => {
                let handle = self.of(&[RH_OWNER, RH_ENDORSEMENT, RH_PLATFORM, RH_LOCKOUT]);
                self.hierarchy(handle)
            }
            1 => {
                let all: Vec<_> = self.objects.iter().map(|o| o.entity.clone()).filter(|e| !e.public_only).collect();
                self.one(&all)?
            }
            _ => {
                let all: Vec<_> = self.indexes.iter().map(|i| i.entity.clone()).collect();
                self.one(&all)?
            }
        };
        Some((entity.handle, entity.auth))
    }

    fn end_session(&mut self, session: u32) {
        if self.chance(15) {
            self.save_session(session);
        } else {
            self.t.sessions.remove(&session);
            self.bare("FlushContext", &[], Out::new().u32(session));
        }
    }

    fn save_session(&mut self, session: u32) {
        let memory = self.t.sessions.get(&session).cloned();
        let saved = self.bare("ContextSave", &[session], Out::new());
        if saved.rc == 0 {
            self.t.sessions.remove(&session);
            self.sessions.retain(|s| *s != session);
            self.saved.push(Saved::Session(saved.parameters, session, memory));
        }
    }

    /// One thing that is about sessions and contexts.
    pub(super) fn session_business(&mut self) {
        match self.r.below(10) {
            0..=2 => {
                let (kind, hash) =
                    (self.of(&[SE_HMAC, SE_HMAC, SE_POLICY, SE_TRIAL]), self.of(&[SHA1, SHA256, SHA384, SHA512]));
                self.new_session(kind, hash);
            }
            3 => {
                let all = self.sessions.clone();
                if let Some(session) = self.one(&all) {
                    self.save_session(session);
                }
            }
            4 => {
                let all: Vec<_> = self.objects.clone();
                if let Some(object) = self.one(&all) {
                    let saved = self.bare("ContextSave", &[object.entity.handle], Out::new());
                    if saved.rc == 0 {
                        self.saved.push(Saved::Object(saved.parameters, object));
                    }
                }
            }
            5..=7 => self.load_context(),
            8 => {
                let all = self.sessions.clone();
                if let Some(session) = self.one(&all) {
                    let bytes = self.of(&[0u16, 1, 16, 32, 48]);
                    let usage = crate::session::attributed(session, CONTINUE | AUDIT, b"");
                    self.call("GetRandom", &[], vec![usage], Out::new().u16(bytes));
                }
            }
            _ => {
                let all = self.sessions.clone();
                if let Some(session) = self.one(&all) {
                    self.sessions.retain(|s| *s != session);
                    self.t.sessions.remove(&session);
                    self.bare("FlushContext", &[], Out::new().u32(session));
                }
            }
        }
    }

    fn load_context(&mut self) {
        if self.saved.is_empty() {
            return;
        }
        let at = self.r.below(self.saved.len());
        match self.saved.get(at).cloned() {
            Some(Saved::Object(blob, object)) => {
                self.make_room(1);
                let reply = self.bare("ContextLoad", &[], Out::new().raw(&blob));
                if reply.rc == 0 {
                    let mut object = object;
                    object.entity.handle = reply.handle;
                    self.objects.push(object);
                }
                if self.chance(30) {
                    self.saved.remove(at);
                }
            }
            Some(Saved::Session(blob, handle, memory)) => {
                let reply = self.bare("ContextLoad", &[], Out::new().raw(&blob));
                if reply.rc == 0 {
                    if let Some(memory) = memory {
                        self.t.sessions.insert(handle, memory);
                    }
                    self.sessions.push(handle);
                }
                if reply.rc == 0 && self.chance(90) || self.chance(20) {
                    self.saved.remove(at);
                }
            }
            None => {}
        }
    }
}
