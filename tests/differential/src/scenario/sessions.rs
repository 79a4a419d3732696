//! HMAC sessions of every kind: bound, salted, encrypting, auditing; replay and damage.

use super::common::*;
use crate::codes::*;
use crate::crypto::{Symmetric, kdfe, left_pad, oaep};
use crate::describe::Public;
use crate::session::{attributed, password, with};
use crate::template::*;
use crate::tpm::{Call, Tpm};
use crate::wire::Out;
use num_bigint::BigUint;

const KINDS: [Symmetric; 5] =
    [Symmetric::Null, Symmetric::Aes(128), Symmetric::Aes(256), Symmetric::Xor(SHA256), Symmetric::Xor(SHA1)];

/// A salt encrypted to a loaded decryption key: (encryptedSalt, salt).
pub fn salt_for(t: &mut Tpm, key: u32) -> (Vec<u8>, Vec<u8>) {
    let area = t.public(key);
    let Some((public, (n, y))) = Public::parse(&area).and_then(|p| Some((p.clone(), p.point_or_modulus()?))) else {
        return Default::default();
    };
    let size = digest_size(public.name_alg);
    if public.kind == RSA {
        let (salt, seed) = (t.random.bytes(size), t.random.bytes(size));
        return (oaep(public.name_alg, n, public.exponent, b"SECRET\0", &seed, &salt), salt);
    }
    let Some(curve) = t.curve(public.curve) else { return Default::default() };
    let d = BigUint::from_bytes_be(&t.random.bytes(curve.size() - 1));
    let point = Some((BigUint::from_bytes_be(n), BigUint::from_bytes_be(y)));
    let (Some((x, ey)), Some((z, _))) = (curve.multiply(&d, &curve.base()), curve.multiply(&d, &point)) else {
        return Default::default();
    };
    let pad = |v: &BigUint| left_pad(&v.to_bytes_be(), curve.size());
    let salt = kdfe(public.name_alg, &pad(&z), "SECRET", &pad(&x), &left_pad(n, curve.size()), size * 8);
    (Out::new().sized(&pad(&x)).sized(&pad(&ey)).0, salt)
}

fn exercise(t: &mut Tpm, label: &str, session: u32, symmetric: Symmetric, parent: u32, index: u32) {
    let sealed = keyed_hash(FIXED_TPM | FIXED_PARENT | USER_WITH_AUTH | NO_DA, null(), &[]);
    let can = if symmetric == Symmetric::Null { 0 } else { DECRYPT | ENCRYPT };
    for attributes in [0, AUDIT, can, can & DECRYPT, can & ENCRYPT, can | AUDIT] {
        let name = format!("{label}, attributes {attributes:#x}");
        let u = |auth: &[u8]| attributed(session, CONTINUE | attributes, auth);
        let made = t.authorized(&name, "Create", &[parent], &[u(b"parent")], create(b"child", b"sealed data", &sealed));
        if made.rc == 0 {
            let p = Out::new().sized(&made.sized(0)).sized(&made.sized(1));
            let loaded = t.authorized(&name, "Load", &[parent], &[u(b"parent")], p);
            if loaded.rc == 0 {
                let out = t.authorized(
                    &name,
                    "Unseal",
                    &[loaded.handle],
                    &[attributed(session, CONTINUE | attributes & !DECRYPT, b"child")],
                    Out::new(),
                );
                t.expect(out.rc != 0 || out.sized(0) == b"sealed data", "unsealed other data");
                t.authorized(&name, "Unseal", &[loaded.handle], &[u(b"child")], Out::new());
                t.authorized(&name, "Unseal", &[loaded.handle], &[u(b"wrong")], Out::new());
                t.authorized(
                    &name,
                    "ObjectChangeAuth",
                    &[loaded.handle, parent],
                    &[u(b"child")],
                    Out::new().sized(b"n"),
                );
                t.flush(loaded.handle);
            }
        }
        let p = Out::new().sized(b"12345678").u16(0);
        t.authorized(&name, "NV_Write", &[index, index], &[u(b"nv")], p);
        t.authorized(&name, "NV_Read", &[index, index], &[u(b"nv")], Out::new().u16(8).u16(0));
        t.authorized(&name, "NV_Read", &[RH_OWNER, index], &[u(b"")], Out::new().u16(8).u16(0));
        t.authorized(&name, "GetRandom", &[], &[u(b"")], Out::new().u16(8));
        t.authorized(&name, "StirRandom", &[], &[u(b"")], Out::new().sized(b"stir"));
        t.authorized(&name, "ReadPublic", &[parent], &[u(b"")], Out::new());
        t.authorized(&name, "Hash", &[], &[u(b"")], Out::new().sized(b"abc").u16(SHA256).u32(RH_NULL));
    }
}

