//! NV Indexes of random kinds, used by random authorizations.

use super::world::{Entity, Index, World};
use crate::codes::*;
use crate::wire::Out;

impl World<'_> {
    /// One thing about NV.
    pub(super) fn nv_business(&mut self) {
        let Some(index) = self.one(&self.indexes.clone()) else { return self.define() };
        let has_policy_for = |code| index.entity.policy.as_ref().is_some_and(|p| p.is_for(code));
        if has_policy_for(0x13B) && self.chance(40) {
            return self.change_index_auth(&index);
        }
        if has_policy_for(0x11F) && self.chance(30) {
            return self.undefine(&index);
        }
        match self.r.below(20) {
            0..=3 if self.indexes.len() < 8 => self.define(),
            4 => self.undefine(&index),
            5 => {
                let by = self.index_authority(&index);
                let name = self.of(&["NV_ReadLock", "NV_WriteLock"]);
                self.act(name, &[by], &[index.entity.handle], Out::new());
            }
            6 => {
                if self.chance(20) {
                    let by = self.of(&[RH_OWNER, RH_PLATFORM]);
                    let by = self.hierarchy(by);
                    self.act("NV_GlobalWriteLock", &[by], &[], Out::new());
                }
            }
            7 => self.change_index_auth(&index),
            8..=9 => drop(self.bare("NV_ReadPublic", &[index.entity.handle], Out::new())),
            10..=13 => {
                let by = self.index_authority(&index);
                let size = self.r.below(usize::from(index.size) + 2) as u16;
                let offset = if self.chance(60) { 0 } else { self.r.below(usize::from(index.size) + 2) as u16 };
                self.act("NV_Read", &[by], &[index.entity.handle], Out::new().u16(size).u16(offset));
            }
            _ => self.change(&index),
        }
    }

    fn change_index_auth(&mut self, index: &Index) {
        let auth = self.new_auth();
        let reply = self.act("NV_ChangeAuth", core::slice::from_ref(&index.entity), &[], Out::new().sized(&auth));
        if reply.rc == 0
            && let Some(i) = self.indexes.iter_mut().find(|i| i.entity.handle == index.entity.handle)
        {
            i.entity.auth = auth;
        }
    }

    /// Who may be asked to read or write: the Index, the owner or the platform.
    pub(super) fn index_authority(&mut self, index: &Index) -> Entity {
        match self.r.below(10) {
            0..=5 => index.entity.clone(),
            6..=8 => self.hierarchy(RH_OWNER),
            _ => self.hierarchy(RH_PLATFORM),
        }
    }

    fn change(&mut self, index: &Index) {
        let by = self.index_authority(index);
        let others = [index.entity.handle];
        let name = match index.attributes >> 4 & 15 {
            1 => "NV_Increment",
            2 => "NV_SetBits",
            4 => "NV_Extend",
            _ => "NV_Write",
        };
        let name =
            if self.chance(4) { self.of(&["NV_Increment", "NV_SetBits", "NV_Extend", "NV_Write"]) } else { name };
        let p = match name {
            "NV_Increment" => Out::new(),
            "NV_SetBits" => Out::new().u64(1 << self.r.below(64)),
            "NV_Extend" => Out::new().sized(&self.r.bytes(20)),
            _ if index.attributes >> 7 & 1 == 1 => {
                // pinCount and pinLimit.
                Out::new().sized(&Out::new().u32(0).u32(self.of(&[0, 1, 3, 100])).0).u16(0)
            }
            _ => {
                let size = usize::from(index.size);
                let n = if self.chance(60) { size } else { self.r.below(size + 2) };
                let offset = if self.chance(80) { 0 } else { self.r.below(size + 1) as u16 };
                Out::new().sized(&self.r.bytes(n)).u16(offset)
            }
        };
        self.act(name, &[by], &others, p);
    }

    fn define(&mut self) {
        let by = self.of(&[RH_OWNER, RH_OWNER, RH_PLATFORM]);
        let handle = 0x0150_0000 + self.r.below(12) as u32;
        let kind = self.of(&[0u32, 0, 0, 1, 2, 4, 8, 9]) << 4;
        let mut attributes = kind | NV_AUTHREAD | if kind == NV_PIN_FAIL { 0 } else { NV_AUTHWRITE };
        attributes |= if by == RH_PLATFORM { NV_PLATFORMCREATE | NV_PPREAD | NV_PPWRITE } else { NV_OWNERREAD };
        if kind == NV_PIN_FAIL || kind == NV_PIN_PASS {
            attributes |= NV_OWNERWRITE | NV_NO_DA;
            attributes &= !NV_AUTHWRITE;
        }
        for (bit, percent) in [
            (NV_OWNERWRITE, 40),
            (NV_OWNERREAD, 30),
            (NV_PPREAD, 20),
            (NV_PPWRITE, 20),
            (NV_POLICYREAD, 20),
            (NV_POLICYWRITE, 20),
            (NV_NO_DA, 60),
            (NV_WRITEALL, 8),
            (NV_WRITEDEFINE, 8),
            (NV_WRITE_STCLEAR, 15),
            (NV_READ_STCLEAR, 15),
            (NV_GLOBALLOCK, 12),
            (NV_CLEAR_STCLEAR, 10),
            (NV_ORDERLY, 10),
        ] {
            if self.chance(percent) {
                attributes |= bit;
            }
        }
        let (auth, policy) = (self.new_auth(), self.some_policy(40));
        if by == RH_PLATFORM && (self.chance(10) || policy.as_ref().is_some_and(|p| p.is_for(0x11F))) {
            attributes |= NV_POLICY_DELETE;
        }
        if self.chance(4) {
            attributes ^= 1 << self.r.below(32);
        }
        let alg = self.of(&[SHA256, SHA256, SHA1, SHA384]);
        let size = match attributes >> 4 & 15 {
            0 => self.of(&[0u16, 1, 8, 32, 64, 200]),
            4 => digest_size(alg) as u16,
            _ => 8,
        };
        let digest = policy.as_ref().map(|p| p.digest.clone()).unwrap_or_default();
        let area = Out::new().u32(handle).u16(alg).u32(attributes).sized(&digest).u16(size);
        let entity = self.hierarchy(by);
        let reply = self.act("NV_DefineSpace", &[entity], &[], Out::new().sized(&auth).sized(&area.0));
        if reply.rc == 0 {
            let entity = Entity { policy, ..Entity::new(handle, &auth) };
            self.indexes.push(Index { entity, attributes, size });
        }
    }

    fn undefine(&mut self, index: &Index) {
        let handle = index.entity.handle;
        let reply = if index.attributes & NV_POLICY_DELETE != 0 && self.chance(70) {
            let platform = self.hierarchy(RH_PLATFORM);
            self.act("NV_UndefineSpaceSpecial", &[index.entity.clone(), platform], &[], Out::new())
        } else {
            let right = if index.attributes & NV_PLATFORMCREATE != 0 { RH_PLATFORM } else { RH_OWNER };
            let by = if self.chance(90) { right } else { self.of(&[RH_OWNER, RH_PLATFORM]) };
            let by = self.hierarchy(by);
            self.act("NV_UndefineSpace", &[by], &[handle], Out::new())
        };
        if reply.rc == 0 {
            self.indexes.retain(|i| i.entity.handle != handle);
        }
    }
}
