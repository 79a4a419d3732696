//! Attestation, credentials, duplication, and audits.

use super::common::*;
use crate::codes::*;
use crate::crypto::Symmetric;
use crate::session::{attributed, password, with};
use crate::template::*;
use crate::tpm::{Reply, Tpm};
use crate::wire::{In, Out};

/// Checks the signature of an attestation: TPM2B_ATTEST, then TPMT_SIGNATURE.
fn check(t: &mut Tpm, key: u32, reply: &Reply) {
    if reply.rc == 0 {
        let mut input = In(&reply.parameters);
        let attest = input.sized().unwrap_or_default().to_vec();
        if !input.0.starts_with(&NULL.to_be_bytes()) {
            t.verify(key, &attest, input.0);
        }
    }
}

/// Every attestation command by keys of several kinds and schemes.
pub(super) fn attestation(t: &mut Tpm) {
    t.startup();
    let parent = primary(t, RH_OWNER, b"", &storage_parent());
    let made =
        child(t, "object", parent, b"a", b"d", &keyed_hash(FIXED_TPM | FIXED_PARENT | USER_WITH_AUTH, null(), &[]));
    let (creation_hash, ticket) = {
        let mut input = In(&made.parameters);
        for _ in 0..3 {
            input.sized();
        }
        let hash = input.sized().unwrap_or_default().to_vec();
        (hash, input.0.to_vec())
    };
    let object = load(t, "object", parent, &made);
    let index = 0x0150_0000;
    let access = NV_OWNERWRITE | NV_OWNERREAD | NV_AUTHWRITE | NV_AUTHREAD | NV_NO_DA;
    let area = Out::new().u32(index).u16(SHA256).u32(access).sized(&[]).u16(8);
    t.plain("index", "NV_DefineSpace", &[RH_OWNER], &[b""], Out::new().sized(b"").sized(&area.0));
    t.plain("write", "NV_Write", &[index, index], &[b""], Out::new().sized(&[5; 8]).u16(0));
    let audited = t.session("audit", SE_HMAC, SHA256, Symmetric::Null, None);
    t.authorized("audited", "GetRandom", &[], &[attributed(audited, CONTINUE | AUDIT, b"")], Out::new().u16(4));
    for signer in 0..9 {
        let restricted = SIGNING | RESTRICTED;
        let key = match signer {
            0 => external_rsa(t, EXTERNAL_SIGN, scheme(RSASSA, SHA256)),
            1 => external_rsa(t, EXTERNAL_SIGN, null()),
            2 => external_ecc(t, 3, &[9; 32], EXTERNAL_SIGN, scheme(ECDSA, SHA384)),
            3 => external_ecc(t, 0x20, &[9; 32], EXTERNAL_SIGN, null()),
            4 => primary(t, RH_ENDORSEMENT, b"", &ecc(restricted, null(), scheme(ECDSA, SHA256), 3)),
            5 => external_secret(t, KEYEDHASH, EXTERNAL_SIGN, scheme(HMAC, SHA256), &[8; 32]),
            6 => external_rsa(t, EXTERNAL_DECRYPT, null()),
            7 => external_rsa(t, EXTERNAL_SIGN | X509_SIGN, scheme(RSAPSS, SHA256)),
            _ => RH_NULL,
        };
        for in_scheme in [
            null(),
            scheme(RSASSA, SHA256),
            scheme(RSAPSS, SHA1),
            scheme(ECDSA, SHA256),
            scheme(SM2, SHA256),
            scheme(HMAC, SHA256),
            scheme(RSASSA, SM3),
        ] {
            let label = format!("signer {signer}, scheme {:x?}", in_scheme.0);
            let q = |n: usize| Out::new().sized(&vec![0x71; n]).raw(&in_scheme.0);
            for select in [pcrs(SHA256, [1, 0, 1]), Out::new().u32(0), pcrs(SM3, [1, 0, 0]), pcrs(SHA1, [0xFF; 3])] {
                let r = t.plain(&label, "Quote", &[key], &[b""], q(8).raw(&select.0));
                check(t, key, &r);
            }
            let r = t.plain(&label, "Certify", &[object, key], &[b"a", b""], q(0));
            check(t, key, &r);
            t.plain(&format!("{label}, wrong auth"), "Certify", &[object, key], &[b"x", b""], q(0));
            let r = t.plain(&label, "GetTime", &[RH_ENDORSEMENT, key], &[b"", b""], q(64));
            check(t, key, &r);
            let r = t.plain(&label, "GetCommandAuditDigest", &[RH_ENDORSEMENT, key], &[b"", b""], q(65));
            check(t, key, &r);
            let p = Out::new().sized(b"q").sized(&creation_hash).raw(&in_scheme.0);
            let r = t.plain(&label, "CertifyCreation", &[key, object], &[b""], p.clone().raw(&ticket));
            check(t, key, &r);
            let mut damaged = ticket.clone();
            if let Some(last) = damaged.last_mut() {
                *last ^= 1;
            }
            t.plain(&format!("{label}, bad ticket"), "CertifyCreation", &[key, object], &[b""], p.raw(&damaged));
            let r = t.plain(&label, "NV_Certify", &[key, index, index], &[b"", b""], q(1).u16(8).u16(0));
            check(t, key, &r);
            t.plain(&label, "NV_Certify", &[key, index, index], &[b"", b""], q(1).u16(8).u16(1));
            t.plain(&label, "GetSessionAuditDigest", &[RH_OWNER, key, audited], &[b"", b""], q(2));
            let r = t.plain(&label, "GetSessionAuditDigest", &[RH_ENDORSEMENT, key, audited], &[b"", b""], q(2));
            check(t, key, &r);
            for n in [66usize, 67] {
                t.plain(&format!("{label}, {n} bytes"), "Quote", &[key], &[b""], q(n).u32(0));
            }
        }
        if key != 0 && key != RH_NULL {
            t.flush(key);
        }
    }
    let plain = t.session("not audited", SE_HMAC, SHA256, Symmetric::Null, None);
    let p = Out::new().sized(b"q").u16(NULL);
    t.plain("not audited", "GetSessionAuditDigest", &[RH_ENDORSEMENT, RH_NULL, plain], &[b"", b""], p);
}

