//! Objects: creation with every attribute, loading, public areas, authorization changes, persistence, hierarchies.

use super::common::*;
use crate::codes::*;
use crate::template::*;
use crate::tpm::Tpm;
use crate::wire::Out;

/// Templates, their attributes one by one, and what can be made from them.
pub(super) fn templates(t: &mut Tpm) {
    t.startup();
    let parent = primary(t, RH_OWNER, b"", &storage_parent());
    let templates: [(&str, Vec<u8>, &[u8]); 9] = [
        ("P-256 signing", ecc(SIGNING, null(), scheme(ECDSA, SHA256), 3), b""),
        ("P-256 unrestricted", ecc(SIGNING | KEY_DECRYPT, null(), null(), 3), b""),
        ("P-384 storage", ecc(STORAGE, aes_cfb(256), null(), 4), b""),
        ("sealed", keyed_hash(FIXED_TPM | FIXED_PARENT | USER_WITH_AUTH, null(), &[]), b"the secret"),
        ("HMAC", keyed_hash(SIGNING, scheme(HMAC, SHA256), &[]), b""),
        ("XOR", keyed_hash(DECRYPTION, Out::new().u16(XOR).u16(SHA256).u16(KDF1_SP800_108), &[]), b""),
        ("AES", symmetric(DECRYPTION | KEY_SIGN, AES, 128, CFB), b""),
        ("AES storage", symmetric(STORAGE, AES, 256, CFB), b""),
        ("derivation parent", keyed_hash(STORAGE, Out::new().u16(XOR).u16(SHA256).u16(KDF1_SP800_108), &[]), b""),
    ];
    for (name, area, data) in &templates {
        let made = child(t, name, parent, b"auth", data, area);
        let handle = load(t, name, parent, &made);
        t.plain(name, "ReadPublic", &[handle], &[], Out::new());
        t.plain(name, "Unseal", &[handle], &[b"auth"], Out::new());
        t.plain(name, "Unseal", &[handle], &[b"wrong"], Out::new());
        if handle != 0 {
            t.flush(handle);
        }
        for bit in 0..32 {
            let mut changed = area.clone();
            let flipped = u32::from_be_bytes([changed[4], changed[5], changed[6], changed[7]]) ^ 1 << bit;
            changed[4..8].copy_from_slice(&flipped.to_be_bytes());
            let label = format!("{name} without bit {bit}");
            child(t, &label, parent, b"auth", data, &changed);
            child(t, &format!("{label}, with data"), parent, b"auth", b"0123456789abcdef", &changed);
            let handle = t.plain(&label, "CreatePrimary", &[RH_NULL], &[b""], create(b"auth", data, &changed)).handle;
            if handle != 0 {
                t.flush(handle);
            }
            let p = sensitive(b"", data).sized(&changed);
            let handle = t.plain(&label, "CreateLoaded", &[parent], &[b""], p).handle;
            if handle != 0 {
                t.flush(handle);
            }
        }
        // Every byte of the template changed.
        for at in 0..area.len() {
            for value in [0u8, 0xFF, area[at].wrapping_add(1)] {
                let mut changed = area.clone();
                changed[at] = value;
                child(t, &format!("{name} with byte {at} = {value}"), parent, b"", data, &changed);
            }
        }
    }
    let sealed = keyed_hash(FIXED_TPM | FIXED_PARENT | USER_WITH_AUTH, null(), &[]);
    for n in [0usize, 1, 127, 128, 129, 256] {
        child(t, &format!("seal {n}"), parent, b"", &vec![1; n], &sealed);
    }
    for n in [31usize, 32, 33, 64, 65] {
        child(t, &format!("auth of {n}"), parent, &vec![1; n], b"x", &sealed);
    }
    for pcr in [pcrs(SHA256, [0x80, 0, 1]), pcrs(SM3, [1, 0, 0]), pcrs(SHA1, [0; 3]), Out::new().u32(0)] {
        let p = sensitive(b"", b"x").sized(&sealed).sized(b"outside").raw(&pcr.0);
        t.plain("creation PCR", "Create", &[parent], &[b""], p.clone());
        let handle = t.plain("creation PCR", "CreatePrimary", &[RH_ENDORSEMENT], &[b""], p).handle;
        if handle != 0 {
            t.flush(handle);
        }
    }
    for n in [64usize, 65, 66, 67] {
        let p = sensitive(b"", b"x").sized(&sealed).sized(&vec![3; n]).u32(0);
        t.plain(&format!("outside info of {n}"), "Create", &[parent], &[b""], p);
    }
    for hierarchy in [RH_OWNER, RH_ENDORSEMENT, RH_PLATFORM, RH_NULL, RH_LOCKOUT, 0] {
        let handle = primary(t, hierarchy, b"", &storage_parent());
        if handle != 0 {
            t.plain("show", "ReadPublic", &[handle], &[], Out::new());
            t.flush(handle);
        }
    }
}

