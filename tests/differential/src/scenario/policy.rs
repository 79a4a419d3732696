//! Policy commands: digests in trial sessions, the same in real ones, and their deferred checks.

use super::common::*;
use crate::codes::*;
use crate::crypto::{Symmetric, hash};
use crate::session::{PolicyAuth, password, with};
use crate::template::*;
use crate::tpm::Tpm;
use crate::wire::Out;

fn digest(t: &mut Tpm, label: &str, s: u32) -> Vec<u8> {
    t.plain(&format!("{label}: digest"), "PolicyGetDigest", &[s], &[], Out::new()).sized(0)
}

fn fixtures(t: &mut Tpm) -> (u32, u32) {
    t.startup();
    let parent = primary(t, RH_OWNER, b"", &storage_parent());
    let index = 0x0150_0000;
    let access = NV_OWNERWRITE | NV_OWNERREAD | NV_AUTHWRITE | NV_AUTHREAD | NV_NO_DA;
    let area = Out::new().u32(index).u16(SHA256).u32(access).sized(&[]).u16(34);
    t.plain("index", "NV_DefineSpace", &[RH_OWNER], &[b""], Out::new().sized(b"nv").sized(&area.0));
    (parent, index)
}

/// Every policy command in trial and real sessions of every hash, with good and bad parameters.
pub(super) fn commands(t: &mut Tpm) {
    let (_, index) = fixtures(t);
    let signer = external_ecc(t, 3, &[9; 32], EXTERNAL_SIGN, scheme(ECDSA, SHA256));
    let operands = [&[0u8, 0, 0, 0, 0, 0, 0, 1][..], &[], &[0xFF; 4], &[1; 33], &[1; 34], &[1; 35]];
    for alg in [SHA1, SHA256, SHA384, SHA512] {
        for kind in [SE_TRIAL, SE_POLICY] {
            let s = t.session("policy", kind, alg, Symmetric::Null, None);
            let size = digest_size(alg);
            let mut attempt = |label: &str, name: &'static str, p: Out| {
                let label = format!("{alg:#x} type {kind}: {label}");
                t.plain(&label, name, &[s], &[], p);
                digest(t, &label, s);
            };
            attempt("plain", "PolicyAuthValue", Out::new());
            attempt("plain", "PolicyPassword", Out::new());
            for code in [0x153u32, 0x153, 0x154, 0, 0x199, 0x19A, 0x2000_0000, 0x123] {
                attempt(&format!("{code:#x}"), "PolicyCommandCode", Out::new().u32(code));
            }
            for locality in [1u8, 2, 3, 0, 31, 32, 32, 33, 255] {
                attempt(&format!("{locality}"), "PolicyLocality", Out::new().u8(locality));
            }
            for name in ["PolicyCpHash", "PolicyNameHash", "PolicyTemplate", "PolicyDuplicationSelect"] {
                attempt("before a hash", "PolicyRestart", Out::new());
                if name == "PolicyDuplicationSelect" {
                    for include in [1u8, 0] {
                        attempt("before it", "PolicyRestart", Out::new());
                        attempt("names", name, Out::new().sized(&[1; 34]).sized(&[2; 34]).u8(include));
                    }
                    continue;
                }
                for n in [0, size - 1, size, size, size + 1, 64] {
                    attempt(&format!("{n} bytes"), name, Out::new().sized(&vec![n as u8; n]));
                }
            }
            for value in [0u8, 1, 1, 2] {
                attempt(&format!("{value}"), "PolicyNvWritten", Out::new().u8(value));
            }
            attempt("plain", "PolicyPhysicalPresence", Out::new());
            for (n, include) in [(34usize, 0u8), (34, 1), (0, 0), (66, 1), (67, 0)] {
                let p = Out::new().sized(&vec![1; n]).sized(&vec![2; n]).u8(include);
                attempt(&format!("{n} bytes, {include}"), "PolicyDuplicationSelect", p);
            }
            for n in [0usize, 1, 2, 3, 8, 9] {
                let mut p = Out::new().u32(n as u32);
                for i in 0..n {
                    p = p.sized(&vec![i as u8; size]);
                }
                attempt(&format!("{n} branches"), "PolicyOR", p);
            }
            attempt("short branch", "PolicyOR", Out::new().u32(2).sized(&[1; 3]).sized(&vec![2; size]));
            for pcr in [pcrs(SHA256, [1, 0, 0]), pcrs(SHA1, [0xFF; 3]), Out::new().u32(0), pcrs(SM3, [1, 0, 0])] {
                attempt("no digest", "PolicyPCR", Out::new().sized(&[]).raw(&pcr.0));
                let zeros = hash(alg, &[&[0; 32]]);
                attempt("digest of zeros", "PolicyPCR", Out::new().sized(&zeros).raw(&pcr.0));
                attempt("short digest", "PolicyPCR", Out::new().sized(zeros.get(1..).unwrap_or_default()).raw(&pcr.0));
            }
            for operation in 0..13u16 {
                for operand in operands.into_iter().filter(|o| !o.is_empty()) {
                    for offset in [0u16, 8, 24, 25, 40] {
                        if offset < 16 && matches!(operation, 10 | 11) {
                            // Single bits of a running clock.
                            continue;
                        }
                        let p = Out::new().sized(operand).u16(offset).u16(operation);
                        attempt(&format!("{operation} {} at {offset}", operand.len()), "PolicyCounterTimer", p);
                    }
                }
            }
            for n in [0usize, size, 32] {
                let p = Out::new().sized(&vec![3; n]).sized(b"ref").sized(&[0, 0x0B, 1, 2]).raw(&null_ticket(0x8022).0);
                attempt(&format!("approved {n}"), "PolicyAuthorize", p);
            }
            let p = Out::new().sized(&[1; 8]).sized(&[]).sized(b"ref").sized(&[0; 34]).raw(&null_ticket(0x8025).0);
            attempt("null ticket", "PolicyTicket", p);
            for tag in [0x8023u16, 0x8025, 0x8022] {
                let p = Out::new().sized(&[0; 8]).sized(&[]).sized(b"ref").sized(&[0; 34]);
                attempt("bad ticket", "PolicyTicket", p.u16(tag).u32(RH_OWNER).sized(&[1; 32]));
            }
            attempt("plain", "PolicyRestart", Out::new());
            for (expiration, reference) in
                [(0i32, &b""[..]), (0, b"reference"), (-10, b"r"), (10, b"r"), (-10_000_000, b"")]
            {
                let nonce = if expiration == 10 {
                    t.sessions.get(&s).map(|s| s.nonce_tpm.clone()).unwrap_or_default()
                } else {
                    Vec::new()
                };
                let p = Out::new().sized(&nonce).sized(&[]).sized(reference).u32(expiration as u32);
                for entity in [RH_OWNER, RH_LOCKOUT, signer, index, RH_NULL, 0] {
                    let label = format!("{alg:#x} type {kind}: by {entity:#x}, expires {expiration}");
                    let auth: &[u8] = if entity == index { b"nv" } else { b"" };
                    t.plain(&label, "PolicySecret", &[entity, s], &[auth], p.clone());
                    t.plain(&label, "PolicySecret", &[entity, s], &[b"wrong"], p.clone());
                    digest(t, &label, s);
                }
                let to_sign = hash(SHA256, &[&nonce, &expiration.to_be_bytes(), reference]);
                let request = Out::new().sized(&to_sign).u16(NULL).raw(&null_ticket(0x8024).0);
                let signed = t.plain("sign", "Sign", &[signer], &[b""], request);
                let label = format!("{alg:#x} type {kind}: expires {expiration}");
                let p = p.raw(&signed.parameters);
                let done = t.plain(&label, "PolicySigned", &[signer, s], &[], p.clone());
                digest(t, &label, s);
                if done.rc == 0 && expiration < 0 {
                    let timeout = done.sized(0);
                    let ticket = done.parameters.get(2 + timeout.len()..).unwrap_or_default();
                    let name = t.name(signer);
                    let other = t.session("with ticket", kind, alg, Symmetric::Null, None);
                    let q = Out::new().sized(&timeout).sized(&[]).sized(reference).sized(&name).raw(ticket);
                    t.plain(&label, "PolicyTicket", &[other], &[], q);
                    digest(t, &label, other);
                    t.flush(other);
                }
                let mut damaged = p;
                if let Some(last) = damaged.0.last_mut() {
                    *last ^= 1;
                }
                t.plain(&format!("{label}, damaged"), "PolicySigned", &[signer, s], &[], damaged);
            }
            t.plain("write", "NV_Write", &[index, index], &[b"nv"], Out::new().sized(&[7; 34]).u16(0));
            for operation in 0..13u16 {
                for operand in operands {
                    let label = format!("{alg:#x} type {kind}: NV {operation} with {}", operand.len());
                    let p = Out::new().sized(operand).u16(0).u16(operation);
                    t.plain(&label, "PolicyNV", &[index, index, s], &[b"nv"], p);
                }
                digest(t, "PolicyNV", s);
            }
            t.plain("wrong", "PolicyNV", &[index, index, s], &[b"no"], Out::new().sized(&[7]).u16(0).u16(0));
            t.plain("offset", "PolicyNV", &[RH_OWNER, index, s], &[b""], Out::new().sized(&[7]).u16(33).u16(0));
            t.plain("offset", "PolicyNV", &[RH_OWNER, index, s], &[b""], Out::new().sized(&[7]).u16(34).u16(0));
            let policy = Out::new().u16(alg).raw(&vec![0; size]);
            let mut stored = policy.0.clone();
            stored.resize(34, 0);
            stored.truncate(34);
            t.plain("policy in NV", "NV_Write", &[index, index], &[b"nv"], Out::new().sized(&stored).u16(0));
            t.plain("restart", "PolicyRestart", &[s], &[], Out::new());
            t.plain("by NV", "PolicyAuthorizeNV", &[index, index, s], &[b"nv"], Out::new());
            digest(t, "by NV", s);
            t.flush(s);
        }
    }
    let h = t.session("HMAC session", SE_HMAC, SHA256, Symmetric::Null, None);
    t.plain("on HMAC session", "PolicyAuthValue", &[h], &[], Out::new());
    t.plain("on HMAC session", "PolicyGetDigest", &[h], &[], Out::new());
    t.plain(
        "on HMAC session",
        "PolicySecret",
        &[RH_OWNER, h],
        &[b""],
        Out::new().sized(&[]).sized(&[]).sized(&[]).u32(0),
    );
}

