//! Questions to a TPM that was filled. The answers of two TPMs with the same state are the same.

use crate::client::Client;
use crate::fill::{
    AUTH, ENDORSEMENT_AUTH, Fill, HMAC_KEY, INDEXES, LOCKOUT_AUTH, OWNER_AUTH, Outside, PERSISTENT, SIGN_ECC, SRK,
};
use sealwright_differential::codes::*;
use sealwright_differential::session::{attributed, password};
use sealwright_differential::template::*;
use sealwright_differential::tpm::Call;
use sealwright_differential::wire::Out;

/// Capabilities that say what state there is: handles, PCR, audited commands, variable properties.
fn capabilities(c: &mut Client<'_>) {
    for first in [0x0100_0000u32, 0x0200_0000, 0x0300_0000, 0x8000_0000, 0x8100_0000, 0x4000_0000, 0] {
        let what = Out::new().u32(1).u32(first).u32(64);
        c.ask(&format!("handles from {first:#010x}"), "GetCapability", &[], &[], what);
    }
    c.ask("physical presence commands", "GetCapability", &[], &[], Out::new().u32(3).u32(0x11F).u32(64));
    c.ask("audited commands", "GetCapability", &[], &[], Out::new().u32(4).u32(0x11F).u32(64));
    c.ask("PCR", "GetCapability", &[], &[], Out::new().u32(5).u32(0).u32(64));
    for property in [0x200u32, 0x201, 0x202, 0x203, 0x204, 0x205, 0x206, 0x208, 0x20A, 0x20B, 0x20C, 0x20E, 0x20F]
        .into_iter()
        .chain(0x210..=0x214)
        .chain([0x10B, 0x10C])
    {
        let label = format!("property {property:#x}");
        c.ask(&label, "GetCapability", &[], &[], Out::new().u32(6).u32(property).u32(1));
    }
    for alg in [SHA1, SHA256, SHA384, SHA512] {
        for map in [[0xFF, 0, 0], [0, 0xFF, 0], [0, 0, 0xFF]] {
            c.ask("PCR values", "PCR_Read", &[], &[], pcrs(alg, map));
        }
    }
}

fn nv(c: &mut Client<'_>) {
    for (index, _, size, fill) in INDEXES {
        let label = format!("index {index:#x}");
        c.ask(&label, "NV_ReadPublic", &[index], &[], Out::new());
        for start in (0..size).step_by(1024) {
            let length = (size - start).min(1024);
            c.ask(&label, "NV_Read", &[index, index], &[AUTH], Out::new().u16(length).u16(start));
        }
        c.ask(&label, "NV_Read", &[RH_OWNER, index], &[OWNER_AUTH], Out::new().u16(8).u16(0));
        match fill {
            Fill::Count(_) | Fill::Nothing => {
                c.ask(&label, "NV_Increment", &[index, index], &[AUTH], Out::new());
                c.ask(&label, "NV_Read", &[index, index], &[AUTH], Out::new().u16(8).u16(0));
            }
            Fill::Bits => drop(c.ask(&label, "NV_SetBits", &[index, index], &[AUTH], Out::new().u64(0x10))),
            Fill::Extend => drop(c.ask(&label, "NV_Extend", &[index, index], &[AUTH], Out::new().sized(b"more"))),
            _ => {
                let data = Out::new().sized(&[1, 2, 3, 4, 5, 6, 7, 8]).u16(0);
                c.ask(&label, "NV_Write", &[index, index], &[AUTH], data);
            }
        }
        c.ask(&label, "NV_Read", &[index, index], &[AUTH], Out::new().u16(8).u16(0));
        c.ask(&label, "NV_ReadPublic", &[index], &[], Out::new());
    }
    c.ask("certificate", "NV_ReadPublic", &[0x01C0_0002], &[], Out::new());
    c.ask("certificate", "NV_Read", &[RH_OWNER, 0x01C0_0002], &[OWNER_AUTH], Out::new().u16(900).u16(0));
    // A new counter begins above the one that was deleted.
    let attributes = NV_AUTHREAD | NV_AUTHWRITE | NV_NO_DA | NV_COUNTER;
    let public = Out::new().u32(0x0150_00F0).u16(SHA256).u32(attributes).sized(&[]).u16(8).0;
    let definition = Out::new().sized(AUTH).sized(&public);
    c.ask("new counter", "NV_DefineSpace", &[RH_OWNER], &[OWNER_AUTH], definition);
    c.ask("new counter", "NV_Increment", &[0x0150_00F0, 0x0150_00F0], &[AUTH], Out::new());
    c.ask("new counter", "NV_Read", &[0x0150_00F0, 0x0150_00F0], &[AUTH], Out::new().u16(8).u16(0));
}

