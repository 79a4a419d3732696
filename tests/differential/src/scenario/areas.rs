//! Every command with every kind of handle, in front of objects that are there, and with parameters of every length: what
//! is wrong first decides the response code.

use super::common::*;
use crate::codes::*;
use crate::crypto::Symmetric;
use crate::table::{self, Command};
use crate::template::*;
use crate::tpm::Tpm;
use crate::wire::Out;

const INDEX: u32 = 0x0100_0000;
const PERSISTENT: u32 = 0x8100_0000;

/// Commands that would change what the rest of a scenario sees.
const DANGEROUS: [&str; 7] =
    ["Clear", "ChangeEPS", "ChangePPS", "Shutdown", "Startup", "DictionaryAttackParameters", "ReadOnlyControl"];

/// What is there while the commands are sent.
struct Present {
    key: u32,
    sequence: u32,
    hmac: u32,
    policy: u32,
}

fn header(tag: u16, code: u32, body: &[u8]) -> Vec<u8> {
    Out::new().u16(tag).u32(body.len() as u32 + 10).u32(code).raw(body).0
}

fn index(t: &mut Tpm) {
    let attributes = NV_OWNERWRITE | NV_OWNERREAD | NV_AUTHWRITE | NV_AUTHREAD | NV_NO_DA;
    let public = Out::new().u32(INDEX).u16(SHA256).u32(attributes).sized(&[]).u16(8).0;
    t.plain("index", "NV_DefineSpace", &[RH_OWNER], &[b""], Out::new().sized(&[]).sized(&public));
}

fn persistent(t: &mut Tpm, key: u32) {
    t.plain("persistent", "EvictControl", &[RH_OWNER, key], &[b""], Out::new().u32(PERSISTENT));
}

fn sequence(t: &mut Tpm) -> u32 {
    t.plain("sequence", "HashSequenceStart", &[], &[], Out::new().sized(&[]).u16(SHA256)).handle
}

fn prepare(t: &mut Tpm) -> Present {
    t.startup();
    let key = primary(t, RH_OWNER, b"", &storage_parent());
    persistent(t, key);
    index(t);
    Present {
        key,
        sequence: sequence(t),
        hmac: t.session("HMAC session", SE_HMAC, SHA256, Symmetric::Null, None),
        policy: t.session("policy session", SE_POLICY, SHA256, Symmetric::Null, None),
    }
}

impl Present {
    /// A handle that fits the place, and is there.
    fn usual(&self, command: &str, kind: &str) -> u32 {
        match kind {
            "TPMI_RH_PLATFORM" => RH_PLATFORM,
            "TPMI_RH_LOCKOUT" => RH_LOCKOUT,
            "TPMI_RH_ENDORSEMENT" => RH_ENDORSEMENT,
            kind if kind.starts_with("TPMI_DH_PCR") => 16,
            "TPMI_RH_NV_INDEX" => INDEX,
            "TPMI_SH_POLICY" => self.policy,
            "TPMI_SH_HMAC" => self.hmac,
            kind if kind.starts_with("TPMI_RH") => RH_OWNER,
            _ if command.contains("Sequence") => self.sequence,
            _ => self.key,
        }
    }

    /// The command with these handles, passwords and parameters; what it made is flushed, what it removed is made again.
    fn send(&mut self, t: &mut Tpm, label: &str, command: &Command, handles: &[u32], passwords: usize, p: &[u8]) {
        let mut body = handles.iter().fold(Out::new(), |b, h| b.u32(*h));
        if passwords > 0 {
            let one = Out::new().u32(RS_PW).sized(&[]).u8(1).sized(&[]).0;
            body = body.u32((one.len() * passwords) as u32).raw(&one.repeat(passwords));
        }
        let tag = if passwords > 0 { ST_SESSIONS } else { ST_NO_SESSIONS };
        let reply = t.raw(label, header(tag, command.code, &body.raw(p).0));
        if reply.rc != 0 {
            return;
        }
        if reply.handle != 0 {
            t.flush(reply.handle);
        }
        match command.name {
            "NV_UndefineSpace" | "NV_UndefineSpaceSpecial" => index(t),
            "EvictControl" => persistent(t, self.key),
            "SequenceComplete" | "EventSequenceComplete" => self.sequence = sequence(t),
            _ => {}
        }
    }
}

/// Every handle of every command set to every kind of handle, with objects, sessions and an Index that are there.
pub(super) fn present_handles(t: &mut Tpm) {
    let mut present = prepare(t);
    let candidates = |p: &Present| {
        [
            0,
            16,
            24,
            INDEX,
            INDEX + 1,
            p.hmac,
            p.policy,
            p.hmac ^ 0x0100_0000,
            RH_OWNER,
            RH_NULL,
            RS_PW,
            RH_LOCKOUT,
            RH_ENDORSEMENT,
            RH_PLATFORM,
            RH_PLATFORM_NV,
            0x4000_0010,
            0x4000_0110,
            p.key,
            p.sequence,
            PERSISTENT,
            PERSISTENT + 1,
            0x9000_0000,
            0x1100_0000,
        ]
    };
    for command in table::commands().values().filter(|c| !DANGEROUS.contains(&c.name)) {
        for at in 0..command.handles.len() {
            for n in 0..candidates(&present).len() {
                let value = candidates(&present)[n];
                let mut handles: Vec<u32> =
                    command.handles.iter().map(|(_, kind, _)| present.usual(command.name, kind)).collect();
                handles[at] = value;
                let enough = command.authorizations();
                // Two zeros are an empty first parameter of many commands.
                for (passwords, parameters) in [(enough, 0), (enough, 2), (enough + 1, 0)] {
                    let label = format!("{} handle {at} = {value:#x}, {passwords} passwords", command.name);
                    present.send(t, &label, command, &handles, passwords, &vec![0; parameters]);
                }
            }
        }
    }
}

