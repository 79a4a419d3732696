//! NV indices of all kinds, their authorizations, locks, and life across power cycles.

use super::common::*;
use crate::codes::*;
use crate::template::*;
use crate::tpm::Tpm;
use crate::wire::Out;

const OWNER: u32 = NV_OWNERWRITE | NV_OWNERREAD | NV_AUTHWRITE | NV_AUTHREAD | NV_NO_DA;

fn public(index: u32, alg: u16, attributes: u32, policy: &[u8], size: u16) -> Vec<u8> {
    Out::new().u32(index).u16(alg).u32(attributes).sized(policy).u16(size).0
}

fn define(t: &mut Tpm, label: &str, by: u32, public: &[u8]) -> u32 {
    t.plain(label, "NV_DefineSpace", &[by], &[b""], Out::new().sized(b"nv").sized(public)).rc
}

fn show(t: &mut Tpm, label: &str, index: u32, size: u16) {
    t.plain(label, "NV_ReadPublic", &[index], &[], Out::new());
    t.plain(label, "NV_Read", &[index, index], &[b"nv"], Out::new().u16(size).u16(0));
}

fn operate(t: &mut Tpm, label: &str, index: u32, auth: u32, pw: &[u8]) {
    t.plain(label, "NV_Write", &[auth, index], &[pw], Out::new().sized(&[1, 2, 3, 4, 5, 6, 7, 8]).u16(0));
    t.plain(label, "NV_Increment", &[auth, index], &[pw], Out::new());
    t.plain(label, "NV_SetBits", &[auth, index], &[pw], Out::new().u64(0x8000_0000_0000_0001));
    t.plain(label, "NV_SetBits", &[auth, index], &[pw], Out::new().u64(0x10));
    t.plain(label, "NV_Extend", &[auth, index], &[pw], Out::new().sized(b"event"));
    t.plain(label, "NV_Read", &[auth, index], &[pw], Out::new().u16(8).u16(0));
}

/// Definitions with good and bad attributes, sizes, algorithms, hierarchies.
pub(super) fn define_all(t: &mut Tpm) {
    t.startup();
    let index = 0x0150_0000;
    let mut attempt = |label: String, by: u32, area: Vec<u8>| {
        if define(t, &label, by, &area) == 0 {
            t.plain(&label, "NV_ReadPublic", &[index], &[], Out::new());
            t.plain(&label, "NV_UndefineSpace", &[by, index], &[b""], Out::new());
        }
    };
    for bit in 0..32 {
        for base in [OWNER, OWNER | NV_COUNTER, NV_POLICYREAD | NV_POLICYWRITE, OWNER | NV_PLATFORMCREATE] {
            for by in [RH_OWNER, RH_PLATFORM] {
                attempt(format!("bit {bit} on {base:#x}"), by, public(index, SHA256, base ^ 1 << bit, &[], 8));
            }
        }
    }
    for kind in 0..16u32 {
        for size in [0u16, 4, 8, 20, 32, 64, 2048, 2049] {
            attempt(format!("type {kind} size {size}"), RH_OWNER, public(index, SHA256, OWNER | kind << 4, &[], size));
        }
        let platform = NV_PPWRITE | NV_PPREAD | NV_PLATFORMCREATE | NV_NO_DA;
        attempt(
            format!("type {kind} orderly"),
            RH_OWNER,
            public(index, SHA256, OWNER | NV_ORDERLY | kind << 4, &[], 8),
        );
        attempt(format!("type {kind} platform"), RH_PLATFORM, public(index, SHA256, platform | kind << 4, &[], 8));
        let clear = OWNER | NV_CLEAR_STCLEAR | kind << 4;
        attempt(format!("type {kind} clear"), RH_OWNER, public(index, SHA256, clear, &[], 8));
        let pin = NV_OWNERWRITE | NV_AUTHREAD | kind << 4;
        attempt(format!("type {kind} without no_da"), RH_OWNER, public(index, SHA256, pin, &[], 8));
        attempt(format!("type {kind} PIN"), RH_OWNER, public(index, SHA256, pin | NV_NO_DA, &[], 8));
    }
    for alg in [SHA1, SHA384, SHA512, SM3, NULL, 0] {
        attempt(format!("name {alg:#x}"), RH_OWNER, public(index, alg, OWNER, &[], 8));
        attempt(format!("name {alg:#x}, policy"), RH_OWNER, public(index, alg, OWNER, &[7; 32], 8));
    }
    for n in [0usize, 1, 20, 31, 32, 33, 64, 65] {
        attempt(format!("policy of {n}"), RH_OWNER, public(index, SHA256, OWNER, &vec![1; n], 8));
    }
    for handle in [0x0100_0000u32, 0x01C0_0002, 0x0180_0000, 0x01FF_FFFF, 0x0200_0000, 0x8100_0000, 0, RH_OWNER] {
        attempt(format!("index {handle:#x}"), RH_OWNER, public(handle, SHA256, OWNER, &[], 8));
    }
    for by in [RH_ENDORSEMENT, RH_LOCKOUT, RH_NULL, 0] {
        attempt(format!("by {by:#x}"), by, public(index, SHA256, OWNER, &[], 8));
    }
    attempt("trailing byte in public".into(), RH_OWNER, [public(index, SHA256, OWNER, &[], 8), vec![0]].concat());
    attempt("no public".into(), RH_OWNER, Vec::new());
    for n in [0usize, 32, 33, 64, 65] {
        let p = Out::new().sized(&vec![1; n]).sized(&public(index + 1, SHA256, OWNER, &[], 8));
        t.plain(&format!("auth of {n}"), "NV_DefineSpace", &[RH_OWNER], &[b""], p);
        t.plain("undefine", "NV_UndefineSpace", &[RH_OWNER, index + 1], &[b""], Out::new());
    }
    let area = public(index, SHA256, OWNER, &[], 8);
    define(t, "twice", RH_OWNER, &area);
    define(t, "twice", RH_OWNER, &area);
    t.plain("undefine wrong", "NV_UndefineSpace", &[RH_OWNER, index + 7], &[b""], Out::new());
    t.plain("undefine platform", "NV_UndefineSpace", &[RH_PLATFORM, index], &[b""], Out::new());
    t.plain("handles", "GetCapability", &[], &[], Out::new().u32(1).u32(0x0100_0000).u32(10));
}