/// Primary keys come from the seeds: the whole response is the same, with its ticket.
fn primaries(c: &mut Client<'_>) {
    let templates = [
        ("RSA storage", rsa(STORAGE, aes_cfb(128), null(), 2048)),
        ("RSA-1024 signing", rsa(SIGNING, null(), scheme(RSAPSS, SHA256), 1024)),
        ("ECC storage", storage_parent()),
        ("P-384", ecc_named(SHA384, SIGNING, null(), null(), 4)),
        ("HMAC", keyed_hash(SIGNING, scheme(HMAC, SHA256), &[])),
        ("AES", symmetric(DECRYPTION | KEY_SIGN, AES, 128, CFB)),
        ("sealed", keyed_hash(FIXED_TPM | FIXED_PARENT | USER_WITH_AUTH, null(), &[])),
    ];
    let hierarchies: [(u32, &[u8]); 3] =
        [(RH_OWNER, OWNER_AUTH), (RH_ENDORSEMENT, ENDORSEMENT_AUTH), (RH_PLATFORM, b"")];
    for (hierarchy, auth) in hierarchies {
        for (name, public) in &templates {
            let data: &[u8] = if *name == "sealed" { b"data" } else { b"" };
            let label = format!("{name} in {hierarchy:#x}");
            let made = c.ask(&label, "CreatePrimary", &[hierarchy], &[auth], create(AUTH, data, public));
            c.flush(made.handle);
        }
    }
}

fn keys(c: &mut Client<'_>, outside: &Outside) {
    for handle in PERSISTENT {
        c.ask(&format!("{handle:#x}"), "ReadPublic", &[handle], &[], Out::new());
    }
    for (label, parent, private, public, sealed) in &outside.children {
        let loaded = c.ask(label, "Load", &[*parent], &[b""], Out::new().sized(private).sized(public));
        c.ask(label, "ReadPublic", &[loaded.handle], &[], Out::new());
        if *sealed {
            c.ask(label, "Unseal", &[loaded.handle], &[AUTH], Out::new());
        }
        c.flush(loaded.handle);
    }
    let none = || Out::new().u16(0x8024).u32(RH_NULL).sized(&[]);
    let sign = |key: u32, auth: &'static [u8], c: &mut Client<'_>| {
        c.ask("HMAC", "MAC", &[key], &[auth], Out::new().sized(b"a message").u16(SHA256));
    };
    sign(HMAC_KEY, b"", c);
    // Deterministic: RSASSA.
    c.ask("RSASSA", "Sign", &[0x8100_0003], &[b""], Out::new().sized(&[1; 32]).u16(NULL).raw(&none().0));
    c.only_code("ECDSA", "Sign", &[SIGN_ECC], &[AUTH], Out::new().sized(&[1; 32]).u16(NULL).raw(&none().0));
    let encrypt = Out::new().u8(0).u16(NULL).sized(&[3; 16]).sized(&[4; 48]);
    c.ask("AES", "EncryptDecrypt", &[0x8100_0006], &[b""], encrypt);
    c.ask("credential", "MakeCredential", &[SRK], &[], Out::new().sized(&[]).sized(&[1; 34]));
    // The ticket of a hash that the old TPM made lets a restricted key sign, here only a key that needs none.
    let digest = [
        0xF5, 0x3C, 0x09, 0xCA, 0x39, 0x71, 0x7A, 0x45, 0xC6, 0x2D, 0x9A, 0xCA, 0x8F, 0x81, 0x13, 0xED, 0xDB, 0xFD,
        0x5F, 0x81, 0xDC, 0xAB, 0x0B, 0x33, 0xB1, 0xC1, 0x83, 0x40, 0x75, 0x22, 0x5E, 0x68,
    ];
    c.only_code("ticket", "Sign", &[SIGN_ECC], &[AUTH], Out::new().sized(&digest).u16(NULL).raw(&outside.ticket));
    c.ask("ticket again", "Hash", &[], &[], Out::new().sized(b"a message").u16(SHA256).u32(RH_OWNER));
}