/// Every command with handles that fit and parameters of zeros, ones and 0xFF of every length, so that each parameter in
/// turn is the one that is wrong.
pub(super) fn parameters_of_all_lengths(t: &mut Tpm) {
    let mut present = prepare(t);
    for command in table::commands().values().filter(|c| !DANGEROUS.contains(&c.name)) {
        for fill in [0u8, 1, 0xFF] {
            for n in (0..=24).chain([28, 32, 36, 40, 48, 64, 96, 128]) {
                let handles: Vec<u32> =
                    command.handles.iter().map(|(_, kind, _)| present.usual(command.name, kind)).collect();
                let label = format!("{} with {n} bytes of {fill}", command.name);
                present.send(t, &label, command, &handles, command.authorizations(), &vec![fill; n]);
            }
        }
    }
}

/// Every command without its authorizations, with too many, and with one whose attributes do not fit.
pub(super) fn authorizations(t: &mut Tpm) {
    let mut present = prepare(t);
    for command in table::commands().values().filter(|c| !DANGEROUS.contains(&c.name)) {
        let handles: Vec<u32> = command.handles.iter().map(|(_, kind, _)| present.usual(command.name, kind)).collect();
        for passwords in 0..=4 {
            let label = format!("{} with {passwords} passwords", command.name);
            present.send(t, &label, command, &handles, passwords, &[0; 4]);
        }
        for session in [present.hmac, present.policy, RS_PW] {
            for attributes in [0u8, 1, 2, 4, 8, 0x20, 0x40, 0x60, 0x80, 0xE1] {
                let one = Out::new().u32(session).sized(&[]).u8(attributes).sized(&[]).0;
                let mut extra = Out::new();
                for _ in 0..command.authorizations() {
                    extra = extra.u32(RS_PW).sized(&[]).u8(1).sized(&[]);
                }
                let body = handles.iter().fold(Out::new(), |b, h| b.u32(*h));
                let label = format!("{} session {session:#x} attributes {attributes:#x}", command.name);
                for area in [one.clone(), extra.clone().raw(&one).0] {
                    let body = body.clone().u32(area.len() as u32).raw(&area).raw(&[0; 4]);
                    t.raw(&label, header(ST_SESSIONS, command.code, &body.0));
                }
            }
        }
    }
}

/// Every code that is not a command, among them those that differ from one by a single bit.
pub(super) fn codes(t: &mut Tpm) {
    t.startup();
    let known = |code: u32| table::commands().contains_key(&code);
    let near = (0..=0x220).chain(0x0000_FF00..0x0000_FF08).chain(0x2000_0000..0x2000_0220);
    for code in near.filter(|code| !known(*code)) {
        t.raw(&format!("code {code:#x}"), header(ST_NO_SESSIONS, code, &[]));
        t.raw(&format!("code {code:#x} with sessions"), header(ST_SESSIONS, code, &[0; 13]));
    }
    for code in table::commands().keys() {
        for bit in 9..32 {
            t.raw(&format!("code {:#x}", code ^ 1 << bit), header(ST_NO_SESSIONS, code ^ 1 << bit, &[0; 4]));
        }
    }
}

/// Header sizes that are not the number of bytes sent, and commands that come in pieces.
pub(super) fn sizes(t: &mut Tpm) {
    t.startup();
    let command = |size: u32, body: usize| Out::new().u16(ST_NO_SESSIONS).u32(size).u32(0x17C).raw(&vec![0; body]).0;
    t.pieces("the right size", &[&command(10, 0)]);
    for size in [0u32, 1, 6, 9] {
        t.pieces(&format!("size {size} and 10 bytes"), &[&command(size, 0)]);
        t.pieces(&format!("size {size} and 14 bytes"), &[&command(size, 4)]);
    }
    for size in [11u32, 12, 4096] {
        t.pieces(&format!("size {size} and 10 bytes"), &[&command(size, 0)]);
    }
    for size in [4097u32, 0x1_0000, 0x8000_0000, 0xFFFF_FFFF] {
        t.pieces(&format!("size {size:#x} and 10 bytes"), &[&command(size, 0)]);
        t.pieces(&format!("size {size:#x} and 100 bytes"), &[&command(size, 90)]);
        t.plain("still there", "ReadClock", &[], &[], Out::new());
    }
    t.pieces("size 10 and 12 bytes", &[&command(10, 2)]);
    t.pieces("4096 bytes", &[&command(4096, 4086)]);
    t.pieces("4097 bytes", &[&command(4097, 4087)]);
    t.pieces("6000 bytes", &[&command(6000, 5990)]);
    t.plain("still there", "ReadClock", &[], &[], Out::new());
    let whole = command(10, 0);
    for at in [1usize, 2, 6, 9] {
        t.pieces(&format!("in pieces of {at} and the rest"), &[&whole[..at], &whole[at..]]);
    }
    let random = Out::new().u16(ST_NO_SESSIONS).u32(12).u32(0x17B).u16(0).0;
    t.pieces("in pieces of 10 and 2", &[&random[..10], &random[10..]]);
    t.pieces("in pieces of 11 and 1", &[&random[..11], &random[11..]]);
    t.pieces("two commands at once", &[&[&whole[..], &whole].concat()]);
    t.plain("still there", "ReadClock", &[], &[], Out::new());
}