/// MakeCredential and ActivateCredential by RSA and ECC.
pub(super) fn credentials(t: &mut Tpm) {
    t.startup();
    for template in [
        rsa(STORAGE, aes_cfb(128), null(), 2048),
        storage_parent(),
        ecc_named(SHA384, STORAGE, aes_cfb(256), null(), 4),
    ] {
        let key = primary(t, RH_ENDORSEMENT, b"", &template);
        let object = primary(t, RH_OWNER, b"obj", &ecc(SIGNING, null(), scheme(ECDSA, SHA256), 3));
        let name = t.name(object);
        for n in [0usize, 1, 16, 32, 33, 48, 49, 64, 65] {
            let p = Out::new().sized(&vec![0xC7; n]).sized(&name);
            let made = t.plain(&format!("{n} bytes"), "MakeCredential", &[key], &[], p);
            if made.rc != 0 {
                continue;
            }
            let p = Out::new().raw(&made.parameters);
            let label = format!("{n} bytes");
            let got = t.plain(&label, "ActivateCredential", &[object, key], &[b"obj", b""], p.clone());
            t.expect(got.sized(0) == vec![0xC7; n], "another credential came back");
            t.plain("wrong auth", "ActivateCredential", &[object, key], &[b"x", b""], p.clone());
            t.plain("other object", "ActivateCredential", &[key, key], &[b"", b""], p.clone());
            t.plain("other key", "ActivateCredential", &[object, object], &[b"obj", b"obj"], p);
            for at in [3usize, 10, 34, 40] {
                let mut damaged = made.parameters.clone();
                if let Some(b) = damaged.get_mut(at) {
                    *b ^= 1;
                }
                let p = Out::new().raw(&damaged);
                t.plain(&format!("damaged at {at}"), "ActivateCredential", &[object, key], &[b"obj", b""], p);
            }
        }
        for n in [0usize, 2, 4, 20, 33, 35, 66, 67] {
            t.plain(
                &format!("name of {n}"),
                "MakeCredential",
                &[key],
                &[],
                Out::new().sized(&[1; 16]).sized(&vec![0; n]),
            );
        }
        t.plain("by a signing key", "MakeCredential", &[object], &[], Out::new().sized(&[1; 16]).sized(&name));
        t.flush(key);
        t.flush(object);
    }
}