/// RSA keys of all sizes: few, because they take long.
pub(super) fn rsa_keys(t: &mut Tpm) {
    t.startup();
    for (bits, exponent) in [(1024u16, 0u32), (2048, 0), (2048, 65537), (2048, 3), (512, 0), (3072, 65539)] {
        for attributes in [STORAGE, SIGNING, DECRYPTION] {
            let symmetric = if attributes == STORAGE { aes_cfb(128) } else { null() };
            let parameters = symmetric.u16(NULL).u16(bits).u32(exponent);
            let area = public(RSA, SHA256, attributes, &[], parameters, Out::new().sized(&[]));
            let handle = primary(t, RH_OWNER, b"", &area);
            if handle != 0 {
                t.plain("show", "ReadPublic", &[handle], &[], Out::new());
                t.flush(handle);
            }
        }
    }
    let parent = primary(t, RH_OWNER, b"", &rsa(STORAGE, aes_cfb(128), null(), 2048));
    let key = loaded(t, "RSA child", parent, b"a", b"", &rsa(SIGNING, null(), scheme(RSASSA, SHA256), 2048));
    t.plain("show", "ReadPublic", &[key], &[], Out::new());
    child(t, "RSA child with data", parent, b"a", b"data", &rsa(SIGNING, null(), scheme(RSASSA, SHA256), 2048));
    let unique = Out::new().sized(&[0xA5; 256]);
    let parameters = aes_cfb(128).u16(NULL).u16(2048).u32(0);
    let area = public(RSA, SHA256, STORAGE, &[], parameters, unique);
    primary(t, RH_OWNER, b"", &area);
    primary(t, RH_OWNER, b"", &area);
}

/// Loading what was made, with damage and with other parents.
pub(super) fn loading(t: &mut Tpm) {
    t.startup();
    let parent = primary(t, RH_OWNER, b"", &storage_parent());
    let other = primary(t, RH_ENDORSEMENT, b"", &storage_parent());
    let area = keyed_hash(FIXED_TPM | FIXED_PARENT | USER_WITH_AUTH, null(), &[]);
    let made = child(t, "sealed", parent, b"auth", b"data", &area);
    let (private, public) = (made.sized(0), made.sized(1));
    for at in (0..private.len()).step_by(7) {
        let mut damaged = private.clone();
        damaged.iter_mut().skip(at).take(1).for_each(|b| *b ^= 1);
        let p = Out::new().sized(&damaged).sized(&public);
        t.plain(&format!("private damaged at {at}"), "Load", &[parent], &[b""], p);
    }
    for at in 0..public.len() {
        let mut damaged = public.clone();
        damaged.iter_mut().skip(at).take(1).for_each(|b| *b ^= 1);
        let p = Out::new().sized(&private).sized(&damaged);
        let handle = t.plain(&format!("public damaged at {at}"), "Load", &[parent], &[b""], p).handle;
        if handle != 0 {
            t.flush(handle);
        }
    }
    for n in [0usize, 1, 2, 20, private.len().saturating_sub(1)] {
        let p = Out::new().sized(private.get(..n).unwrap_or_default()).sized(&public);
        t.plain(&format!("{n} bytes of private"), "Load", &[parent], &[b""], p);
    }
    load(t, "other parent", other, &made);
    let handle = load(t, "good", parent, &made);
    load(t, "as parent", handle, &made);
    let changed = t.plain("new auth", "ObjectChangeAuth", &[handle, parent], &[b"auth"], Out::new().sized(b"new"));
    t.plain("other parent", "ObjectChangeAuth", &[handle, other], &[b"auth"], Out::new().sized(b"new"));
    t.plain("too long", "ObjectChangeAuth", &[handle, parent], &[b"auth"], Out::new().sized(&[1; 33]));
    t.plain("primary", "ObjectChangeAuth", &[parent, parent], &[b""], Out::new().sized(b"new"));
    t.flush(handle);
    let p = Out::new().sized(&changed.sized(0)).sized(&public);
    let handle = t.plain("with new auth", "Load", &[parent], &[b""], p).handle;
    t.plain("unseal", "Unseal", &[handle], &[b"new"], Out::new());
    t.plain("unseal with old", "Unseal", &[handle], &[b"auth"], Out::new());
    load(t, "no room", parent, &made);
    for (auth, object, persistent) in [
        (RH_OWNER, handle, 0x8100_0000u32),
        (RH_OWNER, parent, 0x8100_0001),
        (RH_OWNER, parent, 0x8100_0001),
        (RH_OWNER, parent, 0x8180_0001),
        (RH_PLATFORM, parent, 0x8180_0001),
        (RH_PLATFORM, parent, 0x8100_0002),
        (RH_OWNER, other, 0x8101_0001),
        (RH_ENDORSEMENT, other, 0x8101_0002),
        (RH_OWNER, parent, 0x8000_0000),
        (RH_OWNER, 0x8100_0001, 0x8100_0005),
        (RH_OWNER, 0x8100_0007, 0x8100_0007),
    ] {
        if object == 0x8100_0001 {
            // libtpms uses a persistent object from a free slot.
            t.flush(other);
        }
        let label = format!("persist {object:#x} at {persistent:#x} by {auth:#x}");
        t.plain(&label, "EvictControl", &[auth, object], &[b""], Out::new().u32(persistent));
    }
    t.plain("persistent", "GetCapability", &[], &[], Out::new().u32(1).u32(0x8100_0000).u32(20));
    t.plain("show", "ReadPublic", &[0x8100_0001], &[], Out::new());
    t.flush(parent);
    load(t, "under the persistent one", 0x8100_0001, &made);
    t.power_cycle();
    t.startup();
    let handle = load(t, "after a power cycle", 0x8100_0001, &made);
    t.plain("unseal", "Unseal", &[handle], &[b"auth"], Out::new());
    t.plain("flush persistent", "FlushContext", &[], &[], Out::new().u32(0x8100_0001));
    t.plain("remove", "EvictControl", &[RH_OWNER, 0x8100_0001], &[b""], Out::new().u32(0x8100_0001));
    t.plain("remove other", "EvictControl", &[RH_OWNER, 0x8101_0001], &[b""], Out::new().u32(0x8100_0001));
    t.plain("persistent", "GetCapability", &[], &[], Out::new().u32(1).u32(0x8100_0000).u32(20));
}

