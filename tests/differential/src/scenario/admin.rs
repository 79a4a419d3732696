//! Hierarchies, their switches and authorizations, clearing, new seeds, the dictionary attack, physical presence lists.

use super::common::*;
use crate::codes::*;
use crate::crypto::Symmetric;
use crate::session::with;
use crate::template::*;
use crate::tpm::Tpm;
use crate::wire::Out;

const ENTITIES: [u32; 7] = [RH_OWNER, RH_ENDORSEMENT, RH_PLATFORM, RH_LOCKOUT, RH_NULL, RH_PLATFORM_NV, 0x8000_0000];

fn properties(t: &mut Tpm, label: &str) {
    t.plain(label, "GetCapability", &[], &[], Out::new().u32(6).u32(0x200).u32(30));
}

/// HierarchyControl, HierarchyChangeAuth, ClearControl, Clear.
pub(super) fn hierarchies(t: &mut Tpm) {
    t.startup();
    for auth in ENTITIES {
        for enable in ENTITIES {
            for state in [0u8, 1, 2] {
                let label = format!("{auth:#x} sets {enable:#x} to {state}");
                t.plain(&label, "HierarchyControl", &[auth], &[b""], Out::new().u32(enable).u8(state));
                properties(t, &label);
                if state == 0 && enable != RH_PLATFORM {
                    let handle = primary(t, enable, b"", &storage_parent());
                    if handle != 0 {
                        t.flush(handle);
                    }
                }
            }
        }
        t.power_cycle();
        t.startup();
    }
    for entity in ENTITIES {
        for n in [0usize, 1, 20, 32, 33, 64, 65] {
            let label = format!("{entity:#x}, {n} bytes");
            let new = vec![b'p'; n];
            if t.plain(&label, "HierarchyChangeAuth", &[entity], &[b""], Out::new().sized(&new)).rc == 0 {
                properties(t, &label);
                t.plain(&label, "HierarchyChangeAuth", &[entity], &[b"wrong"], Out::new().sized(b""));
                t.plain(&label, "HierarchyChangeAuth", &[entity], &[&new], Out::new().sized(b""));
                t.plain("reset", "DictionaryAttackLockReset", &[RH_LOCKOUT], &[b""], Out::new());
            }
        }
    }
    t.plain("auth with zeros", "HierarchyChangeAuth", &[RH_OWNER], &[b""], Out::new().sized(b"ab\0\0"));
    t.plain("use it", "HierarchyChangeAuth", &[RH_OWNER], &[b"ab"], Out::new().sized(b"\0\0"));
    let s = t.session("session", SE_HMAC, SHA256, Symmetric::Null, None);
    t.authorized("change own auth", "HierarchyChangeAuth", &[RH_OWNER], &[with(s, b"")], Out::new().sized(b"new"));
    t.authorized("back", "HierarchyChangeAuth", &[RH_OWNER], &[with(s, b"new")], Out::new().sized(b""));
    for auth in ENTITIES {
        for disable in [1u8, 0, 2] {
            let label = format!("{auth:#x} says {disable}");
            t.plain(&label, "ClearControl", &[auth], &[b""], Out::new().u8(disable));
            properties(t, &label);
            if disable == 1 {
                t.plain(&label, "Clear", &[RH_LOCKOUT], &[b""], Out::new());
            }
        }
    }
    t.plain("enable", "ClearControl", &[RH_PLATFORM], &[b""], Out::new().u8(0));
}

/// What Clear, ChangeEPS and ChangePPS remove and keep.
pub(super) fn clear(t: &mut Tpm) {
    t.startup();
    for (name, by) in [
        ("Clear", RH_LOCKOUT),
        ("ChangeEPS", RH_PLATFORM),
        ("ChangePPS", RH_PLATFORM),
        ("Clear", RH_PLATFORM),
        ("ChangeEPS", RH_OWNER),
        ("ChangePPS", RH_OWNER),
        ("Clear", RH_OWNER),
    ] {
        let owner = primary(t, RH_OWNER, b"", &storage_parent());
        let endorsement = primary(t, RH_ENDORSEMENT, b"", &storage_parent());
        let platform = primary(t, RH_PLATFORM, b"", &storage_parent());
        t.plain("persist", "EvictControl", &[RH_OWNER, owner], &[b""], Out::new().u32(0x8100_0000));
        t.plain("persist", "EvictControl", &[RH_OWNER, endorsement], &[b""], Out::new().u32(0x8101_0000));
        t.plain("persist", "EvictControl", &[RH_PLATFORM, platform], &[b""], Out::new().u32(0x8180_0000));
        for (hierarchy, index, bits) in
            [(RH_OWNER, 0x0150_0000u32, 0u32), (RH_PLATFORM, 0x0150_0001, NV_PLATFORMCREATE)]
        {
            let access = NV_OWNERWRITE | NV_OWNERREAD | NV_PPREAD | NV_PPWRITE | bits;
            let area = Out::new().u32(index).u16(SHA256).u32(access).sized(&[]).u16(8);
            t.plain("define", "NV_DefineSpace", &[hierarchy], &[b""], Out::new().sized(b"").sized(&area.0));
        }
        t.plain("auth", "HierarchyChangeAuth", &[RH_ENDORSEMENT], &[b""], Out::new().sized(b"e"));
        t.plain("policy", "SetPrimaryPolicy", &[RH_OWNER], &[b""], Out::new().sized(&[1; 32]).u16(SHA256));
        let s = t.session("session", SE_HMAC, SHA256, Symmetric::Null, None);
        t.plain("not authorized", name, &[by], &[b"wrong"], Out::new());
        t.authorized(name, name, &[by], &[with(s, b"")], Out::new());
        for range in [0x0100_0000u32, 0x8000_0000, 0x8100_0000, 0x0200_0000] {
            t.plain(name, "GetCapability", &[], &[], Out::new().u32(1).u32(range).u32(20));
        }
        properties(t, name);
        t.plain(name, "GetCapability", &[], &[], Out::new().u32(9).u32(0).u32(20));
        t.plain("clock", "ReadClock", &[], &[], Out::new());
        t.plain("back", "HierarchyChangeAuth", &[RH_ENDORSEMENT], &[b"e"], Out::new().sized(b""));
        t.plain("back", "HierarchyChangeAuth", &[RH_ENDORSEMENT], &[b""], Out::new().sized(b""));
        t.power_cycle();
        t.startup();
        properties(t, name);
    }
}