fn fixtures(t: &mut Tpm) -> (u32, u32) {
    t.startup();
    let parent = primary(t, RH_OWNER, b"parent", &storage_parent());
    let index = 0x0150_0000;
    let access = NV_OWNERWRITE | NV_OWNERREAD | NV_AUTHWRITE | NV_AUTHREAD | NV_NO_DA;
    let area = Out::new().u32(index).u16(SHA256).u32(access).sized(&[]).u16(8);
    t.plain("index", "NV_DefineSpace", &[RH_OWNER], &[b""], Out::new().sized(b"nv").sized(&area.0));
    (parent, index)
}

/// Unbound and bound sessions over hashes and ciphers.
pub(super) fn hmac(t: &mut Tpm) {
    let (parent, index) = fixtures(t);
    for hash in [SHA1, SHA256, SHA384, SHA512] {
        for symmetric in KINDS {
            let binds: [Option<(u32, &[u8])>; 4] =
                [None, Some((parent, b"parent")), Some((index, b"nv")), Some((RH_OWNER, b""))];
            for bind in binds {
                let label = format!("hash {hash:#x}, {symmetric:?}, bound to {:#x}", bind.map_or(0, |b| b.0));
                let session = t.session(&label, SE_HMAC, hash, symmetric, bind);
                exercise(t, &label, session, symmetric, parent, index);
                t.flush(session);
            }
        }
    }
}

/// Salted sessions by RSA and ECC keys.
pub(super) fn salted(t: &mut Tpm) {
    let (parent, index) = fixtures(t);
    let rsa_parent = primary(t, RH_OWNER, b"", &rsa(STORAGE, aes_cfb(128), null(), 2048));
    let p384 = ecc_named(SHA384, STORAGE, aes_cfb(256), null(), 4);
    for kind in 0..3 {
        let key = match kind {
            0 => rsa_parent,
            1 => parent,
            _ => primary(t, RH_ENDORSEMENT, b"", &p384),
        };
        for (hash, symmetric) in
            [(SHA256, Symmetric::Aes(128)), (SHA1, Symmetric::Xor(SHA256)), (SHA512, Symmetric::Null)]
        {
            let binds: [Option<(u32, &[u8])>; 2] = [None, Some((index, b"nv"))];
            for bind in binds {
                let (encrypted, salt) = salt_for(t, key);
                let label = format!("salted by key {kind}, hash {hash:#x}, {symmetric:?}, bound {}", bind.is_some());
                let session = t.session_salted(&label, SE_HMAC, hash, symmetric, bind, key, &encrypted, &salt);
                exercise(t, &label, session, symmetric, parent, index);
                t.flush(session);
                let mut damaged = encrypted.clone();
                if let Some(last) = damaged.last_mut() {
                    *last ^= 1;
                }
                t.session_salted("damaged salt", SE_HMAC, hash, symmetric, bind, key, &damaged, &salt);
                t.session_salted(
                    "short salt",
                    SE_HMAC,
                    hash,
                    symmetric,
                    bind,
                    key,
                    encrypted.get(1..).unwrap_or_default(),
                    &salt,
                );
                t.session_salted("no salt", SE_HMAC, hash, symmetric, bind, key, &[], &salt);
            }
        }
    }
    t.session_salted("salt without key", SE_HMAC, SHA256, Symmetric::Null, None, RH_NULL, &[1; 32], &[]);
    let signer = external_ecc(t, 3, &[9; 32], EXTERNAL_SIGN, null());
    t.session_salted("signing key", SE_HMAC, SHA256, Symmetric::Null, None, signer, &[1; 32], &[]);
}

