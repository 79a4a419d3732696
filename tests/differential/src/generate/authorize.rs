//! How a command is authorized: by passwords, HMAC sessions or policies, rightly or not, with sessions that audit and
//! encrypt beside them.

use super::world::{Entity, World};
use crate::codes::*;
use crate::session::{Use, attributed, password};
use crate::tpm::Reply;
use crate::wire::Out;

impl World<'_> {
    /// A command on entities: the first `auths.len()` handles are authorized, the rest are only named.
    pub(super) fn act(&mut self, name: &'static str, auths: &[Entity], others: &[u32], parameters: Out) -> Reply {
        let mut uses: Vec<Use> = Vec::new();
        for entity in auths {
            let usage = self.authorization(name, entity, &uses);
            uses.push(usage);
        }
        self.extra_sessions(&mut uses);
        let handles: Vec<u32> = auths.iter().map(|e| e.handle).chain(others.iter().copied()).collect();
        self.call(name, &handles, uses, parameters)
    }

    fn attributes(&mut self) -> u8 {
        let mut attributes = if self.chance(85) { CONTINUE } else { 0 };
        for (bit, percent) in [(DECRYPT, 15), (ENCRYPT, 15), (AUDIT, 10), (AUDIT_EXCLUSIVE, 2), (AUDIT_RESET, 2)] {
            if self.chance(percent) {
                attributes |= bit;
            }
        }
        attributes
    }

    fn authorization(&mut self, name: &'static str, entity: &Entity, before: &[Use]) -> Use {
        let auth = if self.chance(4) { self.r.bytes(5) } else { entity.auth.clone() };
        let way = self.r.below(100);
        if entity.public_only {
            return password(&auth);
        }
        if let Some(recipe) = entity.policy.clone()
            && (way < 60 || matches!(name, "Duplicate" | "NV_ChangeAuth" | "NV_UndefineSpaceSpecial"))
        {
            let (kind, done) = (SE_POLICY, self.chance(90));
            if let Some(session) = self.new_session(kind, recipe.hash) {
                self.follow(session, &recipe, done.then_some(name));
                let mut attributes = self.attributes();
                if auth != entity.auth {
                    // A policy may not ask for the authValue, but the key of the encryption has it: with a wrong one
                    // both sides would read noise.
                    attributes &= !(DECRYPT | ENCRYPT);
                }
                return attributed(session, attributes, &auth);
            }
        }
        if way < 70 {
            return password(&auth);
        }
        let taken = |s: &u32| before.iter().any(|u| u.session == *s);
        let free: Vec<u32> = self.sessions.iter().copied().filter(|s| s >> 24 == 2 && !taken(s)).collect();
        let session = match self.one(&free) {
            Some(session) => Some(session),
            None if before.is_empty() => {
                let hash = self.of(&[SHA1, SHA256, SHA384]);
                self.new_session(SE_HMAC, hash)
            }
            None => None,
        };
        match session {
            Some(session) => {
                let attributes = self.attributes();
                attributed(session, attributes, &auth)
            }
            None => password(&auth),
        }
    }

    /// Sessions that authorize nothing.
    fn extra_sessions(&mut self, uses: &mut Vec<Use>) {
        while uses.len() < 3 && self.chance(12) {
            let taken: Vec<u32> = uses.iter().map(|u| u.session).collect();
            let free: Vec<u32> = self.sessions.iter().copied().filter(|s| !taken.contains(s)).collect();
            let Some(session) = self.one(&free) else { return };
            let mut attributes = self.attributes();
            if attributes & (DECRYPT | ENCRYPT | AUDIT) == 0 {
                attributes |= self.of(&[DECRYPT, ENCRYPT, AUDIT]);
            }
            uses.push(attributed(session, attributes, b""));
        }
    }
}
