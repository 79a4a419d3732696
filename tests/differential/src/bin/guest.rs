//! What guests ask of their TPM day by day, sent to a daemon: `cargo xtask layout` looks which functions serve it.

use sealwright_differential::codes::*;
use sealwright_differential::crypto::Symmetric;
use sealwright_differential::daemon::{Daemon, Setting, new_folder};
use sealwright_differential::scenario::salt_for;
use sealwright_differential::session::{attributed, with};
use sealwright_differential::template::*;
use sealwright_differential::tpm::Tpm;
use sealwright_differential::wire::Out;
use std::path::Path;
use std::process::ExitCode;

const SRK: u32 = 0x8100_0001;
const INDEX: u32 = 0x0150_0000;

/// Firmware, boot loader and kernel: what they ask, and their measurements.
fn boot(t: &mut Tpm) {
    t.startup();
    t.plain("self test", "SelfTest", &[], &[], Out::new().u8(0));
    for (capability, first) in [(0, 1), (2, 0x11F), (5, 0), (6, 0x100), (6, 0x200), (8, 1)] {
        t.plain("capability", "GetCapability", &[], &[], Out::new().u32(capability).u32(first).u32(64));
    }
    let digests = [SHA1, SHA256, SHA384, SHA512].map(|hash| (hash, vec![7; digest_size(hash)]));
    let all = digests.iter().fold(Out::new().u32(4), |out, (hash, digest)| out.u16(*hash).raw(digest));
    let one = Out::new().u32(1).u16(SHA256).raw(&[7; 32]);
    for pcr in 0..16 {
        t.plain("measurement", "PCR_Extend", &[pcr], &[b""], all.clone());
        t.plain("measurement", "PCR_Extend", &[pcr], &[b""], one.clone());
        t.plain("entropy", "GetRandom", &[], &[], Out::new().u16(32));
        t.plain("clock", "ReadClock", &[], &[], Out::new());
    }
    t.plain("event", "PCR_Event", &[8], &[b""], Out::new().sized(&[7; 100]));
    for hash in [SHA1, SHA256, SHA384] {
        t.plain("pcrs", "PCR_Read", &[], &[], pcrs(hash, [0xFF, 0, 0]));
    }
}

/// A session that encrypts, salted to a key: what a kernel wraps commands in.
fn salted(t: &mut Tpm, key: u32) -> u32 {
    let (encrypted, salt) = salt_for(t, key);
    t.session_salted("salted", SE_HMAC, SHA256, Symmetric::Aes(128), None, key, &encrypted, &salt)
}