/// Duplicate, Import, Rewrap.
pub(super) fn duplication(t: &mut Tpm) {
    t.startup();
    let parent = primary(t, RH_OWNER, b"", &storage_parent());
    // The policy that allows TPM2_Duplicate: PolicyCommandCode(14B).
    let trial = t.session("policy", SE_TRIAL, SHA256, Symmetric::Null, None);
    t.plain("code", "PolicyCommandCode", &[trial], &[], Out::new().u32(0x14B));
    let policy = t.plain("digest", "PolicyGetDigest", &[trial], &[], Out::new()).sized(0);
    t.flush(trial);
    let other = primary(t, RH_ENDORSEMENT, b"", &rsa(STORAGE, aes_cfb(128), null(), 2048));
    for attributes in [USER_WITH_AUTH, USER_WITH_AUTH | ENCRYPTED_DUPLICATION, USER_WITH_AUTH | FIXED_PARENT] {
        let object = loaded(t, "object", parent, b"o", b"data", &keyed_hash(attributes, null(), &policy));
        if object == 0 {
            continue;
        }
        let public = t.public(object);
        let name = t.name(object);
        t.plain("by password", "Duplicate", &[object, RH_NULL], &[b"o"], Out::new().sized(&[]).u16(NULL));
        for target in [RH_NULL, other, parent, object] {
            for (key, symmetric) in [
                (vec![], null()),
                (vec![], aes_cfb(128)),
                (vec![7; 16], aes_cfb(128)),
                (vec![7; 16], null()),
                (vec![7; 15], aes_cfb(128)),
                (vec![], Out::new().u16(AES).u16(128).u16(CBC)),
            ] {
                let label = format!("to {target:#x}, key of {}, {:x?}", key.len(), symmetric.0);
                let s = t.session("policy", SE_POLICY, SHA256, Symmetric::Null, None);
                t.plain("code", "PolicyCommandCode", &[s], &[], Out::new().u32(0x14B));
                let p = Out::new().sized(&key).raw(&symmetric.0);
                let made = t.authorized(&label, "Duplicate", &[object, target], &[with(s, b"")], p);
                t.flush(s);
                if made.rc != 0 {
                    continue;
                }
                let inner = if key.is_empty() { made.sized(0) } else { key.clone() };
                let import = |private: &[u8], seed: &[u8], inner: &[u8]| {
                    Out::new().sized(inner).sized(&public).sized(private).sized(seed).raw(&symmetric.0)
                };
                for to in [other, parent] {
                    let p = import(&made.sized(1), &made.sized(2), &inner);
                    let imported = t.plain(&format!("{label}, into {to:#x}"), "Import", &[to], &[b""], p);
                    if imported.rc == 0 {
                        let p = Out::new().sized(&imported.sized(0)).sized(&public);
                        let copy = t.plain("load the copy", "Load", &[to], &[b""], p).handle;
                        if copy != 0 {
                            t.plain("unseal the copy", "Unseal", &[copy], &[b"o"], Out::new());
                            t.flush(copy);
                        }
                    }
                }
                let mut damaged = made.sized(1);
                if let Some(b) = damaged.get_mut(5) {
                    *b ^= 1;
                }
                t.plain("damaged", "Import", &[other], &[b""], import(&damaged, &made.sized(2), &inner));
                t.plain("no inner key", "Import", &[other], &[b""], import(&made.sized(1), &made.sized(2), &[]));
                let p = Out::new().sized(&made.sized(1)).sized(&name).sized(&made.sized(2));
                for (from, to) in [(other, parent), (RH_NULL, parent), (target, RH_NULL), (parent, other)] {
                    let label = format!("{label}, rewrap {from:#x} to {to:#x}");
                    t.plain(&label, "Rewrap", &[from, to], &[b""], p.clone());
                }
            }
        }
        t.flush(object);
    }
    // An import of a known key, without wrapping: everything but the result is determined.
    let (n, p) = rsa_key();
    for attributes in [USER_WITH_AUTH | KEY_SIGN, USER_WITH_AUTH | KEY_SIGN | FIXED_TPM, USER_WITH_AUTH | KEY_DECRYPT] {
        let area = rsa_with(attributes, null(), null(), &n);
        let sensitive = loaded_sensitive(RSA, b"a", &[], &p).0;
        for parent in [parent, other] {
            let p = Out::new().sized(&[]).sized(&area).sized(&sensitive).sized(&[]).u16(NULL);
            let imported = t.plain("known key", "Import", &[parent], &[b""], p);
            if imported.rc == 0 {
                let p = Out::new().sized(&imported.sized(0)).sized(&area);
                let key = t.plain("known key", "Load", &[parent], &[b""], p).handle;
                t.fixed.insert(key);
                let q = Out::new().sized(&[1; 32]).u16(RSASSA).u16(SHA256).raw(&null_ticket(0x8024).0);
                t.plain("sign", "Sign", &[key], &[b"a"], q);
                t.plain("show", "ReadPublic", &[key], &[], Out::new());
                t.flush(key);
            }
        }
    }
}