/// Parameters of TPM2_StartAuthSession, the number of sessions, two and three sessions in a command, and audit bits.
pub(super) fn parameters(t: &mut Tpm) {
    let (parent, index) = fixtures(t);
    for kind in [0u8, 1, 2, 3, 4, 0xFF] {
        for nonce in [0usize, 1, 15, 16, 32, 33, 64, 65] {
            let p = Out::new().sized(&vec![1; nonce]).sized(&[]).u8(kind).u16(NULL).u16(SHA256);
            let r = t.plain(&format!("type {kind}, nonce of {nonce}"), "StartAuthSession", &[RH_NULL, RH_NULL], &[], p);
            if r.handle != 0 {
                t.flush(r.handle);
            }
        }
    }
    for symmetric in [
        Out::new().u16(AES).u16(128).u16(CBC),
        Out::new().u16(AES).u16(129).u16(CFB),
        Out::new().u16(CAMELLIA).u16(128).u16(CFB),
        Out::new().u16(TDES).u16(192).u16(CFB),
        Out::new().u16(XOR).u16(NULL),
        Out::new().u16(XOR).u16(SM3),
        Out::new().u16(SHA256),
    ] {
        for hash in [SHA256, NULL, SM3, SHA1] {
            let p = Out::new().sized(&[1; 16]).sized(&[]).u8(0).raw(&symmetric.0).u16(hash);
            let r = t.plain("symmetric", "StartAuthSession", &[RH_NULL, RH_NULL], &[], p);
            if r.handle != 0 {
                t.flush(r.handle);
            }
        }
    }
    for bind in
        [0u32, 24, RH_LOCKOUT, RH_ENDORSEMENT, RH_PLATFORM, RH_OWNER, 0x0150_0001, 0x8000_0007, 0x0200_0000, RS_PW]
    {
        for kind in [SE_HMAC, SE_POLICY] {
            let s = t.session(&format!("bound to {bind:#x}"), kind, SHA256, Symmetric::Null, Some((bind, b"")));
            if s != 0 {
                t.flush(s);
            }
        }
    }
    let a = t.session("a", SE_HMAC, SHA256, Symmetric::Aes(128), None);
    let b = t.session("b", SE_HMAC, SHA1, Symmetric::Xor(SHA256), None);
    let c = t.session("c", SE_HMAC, SHA384, Symmetric::Aes(256), None);
    let sealed = keyed_hash(FIXED_TPM | FIXED_PARENT | USER_WITH_AUTH | NO_DA, null(), &[]);
    let body = || create(b"child", b"data", &sealed);
    for first in [with(a, b"parent"), password(b"parent")] {
        for (x, y) in [
            (DECRYPT, ENCRYPT),
            (ENCRYPT, DECRYPT),
            (DECRYPT | ENCRYPT, 0),
            (0, DECRYPT | ENCRYPT),
            (DECRYPT, DECRYPT),
            (ENCRYPT, ENCRYPT),
            (AUDIT, 0),
            (AUDIT, AUDIT),
            (AUDIT | DECRYPT, ENCRYPT),
            (AUDIT, DECRYPT | ENCRYPT),
            (0, 0),
            (0, DECRYPT),
        ] {
            let label = format!("three sessions {x:#x} {y:#x}");
            let uses = [first.clone(), attributed(b, CONTINUE | x, b""), attributed(c, CONTINUE | y, b"")];
            t.authorized(&label, "Create", &[parent], &uses, body());
            t.authorized(&label, "Create", &[parent], &uses[..2], body());
            t.authorized(&label, "GetRandom", &[], &uses[1..], Out::new().u16(8));
        }
    }
    t.authorized("one session twice", "Create", &[parent], &[with(a, b"parent"), with(a, b"")], body());
    t.authorized("password twice", "Create", &[parent], &[password(b"parent"), password(b"")], body());
    for bits in 0..=255u8 {
        let s = t.session("fresh", SE_HMAC, SHA256, Symmetric::Aes(128), None);
        let uses = [attributed(s, bits, b"nv")];
        t.authorized(&format!("bits {bits:#x}"), "NV_Read", &[index, index], &uses, Out::new().u16(1).u16(0));
        if t.sessions.contains_key(&s) {
            t.authorized("after it", "GetRandom", &[], &[attributed(s, CONTINUE | AUDIT, b"")], Out::new().u16(1));
            t.flush(s);
        }
    }
    let wrong = t.session("wrong memory", SE_HMAC, SHA256, Symmetric::Null, None);
    if let Some(s) = t.sessions.get_mut(&wrong) {
        s.nonce_tpm.iter_mut().take(1).for_each(|b| *b ^= 1);
    }
    t.authorized("stale nonce", "NV_Read", &[index, index], &[with(wrong, b"nv")], Out::new().u16(1).u16(0));
    t.call("policy as HMAC", Call { name: "PolicyRestart", handles: vec![wrong], ..Call::default() });
    for i in 0..70 {
        t.session(&format!("number {i}"), SE_HMAC, SHA256, Symmetric::Null, None);
    }
    t.plain("loaded", "GetCapability", &[], &[], Out::new().u32(1).u32(0x0200_0000).u32(100));
    t.plain("saved", "GetCapability", &[], &[], Out::new().u32(1).u32(0x0300_0000).u32(100));
}