/// A secret sealed to PCR, and unsealed; a key that signs.
fn keys(t: &mut Tpm) {
    let kernel = t.plain("null", "CreatePrimary", &[RH_NULL], &[b""], create(b"", b"", &storage_parent())).handle;
    let session = salted(t, kernel);
    let extension = Out::new().u32(1).u16(SHA256).raw(&[7; 32]);
    t.authorized("kernel", "PCR_Extend", &[10], &[with(session, b"")], extension);
    t.authorized("kernel", "GetRandom", &[], &[attributed(session, CONTINUE | ENCRYPT, b"")], Out::new().u16(32));
    t.flush(session);
    t.flush(kernel);

    let parent = t.plain("srk", "CreatePrimary", &[RH_OWNER], &[b""], create(b"", b"", &storage_parent())).handle;
    t.plain("srk", "EvictControl", &[RH_OWNER, parent], &[b""], Out::new().u32(SRK));
    t.flush(parent);
    let policy = |t: &mut Tpm, kind| {
        let session = t.session("policy", kind, SHA256, Symmetric::Null, None);
        let selection = Out::new().sized(&[]).raw(&pcrs(SHA256, [0x81, 0, 0]).0);
        t.plain("policy", "PolicyPCR", &[session], &[], selection);
        session
    };
    let trial = policy(t, SE_TRIAL);
    let digest = t.plain("digest", "PolicyGetDigest", &[trial], &[], Out::new()).sized(0);
    t.flush(trial);
    let area = keyed_hash(FIXED_TPM | FIXED_PARENT | NO_DA, null(), &digest);
    let sealed = t.plain("seal", "Create", &[SRK], &[b""], create(b"", &[1; 32], &area));
    let load = Out::new().sized(&sealed.sized(0)).sized(&sealed.sized(1));
    let object = t.plain("load", "Load", &[SRK], &[b""], load).handle;
    let session = policy(t, SE_POLICY);
    t.authorized("unseal", "Unseal", &[object], &[attributed(session, 0, b"")], Out::new());
    t.flush(object);

    let made = t.plain("key", "Create", &[SRK], &[b""], create(b"", b"", &ecc(SIGNING, null(), null(), 3)));
    let load = Out::new().sized(&made.sized(0)).sized(&made.sized(1));
    let key = t.plain("load", "Load", &[SRK], &[b""], load).handle;
    t.plain("public", "ReadPublic", &[key], &[], Out::new());
    let ticket = Out::new().u16(0x8024).u32(RH_NULL).sized(&[]);
    let digest = Out::new().sized(&[7; 32]).u16(ECDSA).u16(SHA256);
    t.plain("sign", "Sign", &[key], &[b""], digest.raw(&ticket.0));
    let quote = Out::new().sized(&[1; 16]).u16(ECDSA).u16(SHA256).raw(&pcrs(SHA256, [0xFF, 0, 0]).0);
    t.plain("quote", "Quote", &[key], &[b""], quote);
    let saved = t.plain("save", "ContextSave", &[key], &[], Out::new()).parameters;
    t.flush(key);
    let key = t.plain("load", "ContextLoad", &[], &[], Out::new().raw(&saved)).handle;
    t.flush(key);
    t.plain("hash", "Hash", &[], &[], Out::new().sized(&[7; 500]).u16(SHA256).u32(RH_NULL));
}

/// An index that is written and read.
fn storage(t: &mut Tpm) {
    let area = Out::new().u32(INDEX).u16(SHA256).u32(NV_OWNERWRITE | NV_OWNERREAD | NV_NO_DA).sized(&[]).u16(32);
    t.plain("index", "NV_DefineSpace", &[RH_OWNER], &[b""], Out::new().sized(b"").sized(&area.0));
    for value in 0..4 {
        t.plain("write", "NV_Write", &[RH_OWNER, INDEX], &[b""], Out::new().sized(&[value; 32]).u16(0));
        t.plain("read", "NV_Read", &[RH_OWNER, INDEX], &[b""], Out::new().u16(32).u16(0));
        t.plain("public", "NV_ReadPublic", &[INDEX], &[], Out::new());
    }
}

fn run(command: &str, folder: &Path, first: bool) -> Result<(), String> {
    let setting = Setting { folder: Some(folder.to_owned()), ..Setting::default() };
    let failed = |e: std::io::Error| format!("{command}: {e}");
    let daemon = Daemon::start_with(command, &setting).map_err(failed)?;
    let mut t = Tpm::on(Box::new(daemon), 1).map_err(failed)?;
    boot(&mut t);
    if first {
        keys(&mut t);
        storage(&mut t);
    }
    t.plain("shutdown", "Shutdown", &[], &[], Out::new().u16(0));
    let wrong = t.steps.iter().find(|step| step.rc != 0 || !step.faults.is_empty());
    if let Some(step) = wrong {
        return Err(format!("{} (0x{:x}): 0x{:x} {}", step.label, step.code, step.rc, step.faults.join("; ")));
    }
    t.daemon.end().map_err(failed)
}

fn main() -> ExitCode {
    let command = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let both = || {
        let folder = new_folder().map_err(|e| e.to_string())?;
        let done = run(&command, &folder, true).and_then(|()| run(&command, &folder, false));
        let _ = std::fs::remove_dir_all(&folder);
        done
    };
    match both() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
