//! Sessions, policies, and what clients do with several commands.

use super::*;
use sealwright_differential::crypto::{Symmetric, hash};
use sealwright_differential::scenario::salt_for;
use sealwright_differential::session::{PolicyAuth, attributed};

fn session_start(kind: u8) -> Repeat {
    let parameters = Out::new().sized(&[1; 16]).sized(&[]).u8(kind).u16(NULL).u16(SHA256);
    same("StartAuthSession", &[RH_NULL, RH_NULL], &[], parameters)
}

fn policy_session(t: &mut Tpm) -> u32 {
    t.session("policy", SE_POLICY, SHA256, Symmetric::Null, None)
}

/// The policy of PolicyPCR over eight PCR and PolicyAuthValue, as a trial session gives it.
fn boot_policy(t: &mut Tpm) -> Vec<u8> {
    let trial = t.session("trial", SE_TRIAL, SHA256, Symmetric::Null, None);
    for bytes in policy_steps(trial) {
        t.quiet(&bytes);
    }
    let digest = t.plain("digest", "PolicyGetDigest", &[trial], &[], Out::new()).sized(0);
    t.flush(trial);
    digest
}

fn policy_steps(session: u32) -> [Vec<u8>; 2] {
    [
        command("PolicyPCR", &[session], &[], Out::new().sized(&[]).raw(&eight())),
        command("PolicyAuthValue", &[session], &[], Out::new()),
    ]
}

/// The parameters of StartAuthSession with this salt.
fn salted_start(salt: &[u8], nonce: &[u8]) -> Out {
    Out::new().sized(nonce).sized(salt).u8(SE_HMAC).u16(AES).u16(128).u16(CFB).u16(SHA256)
}

/// What kernels from 6.10 on do for each extend: a session salted to the null primary, that ends with the command.
fn kernel_extend(t: &mut Tpm) -> Repeat {
    let null = t.plain("null", "CreatePrimary", &[RH_NULL], &[b""], create(b"", b"", &storage_parent())).handle;
    let (encrypted, salt) = salt_for(t, null);
    Box::new(move |t, i| {
        let mut nonce = [1; 32];
        nonce[..8].copy_from_slice(&i.to_be_bytes());
        let start = command("StartAuthSession", &[null, RH_NULL], &[], salted_start(&encrypted, &nonce));
        let (time, response) = sent(t, &start)?;
        let session = handle(&response);
        let nonce_tpm = In(response.get(14..).unwrap_or(&[])).sized().unwrap_or_default().to_vec();
        let key = sealwright_differential::crypto::kdfa(SHA256, &salt, "ATH", &nonce_tpm, &nonce, 256);
        t.sessions.insert(
            session,
            session::Session {
                hash: SHA256,
                symmetric: Symmetric::Aes(128),
                key,
                nonce_tpm,
                policy: false,
                bound: None,
                policy_auth: PolicyAuth::None,
            },
        );
        let extend = Authorized {
            name: "PCR_Extend",
            handles: vec![16],
            names: vec![16_u32.to_be_bytes().to_vec()],
            uses: vec![attributed(session, 0, b"")],
            parameters: banks(&FOUR_BANKS),
        };
        Ok(time + extend.send(t)?)
    })
}

/// A policy session, PolicyPCR, PolicyAuthValue, Unseal: how a disk is unlocked.
fn unseal_flow(t: &mut Tpm) -> Repeat {
    let policy = boot_policy(t);
    let k = key(t, &sealed(&policy), &[1; 32]);
    let name = t.name(k);
    Box::new(move |t, i| {
        let mut nonce = [1; 32];
        nonce[..8].copy_from_slice(&i.to_be_bytes());
        let parameters = Out::new().sized(&nonce).sized(&[]).u8(SE_POLICY).u16(NULL).u16(SHA256);
        let (mut time, response) = sent(t, &command("StartAuthSession", &[RH_NULL, RH_NULL], &[], parameters))?;
        let session = handle(&response);
        for step in policy_steps(session) {
            time += sent(t, &step)?.0;
        }
        let nonce_tpm = In(response.get(14..).unwrap_or(&[])).sized().unwrap_or_default().to_vec();
        let session_of = session::Session {
            hash: SHA256,
            symmetric: Symmetric::Null,
            key: Vec::new(),
            nonce_tpm,
            policy: true,
            bound: None,
            policy_auth: PolicyAuth::AuthValue,
        };
        t.sessions.insert(session, session_of);
        let unseal = Authorized {
            name: "Unseal",
            handles: vec![k],
            names: vec![name.clone()],
            uses: vec![attributed(session, 0, b"")],
            parameters: Out::new(),
        };
        Ok(time + unseal.send(t)?)
    })
}