/// The dictionary attack: counting, lockout, recovery, resets, power cycles.
pub(super) fn dictionary_attack(t: &mut Tpm) {
    t.startup();
    let parent = primary(t, RH_OWNER, b"", &storage_parent());
    let protected = keyed_hash(FIXED_TPM | FIXED_PARENT | USER_WITH_AUTH, null(), &[]);
    let free = keyed_hash(FIXED_TPM | FIXED_PARENT | USER_WITH_AUTH | NO_DA, null(), &[]);
    let guarded = loaded(t, "guarded", parent, b"good", b"data", &protected);
    let open = loaded(t, "open", parent, b"good", b"data", &free);
    let try_all = |t: &mut Tpm, label: &str| {
        for object in [guarded, open] {
            for pw in [&b"good"[..], b"bad", b""] {
                t.plain(label, "Unseal", &[object], &[pw], Out::new());
            }
        }
        properties(t, label);
    };
    for (tries, recovery, lockout) in
        [(3u32, 1000u32, 1000u32), (5, 0, 0), (0, 0, 0), (2, 0xFFFF_FFFF, 1), (10, 1000, 0)]
    {
        let label = format!("{tries} tries");
        let p = Out::new().u32(tries).u32(recovery).u32(lockout);
        t.plain(&label, "DictionaryAttackParameters", &[RH_LOCKOUT], &[b""], p.clone());
        t.plain(&label, "DictionaryAttackParameters", &[RH_OWNER], &[b""], p);
        for _ in 0..3 {
            try_all(t, &label);
        }
        t.plain(&label, "DictionaryAttackLockReset", &[RH_LOCKOUT], &[b""], Out::new());
        try_all(t, &label);
        t.plain(&label, "DictionaryAttackLockReset", &[RH_LOCKOUT], &[b""], Out::new());
    }
    let s = t.session("session", SE_HMAC, SHA256, Symmetric::Null, None);
    for pw in [&b"bad"[..], b"good", b"bad", b"good"] {
        t.authorized("by session", "Unseal", &[guarded], &[with(s, pw)], Out::new());
        t.authorized("by session", "Unseal", &[open], &[with(s, pw)], Out::new());
        properties(t, "by session");
    }
    t.session("bound to a guarded object", SE_HMAC, SHA256, Symmetric::Null, Some((guarded, b"good")));
    t.plain("lockout auth", "HierarchyChangeAuth", &[RH_LOCKOUT], &[b""], Out::new().sized(b"lock"));
    t.plain("wrong", "DictionaryAttackLockReset", &[RH_LOCKOUT], &[b"bad"], Out::new());
    t.plain("right, but locked", "DictionaryAttackLockReset", &[RH_LOCKOUT], &[b"lock"], Out::new());
    properties(t, "lockout locked");
    for orderly in [true, false] {
        if orderly {
            t.plain("shutdown", "Shutdown", &[], &[], Out::new().u16(0));
        }
        t.power_cycle();
        t.startup();
        properties(t, "after a power cycle");
        t.plain("reset", "DictionaryAttackLockReset", &[RH_LOCKOUT], &[b"lock"], Out::new());
        let parent = primary(t, RH_OWNER, b"", &storage_parent());
        let guarded = loaded(t, "guarded", parent, b"good", b"data", &protected);
        t.plain("bad", "Unseal", &[guarded], &[b"bad"], Out::new());
        t.plain("good", "Unseal", &[guarded], &[b"good"], Out::new());
        properties(t, "used");
    }
    t.plain("clear", "Clear", &[RH_PLATFORM], &[b""], Out::new());
    properties(t, "cleared");
}

/// PP_Commands, and authorization of PCR and self-made policies for them.
pub(super) fn presence(t: &mut Tpm) {
    t.startup();
    let list = |codes: &[u32]| codes.iter().fold(Out::new().u32(codes.len() as u32), |p, c| p.u32(*c));
    for (on, off) in [
        (&[0x126u32, 0x121][..], &[][..]),
        (&[], &[0x126]),
        (&[0x17B], &[]),
        (&[0x12D], &[]),
        (&[], &[0x12D]),
        (&[0x120, 0x999], &[0x120]),
    ] {
        let p = Out::new().raw(&list(on).0).raw(&list(off).0);
        t.plain("set", "PP_Commands", &[RH_PLATFORM], &[b""], p.clone());
        t.plain("by owner", "PP_Commands", &[RH_OWNER], &[b""], p);
        t.plain("list", "GetCapability", &[], &[], Out::new().u32(3).u32(0).u32(200));
    }
    t.plain("presence needed?", "HierarchyControl", &[RH_PLATFORM], &[b""], Out::new().u32(RH_ENDORSEMENT).u8(1));
}