/// External keys: public only, with private parts, good and damaged.
pub(super) fn external_keys(t: &mut Tpm) {
    t.startup();
    let (n, p) = rsa_key();
    let area = rsa_with(EXTERNAL_SIGN, null(), scheme(RSASSA, SHA256), &n);
    for hierarchy in [RH_OWNER, RH_NULL, RH_PLATFORM, RH_ENDORSEMENT, RH_LOCKOUT, 0] {
        for private in [Out::new().sized(&[]), loaded_sensitive(RSA, b"a", &[], &p)] {
            let handle = t.plain("hierarchy", "LoadExternal", &[], &[], private.sized(&area).u32(hierarchy)).handle;
            if handle != 0 {
                t.fixed.insert(handle);
                t.plain("show", "ReadPublic", &[handle], &[], Out::new());
                t.flush(handle);
            }
        }
    }
    for private in [
        loaded_sensitive(ECC, b"", &[], &p),
        loaded_sensitive(RSA, &[1; 33], &[], &p),
        loaded_sensitive(RSA, b"", &[1; 32], &p),
        loaded_sensitive(RSA, b"", &[], &p[1..]),
        loaded_sensitive(RSA, b"", &[], &[&p[..127], &[p[127] ^ 2]].concat()),
        loaded_sensitive(RSA, b"", &[], &[]),
        Out::new().sized(&[0]),
    ] {
        let handle = t.plain("bad private", "LoadExternal", &[], &[], private.sized(&area).u32(RH_NULL)).handle;
        if handle != 0 {
            t.flush(handle);
        }
    }
    for bit in 0..32 {
        let mut changed = area.clone();
        let flipped = u32::from_be_bytes([changed[4], changed[5], changed[6], changed[7]]) ^ 1 << bit;
        changed[4..8].copy_from_slice(&flipped.to_be_bytes());
        for private in [Out::new().sized(&[]), loaded_sensitive(RSA, b"a", &[], &p)] {
            let parameters = private.sized(&changed).u32(RH_NULL);
            let handle = t.plain(&format!("bit {bit}"), "LoadExternal", &[], &[], parameters).handle;
            if handle != 0 {
                t.flush(handle);
            }
        }
    }
    for curve in [1u16, 2, 3, 4, 5, 0x10, 0x20] {
        let d = [0x17; 24];
        let handle = external_ecc(t, curve, &d, EXTERNAL_SIGN, null());
        t.plain(&format!("curve {curve:#x}"), "ReadPublic", &[handle], &[], Out::new());
        if handle != 0 {
            t.flush(handle);
        }
        let good = ecc_public(t, curve, &d, EXTERNAL_SIGN, null(), null());
        let mut off = good.clone();
        if let Some(last) = off.last_mut() {
            *last ^= 1;
        }
        let size = t.curve(curve).map_or(32, |c| c.size());
        for (label, area, secret) in [
            ("off the curve", &off, vec![]),
            ("wrong scalar", &good, vec![0x18; size]),
            ("zero scalar", &good, vec![0; size]),
            ("large scalar", &good, vec![0xFF; size]),
            ("short scalar", &good, vec![0x17; 8]),
        ] {
            let private =
                if secret.is_empty() { Out::new().sized(&[]) } else { loaded_sensitive(ECC, &[], &[], &secret) };
            let handle = t.plain(label, "LoadExternal", &[], &[], private.sized(area).u32(RH_NULL)).handle;
            if handle != 0 {
                t.flush(handle);
            }
        }
    }
    for alg in [NULL, SM3, SHA1] {
        let mut changed = area.clone();
        changed[2..4].copy_from_slice(&alg.to_be_bytes());
        let parameters = Out::new().sized(&[]).sized(&changed).u32(RH_OWNER);
        let handle = t.plain(&format!("name {alg:#x}"), "LoadExternal", &[], &[], parameters).handle;
        if handle != 0 {
            t.fixed.insert(handle);
            t.plain("show", "ReadPublic", &[handle], &[], Out::new());
            t.plain("persist", "EvictControl", &[RH_OWNER, handle], &[b""], Out::new().u32(0x8100_0000));
            t.flush(handle);
        }
    }
}

