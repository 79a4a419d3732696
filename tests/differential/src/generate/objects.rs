//! Objects: made, loaded, made persistent, moved, flushed.

use super::fixed;
use super::templates::Template;
use super::world::{Entity, Made, Object, World};
use crate::codes::*;
use crate::template::{aes_cfb, create, scheme, sensitive};
use crate::tpm::Reply;
use crate::wire::{In, Out};

/// The last three parameters of Create and CreatePrimary, after `skip` sized ones: creationData, hash, ticket.
fn creation(reply: &Reply, skip: usize) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut input = In(&reply.parameters);
    for _ in 0..=skip {
        input.sized()?;
    }
    let hash = input.sized()?.to_vec();
    let mut ticket = input.clone();
    ticket.raw(6)?;
    ticket.sized()?;
    let length = input.0.len() - ticket.0.len();
    Some((hash, input.raw(length)?.to_vec()))
}

impl World<'_> {
    fn object(&mut self, handle: u32, auth: &[u8], template: &Template, public: Vec<u8>, parent: usize) -> Object {
        let entity = Entity { policy: template.policy.clone(), ..Entity::new(handle, auth) };
        let (kind, attributes) = (template.kind, template.attributes);
        Object { id: self.id(), entity, kind, attributes, public, parent, known: false, creation: None }
    }

    /// A loaded or persistent parent.
    pub(super) fn some_parent(&mut self) -> Option<Object> {
        let mut all: Vec<Object> = self.objects.iter().filter(|o| o.is_parent()).cloned().collect();
        all.extend(self.persistent.iter().filter(|o| o.is_parent()).cloned());
        self.one(&all)
    }

    /// Any loaded or persistent object.
    pub(super) fn some_object(&mut self) -> Option<Object> {
        let mut all = self.objects.clone();
        all.extend(self.persistent.clone());
        self.one(&all)
    }

    /// A loaded object of this kind with these attributes, if there is one.
    pub(super) fn some_of(&mut self, kinds: &[u16], attributes: u32) -> Option<Object> {
        let fits = |o: &&Object| kinds.contains(&o.kind) && o.attributes & attributes == attributes;
        let mut all: Vec<Object> = self.objects.iter().filter(fits).cloned().collect();
        all.extend(self.persistent.iter().filter(fits).cloned());
        self.one(&all)
    }

    /// One thing that makes, loads or removes objects.
    pub(super) fn make_or_load(&mut self) {
        match self.r.below(24) {
            0..=5 => self.create_primary(),
            6..=10 => self.create(),
            11..=15 => self.load(),
            16..=17 => self.load_external(),
            18..=19 => self.create_loaded(),
            20..=21 => self.evict(),
            22 => self.change_auth(),
            _ => self.make_room(3),
        }
    }

    fn outside(&mut self) -> Out {
        let n = self.of(&[0usize, 0, 8, 64]);
        let info = self.r.bytes(n);
        Out::new().sized(&info).raw(&self.selection().0)
    }

    fn create_primary(&mut self) {
        self.make_room(1);
        let hierarchy = self.of(&[RH_OWNER, RH_OWNER, RH_ENDORSEMENT, RH_PLATFORM, RH_NULL]);
        let slow = self.chance(3);
        let (template, auth) = (self.template(slow), self.new_auth());
        let p = sensitive(&auth, &template.data).sized(&template.area).raw(&self.outside().0);
        let entity = self.hierarchy(hierarchy);
        let reply = self.act("CreatePrimary", &[entity], &[], p);
        if reply.rc == 0 {
            let mut object = self.object(reply.handle, &auth, &template, reply.sized(0), 0);
            object.creation = creation(&reply, 1);
            self.objects.push(object);
        }
    }

    fn create(&mut self) {
        let Some(parent) = self.some_parent() else { return self.create_primary() };
        if self.objects.len() == 3 {
            // Create needs a slot for a moment.
            return self.make_room(1);
        }
        let slow = self.chance(1);
        let (template, auth) = (self.template(slow), self.new_auth());
        let p = sensitive(&auth, &template.data).sized(&template.area).raw(&self.outside().0);
        let reply = self.act("Create", &[parent.entity], &[], p);
        if reply.rc == 0 {
            let mut object = self.object(0, &auth, &template, reply.sized(1), parent.id);
            object.creation = creation(&reply, 2);
            self.made.push(Made { private: reply.sized(0), object });
        }
    }

    fn load(&mut self) {
        let Some(made) = self.one(&self.made.clone()) else { return self.create() };
        let parents: Vec<Object> =
            self.objects.iter().chain(&self.persistent).filter(|o| o.id == made.object.parent).cloned().collect();
        let parent = match self.one(&parents) {
            Some(parent) if self.chance(97) => parent,
            _ => match self.some_parent() {
                Some(parent) => parent,
                None => return,
            },
        };
        if self.objects.len() == 3 {
            // The parent must stay.
            let others: Vec<usize> =
                (0..3).filter(|i| self.objects.get(*i).is_some_and(|o| o.id != parent.id)).collect();
            let Some(at) = self.one(&others) else { return };
            let old = self.objects.remove(at);
            self.bare("FlushContext", &[], Out::new().u32(old.entity.handle));
        }
        let mut private = made.private.clone();
        if self.chance(3)
            && let Some(byte) = private.last_mut()
        {
            *byte ^= 1;
        }
        let p = Out::new().sized(&private).sized(&made.object.public);
        let reply = self.act("Load", &[parent.entity], &[], p);
        if reply.rc == 0 {
            let mut object = made.object;
            object.entity.handle = reply.handle;
            self.objects.push(object);
        }
    }

    fn load_external(&mut self) {
        self.make_room(1);
        let (hierarchy, policy) = (self.of(&[RH_NULL, RH_NULL, RH_OWNER, RH_ENDORSEMENT]), None);
        let attributes = USER_WITH_AUTH | NO_DA | self.of(&[KEY_SIGN, KEY_DECRYPT, KEY_SIGN | KEY_DECRYPT]);
        let d = [self.r.below(250) as u8 + 1; 32];
        let (kind, private, area) = match self.r.below(4) {
            0 => fixed::rsa(attributes),
            1 => fixed::secret(KEYEDHASH, attributes & !KEY_DECRYPT | KEY_SIGN, scheme(HMAC, SHA256), &d),
            2 => fixed::secret(SYMCIPHER, attributes, aes_cfb(256), &d),
            _ => fixed::ecc(self.t, &d, attributes),
        };
        let private = if self.chance(20) { Vec::new() } else { private };
        let p = Out::new().sized(&private).sized(&area).u32(hierarchy);
        let reply = self.bare("LoadExternal", &[], p);
        if reply.rc == 0 {
            let template = Template { kind, attributes, policy, area: Vec::new(), data: Vec::new() };
            let mut object = self.object(reply.handle, b"", &template, area, 0);
            object.entity.public_only = private.is_empty();
            object.known = true;
            self.objects.push(object);
        }
    }

    fn create_loaded(&mut self) {
        let parent = match self.some_parent() {
            Some(parent) if self.chance(60) => parent.entity,
            _ => {
                let hierarchy = self.of(&[RH_OWNER, RH_ENDORSEMENT, RH_PLATFORM, RH_NULL]);
                self.hierarchy(hierarchy)
            }
        };
        if self.objects.len() == 3 {
            return self.make_room(2);
        }
        let (template, auth) = (self.template(false), self.new_auth());
        let p = sensitive(&auth, &template.data).sized(&template.area);
        let parent_id = self.objects.iter().chain(&self.persistent).find(|o| o.entity.handle == parent.handle);
        let derived = parent_id.is_some_and(|o| o.kind == KEYEDHASH);
        let parent_id = parent_id.map_or(0, |o| o.id);
        let reply = self.act("CreateLoaded", &[parent], &[], p);
        if reply.rc == 0 {
            let mut object = self.object(reply.handle, &auth, &template, reply.sized(1), parent_id);
            if derived {
                // Its secret comes from the parent's, which is the TPM's own.
                object.attributes |= SENSITIVE_DATA_ORIGIN;
            }
            self.objects.push(object);
        }
    }

    fn evict(&mut self) {
        let by = self.of(&[RH_OWNER, RH_OWNER, RH_PLATFORM]);
        let by = self.hierarchy(by);
        let (object, target) = if self.chance(40)
            && let Some(object) = self.one(&self.persistent.clone())
        {
            let target = object.entity.handle;
            (object, target)
        } else if let Some(object) = self.one(&self.objects.clone()) {
            let first = if by.handle == RH_OWNER { 0x8100_0000 } else { 0x8180_0000 };
            (object, first + self.r.below(6) as u32)
        } else {
            return;
        };
        let reply = self.act("EvictControl", &[by], &[object.entity.handle], Out::new().u32(target));
        if reply.rc == 0 {
            if object.entity.handle == target {
                self.persistent.retain(|o| o.entity.handle != target);
            } else {
                let mut copy = object;
                copy.entity.handle = target;
                self.persistent.push(copy);
            }
        }
    }

    fn change_auth(&mut self) {
        let Some(object) = self.some_object() else { return };
        let parents: Vec<u32> = self
            .objects
            .iter()
            .chain(&self.persistent)
            .filter(|o| o.id == object.parent)
            .map(|o| o.entity.handle)
            .collect();
        let Some(parent) = self.one(&parents) else { return };
        let auth = self.new_auth();
        let reply =
            self.act("ObjectChangeAuth", core::slice::from_ref(&object.entity), &[parent], Out::new().sized(&auth));
        if reply.rc == 0 {
            let mut changed = object;
            changed.entity.auth = auth;
            self.made.push(Made { private: reply.sized(0), object: changed });
        }
    }

    /// A parent for use in other commands, made if there is none: always the same template.
    pub(super) fn plain_parent(&mut self) -> Option<Object> {
        if let Some(parent) = self.some_of(&[ECC, RSA], RESTRICTED | KEY_DECRYPT) {
            return Some(parent);
        }
        self.make_room(1);
        let area = crate::template::storage_parent();
        let owner = self.hierarchy(RH_OWNER);
        let reply = self.act("CreatePrimary", &[owner], &[], create(b"", b"", &area));
        if reply.rc != 0 {
            return None;
        }
        let attributes = crate::template::STORAGE;
        let template = Template { kind: ECC, attributes, policy: None, area, data: Vec::new() };
        let object = self.object(reply.handle, b"", &template, reply.sized(0), 0);
        self.objects.push(object.clone());
        Some(object)
    }
}