/// Saving and loading contexts of objects, sequences and sessions; damage, order, and the gap.
pub(super) fn contexts(t: &mut Tpm) {
    let (parent, index) = fixtures(t);
    let st_clear = keyed_hash(FIXED_TPM | FIXED_PARENT | USER_WITH_AUTH | NO_DA | ST_CLEAR, null(), &[]);
    let key = loaded(t, "stClear", parent, b"", b"data", &st_clear);
    let _ = key;
    let external = external_ecc(t, 3, &[9; 32], EXTERNAL_SIGN, null());
    let mut blobs = Vec::new();
    for handle in [parent, external, 0x8000_0001, 0x8000_0009, RH_OWNER, 0x0200_0000, 0x0300_0000, index] {
        let saved = t.plain(&format!("save {handle:#x}"), "ContextSave", &[handle], &[], Out::new());
        if saved.rc == 0 {
            blobs.push(saved.parameters);
        }
    }
    for blob in &blobs {
        let full = t.plain("no room", "ContextLoad", &[], &[], Out::new().raw(blob));
        t.flush(0x8000_0001);
        let again = t.plain("load", "ContextLoad", &[], &[], Out::new().raw(blob));
        t.plain("show", "ReadPublic", &[again.handle], &[], Out::new());
        t.flush(again.handle);
        // The length is each TPM's own: the last byte has no number.
        for at in [0usize, 7, 8, 11, 12, 15, 16, 17, 20, 40, 60, 100, usize::MAX] {
            let mut damaged = blob.clone();
            damaged.iter_mut().skip(at.min(blob.len().saturating_sub(1))).take(1).for_each(|b| *b ^= 1);
            let r = t.plain(&format!("damaged at {at}"), "ContextLoad", &[], &[], Out::new().raw(&damaged));
            if r.rc == 0 {
                t.flush(r.handle);
            }
        }
        for n in [0usize, 8, 15, 18, 30] {
            t.plain(&format!("{n} bytes"), "ContextLoad", &[], &[], Out::new().raw(blob.get(..n).unwrap_or_default()));
        }
        let _ = full;
    }
    let mut saved = Vec::new();
    for i in 0..6 {
        let kind = [SE_HMAC, SE_POLICY, SE_TRIAL][i % 3];
        let s = t.session(&format!("session {i}"), kind, SHA256, Symmetric::Null, None);
        let blob = t.plain("save", "ContextSave", &[s], &[], Out::new());
        t.plain("save twice", "ContextSave", &[s], &[], Out::new());
        t.plain("use saved", "PolicyGetDigest", &[s], &[], Out::new());
        saved.push((s, blob.parameters));
    }
    t.plain("loaded", "GetCapability", &[], &[], Out::new().u32(1).u32(0x0200_0000).u32(100));
    t.plain("saved", "GetCapability", &[], &[], Out::new().u32(1).u32(0x0300_0000).u32(100));
    for (s, blob) in &saved {
        t.plain("load", "ContextLoad", &[], &[], Out::new().raw(blob));
        t.plain("load again", "ContextLoad", &[], &[], Out::new().raw(blob));
        t.authorized("use", "GetRandom", &[], &[attributed(*s, CONTINUE | AUDIT, b"")], Out::new().u16(2));
        let second = t.plain("save", "ContextSave", &[*s], &[], Out::new());
        t.plain("load old", "ContextLoad", &[], &[], Out::new().raw(blob));
        t.plain("load new", "ContextLoad", &[], &[], Out::new().raw(&second.parameters));
    }
    let (s, _) = saved[0];
    let blob = t.plain("save", "ContextSave", &[s], &[], Out::new());
    t.flush(s);
    t.plain("load flushed", "ContextLoad", &[], &[], Out::new().raw(&blob.parameters));
    let (s, _) = saved[3];
    let kept = t.plain("save", "ContextSave", &[s], &[], Out::new());
    for kind in [1u16, 0] {
        t.plain("shutdown", "Shutdown", &[], &[], Out::new().u16(kind));
        t.control("power cycle", |d| d.power_on());
        if t.plain("startup", "Startup", &[], &[], Out::new().u16(kind)).rc != 0 {
            t.startup();
        }
        t.plain("saved session", "ContextLoad", &[], &[], Out::new().raw(&kept.parameters));
        for blob in &blobs {
            t.plain("saved object", "ContextLoad", &[], &[], Out::new().raw(blob));
        }
        t.plain("save", "ContextSave", &[s], &[], Out::new());
        t.plain("loaded", "GetCapability", &[], &[], Out::new().u32(1).u32(0x0200_0000).u32(100));
        t.plain("saved", "GetCapability", &[], &[], Out::new().u32(1).u32(0x0300_0000).u32(100));
    }
    // An owner's objects do not load after a clear, and a null-hierarchy object not after a reset.
    t.flush(0x8000_0000);
    t.flush(0x8000_0001);
    let parent = primary(t, RH_OWNER, b"", &storage_parent());
    let mine = t.plain("save", "ContextSave", &[parent], &[], Out::new());
    t.plain("clear", "Clear", &[RH_PLATFORM], &[b""], Out::new());
    t.plain("after clear", "ContextLoad", &[], &[], Out::new().raw(&mine.parameters));
}
