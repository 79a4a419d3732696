//! Power, PCR, hierarchies, dictionary-attack protection, audits.

use super::world::World;
use crate::codes::*;
use crate::wire::Out;

impl World<'_> {
    /// The first Startup.
    pub(super) fn power_up(&mut self) {
        self.bare("Startup", &[], Out::new().u16(0));
    }

    /// Shutdown, or not; power off and on; Startup.
    pub(super) fn power_business(&mut self) {
        match self.r.below(10) {
            0..=5 => {}
            6 => {
                let locality = self.of(&[0u8, 0, 1, 2, 3, 4]);
                return self.control(|d| d.locality(locality));
            }
            _ => return self.control(|d| d.locality(0)),
        }
        let shutdown = self.of(&[None, Some(0u16), Some(0), Some(1), Some(1)]);
        if let Some(kind) = shutdown {
            self.bare("Shutdown", &[], Out::new().u16(kind));
            // Commands after it. Not any: one that fails after it has marked NV leaves the mark in libtpms.
            if self.chance(20) {
                self.question();
            }
        }
        self.control(|d| d.power_on());
        self.control(|d| d.locality(0));
        self.t.sessions.clear();
        self.sessions.clear();
        if self.chance(5) {
            self.bare("GetRandom", &[], Out::new().u16(4));
        }
        // Not a Startup(STATE) that must fail: after it libtpms has forgotten how the last time ended.
        let kind = if shutdown == Some(1) { self.of(&[0u16, 1, 1]) } else { 0 };
        if self.bare("Startup", &[], Out::new().u16(kind)).rc != 0 {
            self.bare("Startup", &[], Out::new().u16(0));
        }
        // The platform's authorization lives until a Startup(CLEAR).
        let resumed = self.t.steps.last().is_some_and(|s| s.rc == 0 && s.command.ends_with(&[0, 1]));
        if !resumed && let Some(platform) = self.hierarchies.get_mut(&RH_PLATFORM) {
            platform.auth.clear();
            platform.policy = None;
        }
        self.look_around();
    }

    /// One thing about PCR.
    pub(super) fn pcr_business(&mut self) {
        let pcr = self.of(&[0u32, 1, 7, 8, 15, 16, 16, 17, 20, 21, 22, 23, 23]);
        let entity = self.pcr(pcr);
        match self.r.below(10) {
            0..=3 => {
                let banks = 1 + self.r.below(3);
                let mut p = Out::new().u32(banks as u32);
                for _ in 0..banks {
                    let alg = self.of(&[SHA1, SHA256, SHA384, SHA512]);
                    p = p.u16(alg).raw(&self.r.bytes(digest_size(alg)));
                }
                self.act("PCR_Extend", &[entity], &[], p);
            }
            4 => {
                let n = self.of(&[0usize, 1, 100, 1024]);
                let data = self.r.bytes(n);
                self.act("PCR_Event", &[entity], &[], Out::new().sized(&data));
            }
            5..=7 => {
                let select = self.selection();
                self.bare("PCR_Read", &[], select);
            }
            8 => drop(self.act("PCR_Reset", &[entity], &[], Out::new())),
            _ => {
                // Without a free slot libtpms flushes an object for it.
                self.make_room(1);
                let data = self.r.bytes(40);
                self.control(|d| d.hash_sequence(&data));
            }
        }
    }

    /// One thing about hierarchies.
    pub(super) fn hierarchy_business(&mut self) {
        let handle = self.of(&[RH_OWNER, RH_OWNER, RH_ENDORSEMENT, RH_PLATFORM, RH_LOCKOUT]);
        let entity = self.hierarchy(handle);
        let platform = self.hierarchy(RH_PLATFORM);
        match self.r.below(20) {
            0..=4 => {
                // Mostly back to an empty one, so that scripts go on.
                let auth = if self.chance(60) { Vec::new() } else { self.new_auth() };
                let reply = self.act("HierarchyChangeAuth", &[entity], &[], Out::new().sized(&auth));
                if reply.rc == 0
                    && let Some(h) = self.hierarchies.get_mut(&handle)
                {
                    h.auth = auth;
                }
            }
            5..=6 => {
                let policy = self.some_policy(70);
                let p = match &policy {
                    Some(policy) => Out::new().sized(&policy.digest).u16(policy.hash),
                    None => Out::new().sized(&[]).u16(NULL),
                };
                if self.act("SetPrimaryPolicy", &[entity], &[], p).rc == 0
                    && let Some(h) = self.hierarchies.get_mut(&handle)
                {
                    h.policy = policy;
                }
            }
            7..=8 => {
                let enable = self.of(&[RH_OWNER, RH_ENDORSEMENT, RH_PLATFORM_NV, RH_OWNER]);
                let by = if self.chance(80) { platform.clone() } else { entity };
                for state in [0u8, 1] {
                    self.act("HierarchyControl", core::slice::from_ref(&by), &[], Out::new().u32(enable).u8(state));
                    if self.chance(40) {
                        self.nv_business();
                    }
                }
                self.look_around();
            }
            9 => {
                let by = if self.chance(50) { platform } else { self.hierarchy(RH_LOCKOUT) };
                if self.chance(40) {
                    if self.act("Clear", &[by], &[], Out::new()).rc == 0 {
                        for handle in [RH_OWNER, RH_ENDORSEMENT, RH_LOCKOUT] {
                            if let Some(h) = self.hierarchies.get_mut(&handle) {
                                (h.auth, h.policy) = (Vec::new(), None);
                            }
                        }
                        self.look_around();
                    }
                } else {
                    let state = self.r.below(2) as u8;
                    self.act("ClearControl", &[by], &[], Out::new().u8(state));
                }
            }
            10 => {
                let name = self.of(&["ChangeEPS", "ChangePPS"]);
                if self.chance(30) && self.act(name, &[platform], &[], Out::new()).rc == 0 {
                    if name == "ChangeEPS" {
                        if let Some(h) = self.hierarchies.get_mut(&RH_ENDORSEMENT) {
                            (h.auth, h.policy) = (Vec::new(), None);
                        }
                    } else if let Some(h) = self.hierarchies.get_mut(&RH_PLATFORM) {
                        h.policy = None;
                    }
                    self.look_around();
                }
            }
            11..=14 => {
                let lockout = self.hierarchy(RH_LOCKOUT);
                self.act("DictionaryAttackLockReset", &[lockout], &[], Out::new());
            }
            15 => {
                let lockout = self.hierarchy(RH_LOCKOUT);
                // Times so long that nothing heals during a sequence.
                let p = Out::new().u32(self.of(&[0, 1, 3, 32])).u32(self.of(&[0, 100_000])).u32(self.of(&[0, 100_000]));
                self.act("DictionaryAttackParameters", &[lockout], &[], p);
            }
            16 => {
                let (on, off) = (self.of(&[0x17Bu32, 0x131, 0x157, 0x182]), self.of(&[0x17Bu32, 0x131, 0x13B]));
                let alg = self.of(&[NULL, NULL, SHA256, SHA384]);
                let p = match self.r.below(3) {
                    0 => Out::new().u16(NULL).u32(1).u32(on).u32(0),
                    1 => Out::new().u16(NULL).u32(0).u32(1).u32(off),
                    _ => Out::new().u16(alg).u32(0).u32(0),
                };
                let by = self.of(&[RH_OWNER, RH_PLATFORM]);
                let by = self.hierarchy(by);
                self.act("SetCommandCodeAuditStatus", &[by], &[], p);
            }
            17 => {
                let code = self.of(&[0x13Bu32, 0x126, 0x137]);
                let p = Out::new().u32(1).u32(code).u32(0);
                self.act("PP_Commands", &[platform], &[], p);
            }
            18 => {
                let entity = self.pcr(20);
                let auth = self.new_auth();
                self.act("PCR_SetAuthValue", &[entity], &[], Out::new().sized(&auth));
            }
            _ => {
                self.plain_parent();
            }
        }
    }
}