/// What a load of a saved context gives, and whether it works.
fn contexts(c: &mut Client<'_>, outside: &Outside) {
    for (label, context) in &outside.contexts {
        let loaded = c.ask(label, "ContextLoad", &[], &[], Out::new().raw(context));
        let handle = loaded.handle;
        if loaded.rc != 0 {
            continue;
        }
        match *label {
            "hash sequence" | "HMAC sequence" => {
                let end = Out::new().sized(b"the end").u32(RH_OWNER);
                c.ask(label, "SequenceComplete", &[handle], &[AUTH], end);
            }
            "event sequence" => {
                let end = Out::new().sized(b"the end");
                c.ask(label, "EventSequenceComplete", &[RH_NULL, handle], &[b"", AUTH], end);
            }
            "policy session" => {
                c.ask(label, "PolicyGetDigest", &[handle], &[], Out::new());
                c.flush(handle);
            }
            "HMAC session" => c.flush(handle),
            "sealed data" => {
                c.ask(label, "Unseal", &[handle], &[AUTH], Out::new());
                c.flush(handle);
            }
            _ => {
                c.ask(label, "ReadPublic", &[handle], &[], Out::new());
                let saved = c.send(label, "ContextSave", &[handle], &[], Out::new(), Some(26));
                c.ask(label, "ContextLoad", &[], &[], Out::new().raw(&saved.parameters));
                c.flush(0x8000_0000);
                c.flush(0x8000_0001);
                c.flush(0x8000_0002);
            }
        }
    }
}

/// What stayed loaded in a TPM that was not powered off.
pub fn loaded(c: &mut Client<'_>, outside: &Outside) {
    for (label, handle) in &outside.loaded {
        c.ask(label, "ReadPublic", &[*handle], &[], Out::new());
    }
    c.ask("session", "PolicyGetDigest", &[outside.session], &[], Out::new());
    let (_, parent, private, public, _) = &outside.children[0];
    let (label, first) = outside.loaded[0];
    c.flush(first);
    let sealed = c.ask(label, "Load", &[*parent], &[b""], Out::new().sized(private).sized(public));
    c.ask("session", "Unseal", &[sealed.handle], &[AUTH], Out::new());
    // A policy session that does not fit: the same refusal.
    let unseal = Call {
        name: "Unseal",
        handles: vec![sealed.handle],
        uses: vec![attributed(outside.session, CONTINUE, b"")],
        parameters: Vec::new(),
    };
    c.call("session", &unseal, None);
    c.flush(sealed.handle);
    let end = Out::new().sized(b"the last part").u32(RH_OWNER);
    c.ask("sequence", "SequenceComplete", &[outside.sequence], &[AUTH], end);
    for (_, handle) in &outside.loaded[1..] {
        c.flush(*handle);
    }
    c.flush(outside.session);
}

fn administration(c: &mut Client<'_>) {
    c.ask("owner, wrong", "ClearControl", &[RH_LOCKOUT], &[b"no"], Out::new().u8(1));
    for _ in 0..2 {
        let digest = Out::new().sized(&[1; 32]).u16(NULL).u16(0x8024).u32(RH_NULL).sized(&[]);
        c.ask("wrong authorization", "Sign", &[SIGN_ECC], &[b"wrong"], digest);
    }
    c.ask("failed tries", "GetCapability", &[], &[], Out::new().u32(6).u32(0x20E).u32(1));
    let reset = Call {
        name: "DictionaryAttackLockReset",
        handles: vec![RH_LOCKOUT],
        uses: vec![password(LOCKOUT_AUTH)],
        parameters: Vec::new(),
    };
    c.call("lockout", &reset, None);
    c.ask("owner", "HierarchyControl", &[RH_OWNER], &[OWNER_AUTH], Out::new().u32(RH_OWNER).u8(0));
    c.ask("owner off", "CreatePrimary", &[RH_OWNER], &[OWNER_AUTH], create(b"", b"", &storage_parent()));
    c.ask("owner on", "HierarchyControl", &[RH_PLATFORM], &[b""], Out::new().u32(RH_OWNER).u8(1));
    c.ask("clear", "Clear", &[RH_PLATFORM], &[b""], Out::new());
    c.ask("owner after Clear", "HierarchyChangeAuth", &[RH_OWNER], &[b""], Out::new().sized(b""));
    c.ask("handles after Clear", "GetCapability", &[], &[], Out::new().u32(1).u32(0x8100_0000).u32(64));
    c.ask("indexes after Clear", "GetCapability", &[], &[], Out::new().u32(1).u32(0x0100_0000).u32(64));
}

/// Everything.
pub fn probe(c: &mut Client<'_>, outside: &Outside) {
    capabilities(c);
    contexts(c, outside);
    nv(c);
    keys(c, outside);
    primaries(c);
    administration(c);
}

/// Labels of answers that differ by nature: they hold random numbers.
pub const RANDOM: &[&str] = &["credential"];