/// Each kind of index through its life.
pub(super) fn kinds(t: &mut Tpm) {
    t.startup();
    let kinds = [0, NV_COUNTER, NV_BITS, NV_EXTEND, NV_PIN_FAIL, NV_PIN_PASS];
    let mut indices = Vec::new();
    for (i, kind) in kinds.into_iter().enumerate() {
        for (j, extra) in [0, NV_ORDERLY, NV_CLEAR_STCLEAR, NV_ORDERLY | NV_CLEAR_STCLEAR].into_iter().enumerate() {
            let index = 0x0150_0000 + (i * 16 + j) as u32;
            let size = if kind == NV_EXTEND { 32 } else { 8 };
            let pin = matches!(kind, NV_PIN_FAIL | NV_PIN_PASS);
            let access = if pin { NV_OWNERWRITE | NV_OWNERREAD | NV_AUTHREAD | NV_NO_DA } else { OWNER };
            let locks = NV_WRITE_STCLEAR | NV_READ_STCLEAR;
            let label = format!("kind {kind:#x} with {extra:#x}");
            if define(t, &label, RH_OWNER, &public(index, SHA256, access | kind | extra | locks, &[], size)) == 0 {
                indices.push((label, index, size));
            }
        }
    }
    for cycle in 0..4 {
        for (label, index, size) in &indices {
            show(t, label, *index, *size);
            operate(t, label, *index, *index, b"nv");
            operate(t, label, *index, RH_OWNER, b"");
            show(t, label, *index, *size);
            operate(t, label, *index, *index, b"wrong");
            operate(t, label, *index, RH_PLATFORM, b"");
            for (n, at) in
                [(0u16, 0u16), (1, 7), (1, 8), (4, 4), (9, 0), (8, 1), (0xFFFF, 1), (2, 0xFFFF), (0, 8), (0, 9)]
            {
                t.plain(
                    &format!("{label} {n} at {at}"),
                    "NV_Read",
                    &[RH_OWNER, *index],
                    &[b""],
                    Out::new().u16(n).u16(at),
                );
                let data = vec![0x5A; n.min(1030).into()];
                t.plain(label, "NV_Write", &[RH_OWNER, *index], &[b""], Out::new().sized(&data).u16(at));
            }
        }
        if cycle == 1 {
            for (label, index, size) in &indices {
                t.plain(label, "NV_ReadLock", &[*index, *index], &[b"nv"], Out::new());
                t.plain(label, "NV_WriteLock", &[RH_OWNER, *index], &[b""], Out::new());
                show(t, label, *index, *size);
                operate(t, label, *index, RH_OWNER, b"");
            }
        }
        match cycle {
            0 => drop(t.plain("clear", "Shutdown", &[], &[], Out::new().u16(0))),
            1 => drop(t.plain("state", "Shutdown", &[], &[], Out::new().u16(1))),
            _ => {}
        }
        t.power_cycle();
        if cycle != 1 || t.plain("resume", "Startup", &[], &[], Out::new().u16(1)).rc != 0 {
            t.startup();
        }
    }
}