/// Derived objects: with fixed labels their keys depend on the parent only.
pub(super) fn derivation(t: &mut Tpm) {
    t.startup();
    let area = keyed_hash(STORAGE, Out::new().u16(XOR).u16(SHA256).u16(KDF1_SP800_108), &[]);
    let parent = primary(t, RH_OWNER, b"", &area);
    let label_of = |label: &[u8], context: &[u8]| Out::new().sized(label).sized(context);
    let derived = FIXED_TPM | FIXED_PARENT | USER_WITH_AUTH | NO_DA;
    for (name, kind, attributes, parameters) in [
        ("ECC", ECC, derived | KEY_SIGN, null().u16(ECDSA).u16(SHA256).u16(3).u16(NULL)),
        ("HMAC", KEYEDHASH, derived | KEY_SIGN, scheme(HMAC, SHA256)),
        ("AES", SYMCIPHER, derived | KEY_DECRYPT, aes_cfb(128)),
        ("data", KEYEDHASH, derived, null()),
        ("RSA", RSA, derived | KEY_SIGN, null().u16(NULL).u16(2048).u32(0)),
        ("origin", ECC, derived | KEY_SIGN | SENSITIVE_DATA_ORIGIN, null().u16(ECDSA).u16(SHA256).u16(3).u16(NULL)),
    ] {
        for (label, context) in [(&b"label"[..], &b"context"[..]), (b"", b""), (b"label", b""), (&[b'x'; 33], b"")] {
            let unique = label_of(label, context);
            let template = public(kind, SHA256, attributes, &[], parameters.clone(), unique);
            let p = sensitive(b"a", &[]).sized(&template);
            let first = t.plain(name, "CreateLoaded", &[parent], &[b""], p.clone());
            if first.rc == 0 {
                let again = t.plain(name, "CreateLoaded", &[parent], &[b""], p);
                let same = first.sized(1) == again.sized(1);
                t.expect(same, "the same label gives another key");
                t.plain("show", "ReadPublic", &[first.handle], &[], Out::new());
                t.flush(first.handle);
                t.flush(again.handle);
            }
            let p = sensitive(b"a", &label_of(b"other", b"c").0).sized(&public(
                kind,
                SHA256,
                attributes,
                &[],
                parameters.clone(),
                label_of(b"", b""),
            ));
            let other = t.plain(name, "CreateLoaded", &[parent], &[b""], p);
            if other.handle != 0 {
                t.flush(other.handle);
            }
        }
    }
    child(t, "Create under it", parent, b"", b"x", &keyed_hash(derived, null(), &[]));
}