pub(super) const ROWS: &[Row] = &[
    row("StartAuthSession HMAC", 1000, |_| session_start(SE_HMAC)).aim(0.80),
    row("StartAuthSession policy", 1000, |_| session_start(SE_POLICY)).aim(0.80),
    row("StartAuthSession, P-256 salt", 200, |t| {
        let k = primary(t, &storage_parent());
        let (encrypted, _) = salt_for(t, k);
        same("StartAuthSession", &[k, RH_NULL], &[], salted_start(&encrypted, &[1; 32]))
    })
    .aim(0.20),
    row("FlushContext (session)", 1000, |_| {
        let parameters = Out::new().sized(&[1; 16]).sized(&[]).u8(SE_HMAC).u16(NULL).u16(SHA256);
        let start = command("StartAuthSession", &[RH_NULL, RH_NULL], &[], parameters);
        Box::new(move |t, _| {
            let session = handle(&sent(t, &start)?.1);
            Ok(sent(t, &command("FlushContext", &[], &[], Out::new().u32(session)))?.0)
        })
    })
    .aim(0.80),
    row("PolicyPCR", 500, |t| {
        let s = policy_session(t);
        same("PolicyPCR", &[s], &[], Out::new().sized(&[]).raw(&eight()))
    })
    .aim(0.80),
    row("PolicyAuthValue", 500, |t| same("PolicyAuthValue", &[policy_session(t)], &[], Out::new())).aim(0.80),
    row("PolicySigned P-256", 200, |t| {
        let k = key(t, &ecc_signing(3), b"");
        let s = policy_session(t);
        let a_hash = hash(SHA256, &[&0_u32.to_be_bytes()]);
        let scheme = Out::new().sized(&a_hash).u16(ECDSA).u16(SHA256).u16(0x8024).u32(RH_NULL).sized(&[]);
        let signature = t.plain("sign", "Sign", &[k], &[b""], scheme).parameters;
        let parameters = Out::new().sized(&[]).sized(&[]).sized(&[]).u32(0).raw(&signature);
        same("PolicySigned", &[k, s], &[], parameters)
    })
    .aim(0.20),
    row("Unseal (HMAC session)", 500, |t| {
        let k = key(t, &sealed(&[]), &[1; 32]);
        let session = t.session("session", SE_HMAC, SHA256, Symmetric::Null, None);
        let names = vec![t.name(k)];
        let uses = vec![attributed(session, CONTINUE, b"")];
        let unseal = Authorized { name: "Unseal", handles: vec![k], names, uses, parameters: Out::new() };
        Box::new(move |t, _| unseal.send(t))
    })
    .aim(0.80),
    row("flow: policy session, PolicyPCR, AuthValue, Unseal", 200, unseal_flow).aim(0.80),
    row("flow: salted HMAC session around PCR_Extend", 200, kernel_extend).aim(0.20),
    row("boot storm: 2000 PCR_Extend, 4 banks", 7, |_| {
        let bytes = command("PCR_Extend", &[16], &[b""], banks(&FOUR_BANKS));
        Box::new(move |t, _| {
            let begin = Instant::now();
            for _ in 0..2000 {
                sent(t, &bytes)?;
            }
            Ok(begin.elapsed())
        })
    })
    .aim(0.80),
];