/// Command audit and exclusive audit sessions.
pub(super) fn audits(t: &mut Tpm) {
    t.startup();
    let list = |codes: &[u32]| codes.iter().fold(Out::new().u32(codes.len() as u32), |p, c| p.u32(*c));
    let set = |alg: u16, on: &[u32], off: &[u32]| Out::new().u16(alg).raw(&list(on).0).raw(&list(off).0);
    let status = "SetCommandCodeAuditStatus";
    let digest = |t: &mut Tpm, label: &str| {
        let p = Out::new().sized(b"q").u16(NULL);
        t.plain(label, "GetCommandAuditDigest", &[RH_ENDORSEMENT, RH_NULL], &[b"", b""], p);
        t.plain(label, "GetCapability", &[], &[], Out::new().u32(4).u32(0).u32(200));
    };
    digest(t, "fresh");
    for (label, p) in [
        ("on", set(NULL, &[0x17B, 0x153], &[])),
        ("off", set(NULL, &[], &[0x17B])),
        ("unknown", set(NULL, &[0x123, 0xFFFF], &[0x141])),
        ("itself", set(NULL, &[], &[0x140])),
        ("shutdown", set(NULL, &[0x145], &[])),
        ("both", set(NULL, &[0x17B], &[0x17B])),
        ("hash", set(SHA384, &[], &[])),
        ("hash and list", set(SHA256, &[0x17B], &[])),
        ("unknown hash", set(SM3, &[], &[])),
        ("again", set(NULL, &[0x17B, 0x17E], &[])),
    ] {
        t.plain(label, status, &[RH_OWNER], &[b""], p.clone());
        t.plain(label, status, &[RH_PLATFORM], &[b""], p.clone());
        t.plain(label, status, &[RH_ENDORSEMENT], &[b""], p);
        t.plain("audited", "GetRandom", &[], &[], Out::new().u16(4));
        digest(t, label);
    }
    t.plain("shutdown", "Shutdown", &[], &[], Out::new().u16(1));
    t.power_cycle();
    t.plain("startup", "Startup", &[], &[], Out::new().u16(1));
    digest(t, "after resume");
    t.power_cycle();
    t.startup();
    digest(t, "after reset");
    let a = t.session("a", SE_HMAC, SHA256, Symmetric::Null, None);
    let b = t.session("b", SE_HMAC, SHA256, Symmetric::Null, None);
    let audited = |t: &mut Tpm, label: &str, s: u32, bits: u8| {
        t.authorized(label, "GetRandom", &[], &[attributed(s, CONTINUE | bits, b"")], Out::new().u16(2));
        for s in [a, b] {
            let p = Out::new().sized(b"q").u16(NULL);
            let handles = [RH_ENDORSEMENT, RH_NULL, s];
            t.authorized("digest", "GetSessionAuditDigest", &handles, &[password(b""), password(b"")], p);
        }
    };
    for (s, bits) in [
        (a, AUDIT | AUDIT_EXCLUSIVE),
        (a, AUDIT),
        (a, AUDIT | AUDIT_EXCLUSIVE),
        (b, AUDIT),
        (a, AUDIT | AUDIT_EXCLUSIVE),
        (a, AUDIT | AUDIT_RESET),
        (a, AUDIT_EXCLUSIVE),
        (a, AUDIT_RESET),
        (a, AUDIT | AUDIT_RESET | AUDIT_EXCLUSIVE),
        (b, 0),
    ] {
        audited(t, &format!("{s:#x} with {bits:#x}"), s, bits);
    }
    t.authorized("x", "GetRandom", &[], &[attributed(a, CONTINUE | AUDIT, b"")], Out::new().u16(2));
    t.authorized(
        "exclusive",
        "GetRandom",
        &[],
        &[attributed(a, CONTINUE | AUDIT | AUDIT_EXCLUSIVE, b"")],
        Out::new().u16(2),
    );
    t.plain("between", "ReadClock", &[], &[], Out::new());
    t.authorized(
        "exclusive",
        "GetRandom",
        &[],
        &[attributed(a, CONTINUE | AUDIT | AUDIT_EXCLUSIVE, b"")],
        Out::new().u16(2),
    );
}