/// A policy that is made in a trial session, bound to a sealed object, and then fulfilled or not.
fn sealed_to(t: &mut Tpm, label: &str, parent: u32, attributes: u32, steps: &dyn Fn(&mut Tpm, u32)) -> u32 {
    let s = t.session(label, SE_TRIAL, SHA256, Symmetric::Null, None);
    steps(t, s);
    let policy = digest(t, label, s);
    t.flush(s);
    loaded(t, label, parent, b"secret", b"data", &keyed_hash(attributes, null(), &policy))
}

/// Deferred checks at the use of the object.
pub(super) fn use_of_objects(t: &mut Tpm) {
    let (parent, index) = fixtures(t);
    let fixed = FIXED_TPM | FIXED_PARENT | NO_DA;
    type Steps = fn(&mut Tpm, u32);
    fn plain(t: &mut Tpm, s: u32, name: &'static str, p: Out) {
        t.plain("step", name, &[s], &[], p);
    }
    let policies: [(&str, Steps); 10] = [
        ("nothing", |_, _| {}),
        ("auth value", |t, s| plain(t, s, "PolicyAuthValue", Out::new())),
        ("password", |t, s| plain(t, s, "PolicyPassword", Out::new())),
        ("command code", |t, s| plain(t, s, "PolicyCommandCode", Out::new().u32(0x15E))),
        ("other command code", |t, s| plain(t, s, "PolicyCommandCode", Out::new().u32(0x153))),
        ("locality 0", |t, s| plain(t, s, "PolicyLocality", Out::new().u8(1))),
        ("locality 1", |t, s| plain(t, s, "PolicyLocality", Out::new().u8(2))),
        ("PCR", |t, s| plain(t, s, "PolicyPCR", Out::new().sized(&[]).raw(&pcrs(SHA256, [0, 0, 1]).0))),
        ("presence", |t, s| plain(t, s, "PolicyPhysicalPresence", Out::new())),
        ("secret", |t, s| {
            t.plain("step", "PolicySecret", &[RH_OWNER, s], &[b""], Out::new().sized(&[]).sized(&[]).sized(&[]).u32(0));
        }),
    ];
    for (label, steps) in policies {
        let object = sealed_to(t, label, parent, fixed, &steps);
        for (hash, symmetric) in [(SHA256, Symmetric::Null), (SHA256, Symmetric::Aes(128)), (SHA1, Symmetric::Null)] {
            for auth in [PolicyAuth::None, PolicyAuth::AuthValue, PolicyAuth::Password] {
                let name = format!("{label}, {symmetric:?}, client thinks {auth:?}");
                let s = t.session(&name, SE_POLICY, hash, symmetric, None);
                t.authorized(&name, "Unseal", &[object], &[with(s, b"secret")], Out::new());
                steps(t, s);
                t.policy_auth(s, auth);
                t.authorized(&name, "Unseal", &[object], &[with(s, b"secret")], Out::new());
                t.authorized(&name, "Unseal", &[object], &[with(s, b"secret")], Out::new());
                steps(t, s);
                t.plain("change", "PCR_Event", &[16], &[b""], Out::new().sized(b"x"));
                t.authorized(&name, "Unseal", &[object], &[with(s, b"wrong")], Out::new());
                t.flush(s);
            }
        }
        t.authorized(label, "Unseal", &[object], &[password(b"secret")], Out::new());
        t.plain("reset", "PCR_Reset", &[16], &[b""], Out::new());
        let trial = t.session("trial", SE_TRIAL, SHA256, Symmetric::Null, None);
        steps(t, trial);
        t.authorized("by a trial session", "Unseal", &[object], &[with(trial, b"secret")], Out::new());
        t.flush(trial);
        t.flush(object);
    }
    // Names and parameters fixed by a policy.
    let object = sealed_to(t, "OR", parent, fixed, &|t, s| {
        t.plain("OR", "PolicyOR", &[s], &[], Out::new().u32(2).sized(&[0; 32]).sized(&[1; 32]));
    });
    let s = t.session("OR", SE_POLICY, SHA256, Symmetric::Null, None);
    t.plain("OR", "PolicyOR", &[s], &[], Out::new().u32(2).sized(&[0; 32]).sized(&[1; 32]));
    t.authorized("OR", "Unseal", &[object], &[with(s, b"")], Out::new());
    t.plain("OR", "PolicyOR", &[s], &[], Out::new().u32(2).sized(&[0; 32]).sized(&[1; 32]));
    let cp = hash(SHA256, &[&0x15Eu32.to_be_bytes(), &t.name(object)]);
    t.plain("cpHash", "PolicyCpHash", &[s], &[], Out::new().sized(&cp));
    t.authorized("digest has changed", "Unseal", &[object], &[with(s, b"")], Out::new());
    t.flush(s);
    t.flush(object);
    // Admin role by policy, and a policy for an NV index.
    let object = sealed_to(t, "admin", parent, fixed | USER_WITH_AUTH | ADMIN_WITH_POLICY, &|t, s| {
        t.plain("code", "PolicyCommandCode", &[s], &[], Out::new().u32(0x150));
    });
    t.plain("by password", "ObjectChangeAuth", &[object, parent], &[b"secret"], Out::new().sized(b"n"));
    let s = t.session("admin", SE_POLICY, SHA256, Symmetric::Null, None);
    t.authorized("without code", "ObjectChangeAuth", &[object, parent], &[with(s, b"")], Out::new().sized(b"n"));
    t.plain("code", "PolicyCommandCode", &[s], &[], Out::new().u32(0x150));
    t.authorized("with code", "ObjectChangeAuth", &[object, parent], &[with(s, b"")], Out::new().sized(b"n"));
    t.flush(s);
    let trial = t.session("NV", SE_TRIAL, SHA256, Symmetric::Null, None);
    t.plain("code", "PolicyCommandCode", &[trial], &[], Out::new().u32(0x13B));
    let policy = digest(t, "NV", trial);
    t.flush(trial);
    let access = NV_POLICYREAD | NV_POLICYWRITE | NV_NO_DA | NV_AUTHREAD;
    let area = Out::new().u32(index + 1).u16(SHA256).u32(access).sized(&policy).u16(8);
    t.plain("index", "NV_DefineSpace", &[RH_OWNER], &[b""], Out::new().sized(b"nv").sized(&area.0));
    for wanted in [0x13Bu32, 0x137] {
        let s = t.session("NV", SE_POLICY, SHA256, Symmetric::Null, None);
        t.plain("code", "PolicyCommandCode", &[s], &[], Out::new().u32(wanted));
        t.authorized("write", "NV_Write", &[index + 1, index + 1], &[with(s, b"")], Out::new().sized(&[1]).u16(0));
        t.authorized("change", "NV_ChangeAuth", &[index + 1], &[with(s, b"")], Out::new().sized(b"newer"));
        t.flush(s);
    }
    // Deletion of a platform index by policy.
    let trial = t.session("delete", SE_TRIAL, SHA256, Symmetric::Null, None);
    t.plain("code", "PolicyCommandCode", &[trial], &[], Out::new().u32(0x11F));
    let policy = digest(t, "delete", trial);
    t.flush(trial);
    let access = NV_PPWRITE | NV_PPREAD | NV_PLATFORMCREATE | NV_POLICY_DELETE;
    let area = Out::new().u32(index + 2).u16(SHA256).u32(access).sized(&policy).u16(8);
    t.plain("index", "NV_DefineSpace", &[RH_PLATFORM], &[b""], Out::new().sized(b"nv").sized(&area.0));
    t.plain("plainly", "NV_UndefineSpace", &[RH_PLATFORM, index + 2], &[b""], Out::new());
    let s = t.session("delete", SE_POLICY, SHA256, Symmetric::Null, None);
    t.plain("code", "PolicyCommandCode", &[s], &[], Out::new().u32(0x11F));
    let uses = [with(s, b""), password(b"")];
    t.authorized("by policy", "NV_UndefineSpaceSpecial", &[index + 2, RH_PLATFORM], &uses, Out::new());
    // Hierarchies and PCR by policy.
    for hierarchy in [RH_OWNER, RH_ENDORSEMENT, RH_PLATFORM, RH_LOCKOUT, RH_NULL] {
        for (n, alg) in [(32usize, SHA256), (0, NULL), (32, NULL), (0, SHA256), (20, SHA256), (20, SHA1)] {
            let p = Out::new().sized(&vec![0; n]).u16(alg);
            t.plain(&format!("policy of {hierarchy:#x}"), "SetPrimaryPolicy", &[hierarchy], &[b""], p);
        }
        t.plain("zero policy", "SetPrimaryPolicy", &[hierarchy], &[b""], Out::new().sized(&[0; 32]).u16(SHA256));
        let s = t.session("hierarchy", SE_POLICY, SHA256, Symmetric::Null, None);
        t.authorized("by policy", "HierarchyChangeAuth", &[hierarchy], &[with(s, b"")], Out::new().sized(b"h"));
        t.authorized("back", "HierarchyChangeAuth", &[hierarchy], &[with(s, b"")], Out::new().sized(b""));
        t.flush(s);
    }
    t.plain("policies", "GetCapability", &[], &[], Out::new().u32(9).u32(0).u32(20));
}