/// Write locks of every kind, the global lock, and changing authorization.
pub(super) fn locks(t: &mut Tpm) {
    t.startup();
    let area = [
        NV_WRITEDEFINE,
        NV_WRITE_STCLEAR,
        NV_GLOBALLOCK,
        NV_WRITEALL,
        NV_READ_STCLEAR,
        0,
        NV_WRITEDEFINE | NV_WRITE_STCLEAR,
    ];
    for (i, lock) in area.into_iter().enumerate() {
        let index = 0x0160_0000 + i as u32;
        let label = format!("lock {lock:#x}");
        define(t, &label, RH_OWNER, &public(index, SHA256, OWNER | lock, &[], 8));
        t.plain(&label, "NV_Read", &[index, index], &[b"nv"], Out::new().u16(8).u16(0));
        t.plain(&label, "NV_ReadLock", &[index, index], &[b"nv"], Out::new());
        t.plain(&label, "NV_WriteLock", &[index, index], &[b"nv"], Out::new());
        t.plain(&label, "NV_Write", &[index, index], &[b"nv"], Out::new().sized(&[1; 4]).u16(0));
        t.plain(&label, "NV_Write", &[index, index], &[b"nv"], Out::new().sized(&[1; 8]).u16(0));
        show(t, &label, index, 8);
    }
    t.plain("global", "NV_GlobalWriteLock", &[RH_OWNER], &[b""], Out::new());
    for cycle in 0..2 {
        for i in 0..7 {
            let index = 0x0160_0000 + i;
            let label = format!("cycle {cycle} index {i}");
            t.plain(&label, "NV_Write", &[index, index], &[b"nv"], Out::new().sized(&[2; 8]).u16(0));
            t.plain(&label, "NV_WriteLock", &[index, index], &[b"nv"], Out::new());
            t.plain(&label, "NV_Write", &[index, index], &[b"nv"], Out::new().sized(&[3; 8]).u16(0));
            show(t, &label, index, 8);
            t.plain(&label, "NV_ChangeAuth", &[index], &[b"nv"], Out::new().sized(b"new"));
        }
        t.power_cycle();
        t.startup();
    }
    t.plain("by platform", "NV_GlobalWriteLock", &[RH_PLATFORM], &[b""], Out::new());
    t.plain("by endorsement", "NV_GlobalWriteLock", &[RH_ENDORSEMENT], &[b""], Out::new());
    t.plain("special", "NV_UndefineSpaceSpecial", &[0x0160_0000, RH_PLATFORM], &[b"nv", b""], Out::new());
    // Counters start above every counter that was deleted.
    for round in 0..3 {
        let index = 0x0170_0000 + round;
        define(t, "counter", RH_OWNER, &public(index, SHA256, OWNER | NV_COUNTER, &[], 8));
        for _ in 0..=round {
            t.plain("count", "NV_Increment", &[index, index], &[b"nv"], Out::new());
        }
        show(t, "counter", index, 8);
        t.plain("delete", "NV_UndefineSpace", &[RH_OWNER, index], &[b""], Out::new());
    }
}

