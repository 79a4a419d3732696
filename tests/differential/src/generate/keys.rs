//! Objects in use: signatures, ciphers, exchanges, sealed data, sequences, credentials, duplication.

use super::world::{Object, World};
use crate::codes::*;
use crate::session::password;
use crate::template::{aes_cfb, null, scheme};
use crate::wire::Out;

fn null_ticket(tag: u16) -> Out {
    Out::new().u16(tag).u32(RH_NULL).sized(&[])
}

impl World<'_> {
    /// One use of an object: mostly one that its type allows.
    pub(super) fn use_an_object(&mut self) {
        let Some(object) = self.some_object() else { return self.make_or_load() };
        if object.entity.policy.as_ref().is_some_and(|p| p.is_for(0x14B)) && self.chance(40) {
            return self.duplicate(&object);
        }
        if self.chance(8) {
            let any = self.r.below(9);
            return self.use_as(any, &object);
        }
        let way = match object.kind {
            ECC | RSA if object.is_parent() => self.of(&[6, 7, 8]),
            ECC | RSA if object.attributes & KEY_SIGN != 0 => 0,
            ECC | RSA => self.of(&[1, 1, 7]),
            SYMCIPHER => self.of(&[2, 2, 2, 3]),
            _ if object.attributes & KEY_SIGN != 0 => self.of(&[0, 3, 3]),
            _ => self.of(&[4, 4, 4, 7]),
        };
        self.use_as(way, &object);
    }

    fn use_as(&mut self, way: usize, object: &Object) {
        match way {
            0 => self.sign(object),
            1 => self.exchange(object),
            2 => self.encrypt(object),
            3 => self.mac(object),
            4 => {
                self.act("Unseal", core::slice::from_ref(&object.entity), &[], Out::new());
                if object.attributes & SENSITIVE_DATA_ORIGIN != 0 {
                    self.forget_fields(&["outData"]);
                }
            }
            5 => self.sequence(),
            6 => self.credential(object),
            7 => self.duplicate(object),
            _ => self.bare_uses(object),
        }
    }

    fn bare_uses(&mut self, object: &Object) {
        self.bare("ReadPublic", &[object.entity.handle], Out::new());
    }

    fn scheme_for(&mut self, object: &Object) -> Out {
        let hash = self.of(&[SHA1, SHA256, SHA256, SHA384, SHA512]);
        match (object.kind, self.r.below(6)) {
            (_, 0..=2) => null(),
            (ECC, _) => self.signing_scheme(),
            (RSA, n) => scheme(if n == 2 { RSAPSS } else { RSASSA }, hash),
            (_, n) => scheme(if n == 2 { ECDSA } else { HMAC }, hash),
        }
    }

    fn sign(&mut self, object: &Object) {
        let chosen = self.scheme_for(object);
        let mut hash = self.of(&[SHA256, SHA256, SHA256, SHA1, SHA384]);
        if let [_, _, high, low, ..] = chosen.0[..]
            && self.chance(85)
        {
            hash = u16::from_be_bytes([high, low]);
        }
        let data = self.r.bytes(40);
        let hierarchy = self.of(&[RH_OWNER, RH_NULL, RH_PLATFORM]);
        let hashed = self.bare("Hash", &[], Out::new().sized(&data).u16(hash).u32(hierarchy));
        let digest = hashed.sized(0);
        let ticket = hashed.parameters.get(2 + digest.len()..).unwrap_or(&[]).to_vec();
        let ticket = if self.chance(60) { Out(ticket) } else { null_ticket(0x8024) };
        let p = Out::new().sized(&digest).raw(&chosen.0).raw(&ticket.0);
        let signed = self.act("Sign", core::slice::from_ref(&object.entity), &[], p);
        if signed.rc == 0 {
            let mut signature = signed.parameters.clone();
            if self.chance(15)
                && let Some(byte) = signature.last_mut()
            {
                *byte ^= 1;
            }
            let p = Out::new().sized(&digest).raw(&signature);
            self.bare("VerifySignature", &[object.entity.handle], p);
        }
    }

    fn exchange(&mut self, object: &Object) {
        let handle = object.entity.handle;
        if object.kind == RSA {
            let n = self.of(&[0usize, 1, 32, 100, 190]);
            let message = self.r.bytes(n);
            let chosen = match self.r.below(3) {
                0 => null(),
                1 => Out::new().u16(RSAES),
                _ => scheme(OAEP, self.of(&[SHA1, SHA256])),
            };
            let label: &[u8] = if self.chance(30) { b"label\0" } else { b"" };
            let p = |m: &[u8]| Out::new().sized(m).raw(&chosen.0).sized(label);
            let sealed = self.bare("RSA_Encrypt", &[handle], p(&message));
            if sealed.rc == 0 {
                self.act("RSA_Decrypt", core::slice::from_ref(&object.entity), &[], p(&sealed.sized(0)));
            }
            return;
        }
        let made = self.bare("ECDH_KeyGen", &[handle], Out::new());
        if made.rc == 0 {
            let mut point = made.sized(1);
            if self.chance(10)
                && let Some(byte) = point.last_mut()
            {
                *byte ^= 1;
            }
            let reply = self.act("ECDH_ZGen", core::slice::from_ref(&object.entity), &[], Out::new().sized(&point));
            // The peer's key is the TPM's random choice.
            self.forget_fields(&["outPoint"]);
            let same = reply.rc != 0 || reply.sized(0) == made.sized(0) || point != made.sized(1);
            self.t.expect(same, "ECDH_ZGen gives another point than ECDH_KeyGen");
        }
    }

    fn encrypt(&mut self, object: &Object) {
        let n = self.of(&[0usize, 1, 8, 16, 16, 24, 32, 48, 64, 100]);
        let data = self.r.bytes(n);
        let (way, mode) = (self.r.below(2) as u8, self.of(&[NULL, NULL, NULL, CFB, CBC, CTR, OFB, ECB]));
        let n = self.of(&[16usize, 16, 16, 8, 0]);
        let iv = self.r.bytes(n);
        let known = object.known;
        if self.chance(80) {
            let p = Out::new().sized(&data).u8(way).u16(mode).sized(&iv);
            self.act("EncryptDecrypt2", core::slice::from_ref(&object.entity), &[], p);
        } else {
            let p = Out::new().u8(way).u16(mode).sized(&iv).sized(&data);
            self.act("EncryptDecrypt", core::slice::from_ref(&object.entity), &[], p);
        }
        if !known {
            self.forget_fields(&["outData", "ivOut"]);
        }
    }

    fn mac(&mut self, object: &Object) {
        let n = self.of(&[0usize, 1, 64, 100, 1024]);
        let data = self.r.bytes(n);
        let alg = self.of(&[NULL, SHA256, SHA1, CMAC, HMAC]);
        let known = object.known;
        if self.chance(60) {
            self.act("MAC", core::slice::from_ref(&object.entity), &[], Out::new().sized(&data).u16(alg));
        } else {
            if self.objects.len() == 3 {
                return;
            }
            let auth = self.new_auth();
            let s = self.act("MAC_Start", core::slice::from_ref(&object.entity), &[], Out::new().sized(&auth).u16(alg));
            if s.rc == 0 {
                self.finish_sequence(s.handle, &auth, &data);
            }
        }
        if !known {
            self.forget_fields(&["outMAC", "outHMAC", "result"]);
        }
    }

    fn finish_sequence(&mut self, handle: u32, auth: &[u8], data: &[u8]) {
        for _ in 0..self.r.below(3) {
            let used = vec![password(auth)];
            self.call("SequenceUpdate", &[handle], used, Out::new().sized(data));
        }
        let entity = super::world::Entity::new(handle, auth);
        let hierarchy = self.of(&[RH_OWNER, RH_NULL, RH_ENDORSEMENT]);
        let p = Out::new().sized(data).u32(hierarchy);
        if self.act("SequenceComplete", &[entity], &[], p).rc != 0 {
            self.bare("FlushContext", &[], Out::new().u32(handle));
        }
    }

    /// A hash or event sequence.
    pub(super) fn sequence(&mut self) {
        self.make_room(1);
        let (auth, alg) = (self.new_auth(), self.of(&[SHA1, SHA256, SHA384, SHA512, NULL, NULL, SM3]));
        let s = self.bare("HashSequenceStart", &[], Out::new().sized(&auth).u16(alg));
        if s.rc != 0 {
            return;
        }
        let data = self.r.bytes(77);
        if alg == NULL && self.chance(80) {
            let pcr = self.of(&[0u32, 7, 16, 23, RH_NULL]);
            let uses = vec![password(b""), password(&auth)];
            if self.call("EventSequenceComplete", &[pcr, s.handle], uses, Out::new().sized(&data)).rc == 0 {
                return;
            }
        }
        self.finish_sequence(s.handle, &auth, &data);
    }

    fn credential(&mut self, object: &Object) {
        let Some(other) = self.some_object() else { return };
        let name = self.t.name(other.entity.handle);
        let n = self.of(&[0usize, 16, 20, 32, 33]);
        let secret = self.r.bytes(n);
        let made = self.bare("MakeCredential", &[object.entity.handle], Out::new().sized(&secret).sized(&name));
        if made.rc != 0 {
            return;
        }
        let mut p = made.parameters.clone();
        if self.chance(10)
            && let Some(byte) = p.get_mut(5)
        {
            *byte ^= 1;
        }
        self.act("ActivateCredential", &[other.entity.clone(), object.entity.clone()], &[], Out::new().raw(&p));
    }

    fn duplicate(&mut self, object: &Object) {
        let target = if self.chance(50) { self.some_parent() } else { None };
        let handle = target.as_ref().map_or(RH_NULL, |o| o.entity.handle);
        let symmetric = if self.chance(40) { aes_cfb(128) } else { null() };
        let given = symmetric.0.len() > 2 && self.chance(50);
        let key = if given { self.r.bytes(16) } else { Vec::new() };
        let p = Out::new().sized(&key).raw(&symmetric.0);
        let made = self.act("Duplicate", core::slice::from_ref(&object.entity), &[handle], p);
        if made.rc != 0 {
            return;
        }
        let inner = if given || symmetric.0.len() == 2 { key } else { made.sized(0) };
        let Some(parent) = target.or_else(|| self.some_parent()) else { return };
        let p = Out::new().sized(&inner).sized(&object.public).sized(&made.sized(1)).sized(&made.sized(2));
        let reply = self.act("Import", core::slice::from_ref(&parent.entity), &[], p.raw(&symmetric.0));
        if reply.rc == 0 {
            let mut copy = object.clone();
            (copy.parent, copy.creation) = (parent.id, None);
            self.made.push(super::world::Made { private: reply.sized(0), object: copy });
        }
    }
}