/// PolicyAuthorize with a ticket of VerifySignature.
pub(super) fn authorize(t: &mut Tpm) {
    let (parent, _) = fixtures(t);
    let signer = external_rsa(t, EXTERNAL_SIGN, scheme(RSASSA, SHA256));
    let public = public_rsa(t, EXTERNAL_SIGN, null(), scheme(RSASSA, SHA256), RH_OWNER);
    let name = t.name(public);
    for reference in [&b""[..], b"reference"] {
        let approved = vec![0u8; 32];
        let signed_digest = hash(SHA256, &[&approved, reference]);
        let p = Out::new().sized(&signed_digest).u16(NULL).raw(&null_ticket(0x8024).0);
        let signature = t.plain("sign", "Sign", &[signer], &[b""], p).parameters;
        for key in [public, signer] {
            let verified =
                t.plain("verify", "VerifySignature", &[key], &[], Out::new().sized(&signed_digest).raw(&signature));
            for kind in [SE_TRIAL, SE_POLICY] {
                let s = t.session("authorize", kind, SHA256, Symmetric::Null, None);
                let good = Out::new().sized(&approved).sized(reference).sized(&name);
                t.plain("good", "PolicyAuthorize", &[s], &[], good.clone().raw(&verified.parameters));
                digest(t, "authorize", s);
                t.plain("not approved", "PolicyAuthorize", &[s], &[], good.raw(&verified.parameters));
                t.plain("restart", "PolicyRestart", &[s], &[], Out::new());
                let other = Out::new().sized(&approved).sized(b"other").sized(&name).raw(&verified.parameters);
                t.plain("other reference", "PolicyAuthorize", &[s], &[], other);
                let short = Out::new()
                    .sized(&approved)
                    .sized(reference)
                    .sized(name.get(..1).unwrap_or_default())
                    .raw(&verified.parameters);
                t.plain("short name", "PolicyAuthorize", &[s], &[], short);
                t.flush(s);
            }
        }
    }
    t.flush(public);
    let _ = parent;
}