/// Space: many indices until no more fit.
pub(super) fn space(t: &mut Tpm) {
    t.startup();
    for i in 0..80u32 {
        let size = [2048u16, 1024, 8, 400][i as usize % 4];
        define(t, &format!("number {i} of {size}"), RH_OWNER, &public(0x0150_0000 + i, SHA256, OWNER, &[], size));
    }
    for i in 0..10u32 {
        define(t, "orderly", RH_OWNER, &public(0x0151_0000 + i, SHA256, OWNER | NV_ORDERLY, &[], 500));
        define(t, "counter", RH_OWNER, &public(0x0152_0000 + i, SHA256, OWNER | NV_COUNTER | NV_ORDERLY, &[], 8));
    }
    t.plain("how many", "GetCapability", &[], &[], Out::new().u32(1).u32(0x0100_0000).u32(1000));
    t.plain("properties", "GetCapability", &[], &[], Out::new().u32(6).u32(0x200).u32(40));
}

/// User NV filled to the last byte with Indexes, counters and persistent objects.
pub(super) fn room(t: &mut Tpm) {
    t.startup();
    let properties = |t: &mut Tpm, label: &str| {
        t.plain(label, "GetCapability", &[], &[], Out::new().u32(6).u32(0x202).u32(10));
    };
    properties(t, "empty");
    let mut next = 0x0150_0000;
    for size in [2048u16, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1, 0] {
        while define(t, &format!("ordinary of {size}"), RH_OWNER, &public(next, SHA256, OWNER, &[], size)) == 0 {
            next += 1;
        }
        properties(t, "after ordinary ones");
    }
    for i in 0..12u32 {
        define(t, "counter", RH_OWNER, &public(0x0152_0000 + i, SHA256, OWNER | NV_COUNTER, &[], 8));
        properties(t, "after a counter");
    }
    let key = primary(t, RH_OWNER, b"", &storage_parent());
    for i in 0..10u32 {
        t.plain("persist", "EvictControl", &[RH_OWNER, key], &[b""], Out::new().u32(0x8100_0100 + i));
        properties(t, "after an object");
    }
    for index in [0x0150_0000u32, 0x0150_0001] {
        t.plain("undefine", "NV_UndefineSpace", &[RH_OWNER, index], &[b""], Out::new());
    }
    t.plain("persist", "EvictControl", &[RH_OWNER, key], &[b""], Out::new().u32(0x8100_0200));
    properties(t, "at the end");
}

/// Certification and reading with a PIN.
pub(super) fn pin(t: &mut Tpm) {
    t.startup();
    let key = external_ecc(t, 3, &[7; 32], EXTERNAL_SIGN, scheme(ECDSA, SHA256));
    for (i, kind) in [NV_PIN_FAIL, NV_PIN_PASS].into_iter().enumerate() {
        let index = 0x0150_0000 + i as u32;
        let access = NV_OWNERWRITE | NV_OWNERREAD | NV_AUTHREAD | NV_NO_DA | kind;
        define(t, "PIN", RH_OWNER, &public(index, SHA256, access, &[], 8));
        t.plain("before", "NV_Read", &[index, index], &[b"nv"], Out::new().u16(8).u16(0));
        let write = |count: u32, limit: u32| Out::new().sized(&Out::new().u32(count).u32(limit).0).u16(0);
        t.plain("part", "NV_Write", &[RH_OWNER, index], &[b""], Out::new().sized(&[0; 4]).u16(0));
        t.plain("limit 2", "NV_Write", &[RH_OWNER, index], &[b""], write(0, 2));
        for pw in [&b"nv"[..], b"bad", b"nv", b"bad", b"bad", b"nv", b"nv"] {
            t.plain("use", "NV_Read", &[index, index], &[pw], Out::new().u16(8).u16(0));
            t.plain("look", "NV_Read", &[RH_OWNER, index], &[b""], Out::new().u16(8).u16(0));
        }
        t.plain("reset", "NV_Write", &[RH_OWNER, index], &[b""], write(0, 3));
        t.plain("look", "NV_Read", &[RH_OWNER, index], &[b""], Out::new().u16(8).u16(0));
        for (size, offset) in [(8u16, 0u16), (4, 4), (0, 0), (9, 0), (8, 1)] {
            let p = Out::new().sized(b"q").u16(NULL).u16(size).u16(offset);
            t.plain("certify", "NV_Certify", &[key, RH_OWNER, index], &[b"", b""], p);
        }
        let p = Out::new().sized(b"q").u16(NULL).u16(8).u16(0);
        t.plain("certify unsigned", "NV_Certify", &[RH_NULL, RH_OWNER, index], &[b"", b""], p);
    }
}
