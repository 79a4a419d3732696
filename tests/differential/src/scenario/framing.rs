//! Malformed commands: headers, sizes, tags, authorization areas, and every command with nothing in it.

use crate::codes::*;
use crate::table;
use crate::tpm::Tpm;
use crate::wire::Out;

fn header(tag: u16, code: u32, body: &[u8]) -> Vec<u8> {
    Out::new().u16(tag).u32(body.len() as u32 + 10).u32(code).raw(body).0
}

/// Tags, unknown codes, authorization sizes.
pub(super) fn framing(t: &mut Tpm) {
    t.startup();
    for tag in [0u16, 0x00C1, 0x00C2, 0x8000, 0x8003, 0x8001, 0x8002, 0x8021, 0xFFFF] {
        t.raw(&format!("tag {tag:#x}"), header(tag, 0x17B, &[0, 8]));
        t.raw(&format!("tag {tag:#x}, unknown code"), header(tag, 0x99, &[0, 8]));
    }
    for code in [0u32, 0x11E, 0x123, 0x12F, 0x141, 0x15A, 0x15F, 0x166, 0x175, 0x179, 0x194, 0x198, 0x1A1, 0x1A2, 0x200]
    {
        t.raw(&format!("code {code:#x}"), header(ST_NO_SESSIONS, code, &[]));
        t.raw(&format!("code {code:#x} with sessions"), header(ST_SESSIONS, code, &[0; 9]));
    }
    for code in [0x2000_0000u32, 0x2000_0001, 0x2000_1000, 0x8000_017B, 0x1_0000 | 0x17B, 0x0100_0000, 0xFFFF_FFFF] {
        t.raw(&format!("code {code:#x}"), header(ST_NO_SESSIONS, code, &[0, 1]));
    }
    let clear = |area: &[u8]| {
        let body = Out::new().u32(RH_LOCKOUT).u32(area.len() as u32).raw(area).0;
        header(ST_SESSIONS, 0x139, &body)
    };
    let pw = Out::new().u32(RS_PW).sized(&[]).u8(1).sized(&[]).0;
    t.raw("good", clear(&pw));
    t.raw("no sessions", header(ST_NO_SESSIONS, 0x139, &RH_LOCKOUT.to_be_bytes()));
    t.raw("empty area", clear(&[]));
    for n in 1..pw.len() {
        t.raw(&format!("{n} bytes of area"), clear(&pw[..n]));
    }
    for extra in 1..4usize {
        t.raw("bytes after the session", clear(&[&pw[..], &vec![0; extra]].concat()));
    }
    for count in 2..=4usize {
        t.raw(&format!("{count} passwords"), clear(&pw.repeat(count)));
    }
    for size in [0u32, 8, 10, 1000, 0xFFFF_FFFF] {
        let body = Out::new().u32(RH_LOCKOUT).u32(size).raw(&pw).0;
        t.raw(&format!("authorizationSize {size}"), header(ST_SESSIONS, 0x139, &body));
    }
    for attributes in 0..=255u8 {
        let area = Out::new().u32(RS_PW).sized(&[]).u8(attributes).sized(&[]).0;
        t.raw(&format!("attributes {attributes:#x}"), clear(&area));
    }
    for handle in
        [0u32, 0x0200_0000, 0x0300_0000, RH_NULL, RH_OWNER, 0x8000_0000, 0x0100_0000, 0x0200_0040, 0x4000_000D]
    {
        let area = Out::new().u32(handle).sized(&[]).u8(1).sized(&[]).0;
        t.raw(&format!("session {handle:#x}"), clear(&area));
    }
    let nonce = Out::new().u32(RS_PW).sized(&[1, 2, 3]).u8(1).sized(&[]).0;
    t.raw("password with nonce", clear(&nonce));
    let long = Out::new().u32(RS_PW).sized(&[]).u8(1).sized(&[0; 65]).0;
    t.raw("long password", clear(&long));
    let padded = Out::new().u32(RS_PW).sized(&[]).u8(1).sized(&[0; 32]).0;
    t.raw("password of zeros", clear(&padded));
    t.raw("parameters after the area", {
        let body = Out::new().u32(RH_LOCKOUT).u32(9).raw(&pw).u8(0).0;
        header(ST_SESSIONS, 0x139, &body)
    });
    t.raw("large", header(ST_NO_SESSIONS, 0x17B, &vec![0; 4086]));
    let session_command = Out::new().u32(9).raw(&pw).u16(8).0;
    t.raw("password for a command without handles", header(ST_SESSIONS, 0x17B, &session_command));
}

/// Every command with too little: each prefix of a body of zeros.
pub(super) fn empty_bodies(t: &mut Tpm) {
    t.startup();
    for (code, command) in table::commands() {
        if command.name == "Shutdown" {
            continue;
        }
        for n in [0usize, 1, 2, 3, 4, 6, 8, 12, 20, 40] {
            for (tag, kind) in [(ST_NO_SESSIONS, "no sessions"), (ST_SESSIONS, "sessions")] {
                t.raw(&format!("{} {n} zeros, {kind}", command.name), header(tag, *code, &vec![0; n]));
            }
        }
    }
}

const HANDLES: [u32; 22] = [
    0,
    16,
    23,
    24,
    0x0100_0000,
    0x0180_0000,
    0x0200_0000,
    0x0300_0000,
    RH_OWNER,
    RH_NULL,
    RS_PW,
    RH_LOCKOUT,
    RH_ENDORSEMENT,
    RH_PLATFORM,
    RH_PLATFORM_NV,
    0x4000_0010,
    0x8000_0000,
    0x8000_0003,
    0x8100_0000,
    0x8180_0000,
    0x9000_0000,
    0xFFFF_FFFF,
];

/// Every handle of every command set to every kind of handle, with empty passwords, and no parameters.
pub(super) fn any_handles(t: &mut Tpm) {
    t.startup();
    // These would change what the rest of the scenario sees.
    let dangerous = ["Clear", "ChangeEPS", "ChangePPS", "Shutdown"];
    for (code, command) in table::commands() {
        if dangerous.contains(&command.name) {
            continue;
        }
        for at in 0..command.handles.len() {
            for value in HANDLES {
                let mut body = Out::new();
                for (i, (_, kind, _)) in command.handles.iter().enumerate() {
                    let usual = match *kind {
                        "TPMI_RH_PLATFORM" => RH_PLATFORM,
                        "TPMI_RH_LOCKOUT" => RH_LOCKOUT,
                        "TPMI_RH_ENDORSEMENT" => RH_ENDORSEMENT,
                        "TPMI_DH_PCR" | "TPMI_DH_PCR+" => 16,
                        "TPMI_RH_NV_INDEX" => 0x0100_0000,
                        "TPMI_SH_POLICY" => 0x0300_0000,
                        "TPMI_SH_HMAC" => 0x0200_0000,
                        kind if kind.starts_with("TPMI_RH") => RH_OWNER,
                        _ => 0x8000_0000,
                    };
                    body = body.u32(if i == at { value } else { usual });
                }
                let authorizations = command.authorizations();
                let label = format!("{} handle {at} = {value:#x}", command.name);
                if authorizations == 0 {
                    t.raw(&label, header(ST_NO_SESSIONS, *code, &body.0));
                } else {
                    let pw = Out::new().u32(RS_PW).sized(&[]).u8(1).sized(&[]).0.repeat(authorizations);
                    let body = body.u32(pw.len() as u32).raw(&pw).0;
                    t.raw(&label, header(ST_SESSIONS, *code, &body));
                }
            }
        }
    }
}
