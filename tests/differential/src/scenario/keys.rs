//! What keys do: sign, verify, encrypt, decrypt, agree, commit; all with fixed keys where the result is determined.

use super::common::*;
use crate::codes::*;
use crate::crypto::hash;
use crate::template::*;
use crate::tpm::Tpm;
use crate::wire::Out;

const MESSAGE: &[u8] = b"a message to be signed";

/// Signs a digest, checks the signature by our own code and lets the TPM verify it, whole and damaged.
fn sign(t: &mut Tpm, label: &str, key: u32, signing: &Out, alg: u16) {
    let digest = hash(alg, &[MESSAGE]);
    let p = Out::new().sized(&digest).raw(&signing.0).raw(&null_ticket(0x8024).0);
    let signed = t.plain(label, "Sign", &[key], &[b""], p);
    if signed.rc != 0 {
        return;
    }
    t.verify(key, MESSAGE, &signed.parameters);
    let verify = |d: &[u8], s: &[u8]| Out::new().sized(d).raw(s);
    t.plain(label, "VerifySignature", &[key], &[], verify(&digest, &signed.parameters));
    let mut damaged = signed.parameters.clone();
    if let Some(last) = damaged.last_mut() {
        *last ^= 1;
    }
    t.plain(&format!("{label}, damaged"), "VerifySignature", &[key], &[], verify(&digest, &damaged));
    let other = hash(alg, &[b"other"]);
    t.plain(&format!("{label}, other digest"), "VerifySignature", &[key], &[], verify(&other, &signed.parameters));
    let short = digest.get(1..).unwrap_or_default();
    t.plain(&format!("{label}, short digest"), "VerifySignature", &[key], &[], verify(short, &signed.parameters));
}

const HASHES: [u16; 6] = [SHA1, SHA256, SHA384, SHA512, SM3, NULL];

/// RSA: all schemes and hashes.
pub(super) fn rsa(t: &mut Tpm) {
    t.startup();
    let key = external_rsa(t, EXTERNAL_SIGN, null());
    let pss = external_rsa(t, EXTERNAL_SIGN, scheme(RSAPSS, SHA256));
    for alg in HASHES {
        for kind in [RSASSA, RSAPSS, ECDSA, OAEP, HMAC] {
            sign(t, &format!("{kind:#x} {alg:#x}"), key, &scheme(kind, alg), if alg == NULL { SHA256 } else { alg });
            sign(t, &format!("{kind:#x} {alg:#x}, PSS key"), pss, &scheme(kind, alg), alg);
        }
    }
    sign(t, "key's scheme", pss, &null(), SHA256);
    sign(t, "no scheme", key, &null(), SHA256);
    for n in [0usize, 20, 31, 33, 64, 65] {
        let p = Out::new().sized(&vec![1; n]).u16(RSASSA).u16(SHA256).raw(&null_ticket(0x8024).0);
        t.plain(&format!("digest of {n}"), "Sign", &[key], &[b""], p);
    }
    let p = Out::new().sized(&[1; 32]).u16(RSASSA).u16(SHA256).u16(0x8024).u32(RH_OWNER).sized(&[1; 32]);
    t.plain("wrong ticket", "Sign", &[key], &[b""], p);
    let p = Out::new().sized(&[1; 32]).u16(RSASSA).u16(SHA256).u16(0x8021).u32(RH_NULL).sized(&[]);
    t.plain("ticket with another tag", "Sign", &[key], &[b""], p);
    t.flush(pss);
    let decrypter = external_rsa(t, EXTERNAL_DECRYPT, null());
    let schemes = |alg: u16, h: u16| if matches!(alg, NULL | RSAES) { Out::new().u16(alg) } else { scheme(alg, h) };
    for (alg, h) in [
        (RSAES, 0u16),
        (OAEP, SHA1),
        (OAEP, SHA256),
        (OAEP, SHA384),
        (OAEP, SHA512),
        (OAEP, SM3),
        (OAEP, NULL),
        (NULL, 0),
        (RSASSA, SHA256),
    ] {
        for label in [&b""[..], b"label\0", b"label"] {
            for n in [0usize, 1, 32, 100, 126, 127, 190, 191, 214, 215, 245, 246, 255, 256, 257] {
                let name = format!("{alg:#x} {h:#x} {n} bytes, label of {}", label.len());
                let p = |m: &[u8]| Out::new().sized(m).raw(&schemes(alg, h).0).sized(label);
                let sealed = t.plain(&name, "RSA_Encrypt", &[decrypter], &[], p(&vec![0x3C; n]));
                if sealed.rc == 0 {
                    t.plain(&name, "RSA_Decrypt", &[decrypter], &[b""], p(&sealed.sized(0)));
                    if n == 32 {
                        let mut damaged = sealed.sized(0);
                        damaged.iter_mut().skip(100).take(1).for_each(|b| *b ^= 1);
                        damaged.iter_mut().take(1).for_each(|b| *b &= 0x3F);
                        t.plain(&format!("{name}, damaged"), "RSA_Decrypt", &[decrypter], &[b""], p(&damaged));
                        t.plain(
                            &format!("{name}, short"),
                            "RSA_Decrypt",
                            &[decrypter],
                            &[b""],
                            p(damaged.get(1..).unwrap_or_default()),
                        );
                    }
                }
            }
        }
    }
    let (n, _) = rsa_key();
    t.plain("modulus", "RSA_Encrypt", &[decrypter], &[], Out::new().sized(&n).u16(NULL).sized(&[]));
    t.plain("by a signing key", "RSA_Encrypt", &[key], &[], Out::new().sized(&[1; 32]).u16(RSAES).sized(&[]));
    t.plain("by a signing key", "RSA_Decrypt", &[key], &[b""], Out::new().sized(&n).u16(RSAES).sized(&[]));
    let public = public_rsa(t, EXTERNAL_SIGN, null(), null(), RH_OWNER);
    sign(t, "public only", public, &scheme(RSASSA, SHA256), SHA256);
}

/// ECC: all curves and schemes, ECDH, commit.
pub(super) fn ecc_keys(t: &mut Tpm) {
    t.startup();
    for curve in [1u16, 2, 3, 4, 5, 0x10, 0x20] {
        let key = external_ecc(t, curve, &[0x21; 24], EXTERNAL_SIGN | KEY_DECRYPT, null());
        if key == 0 {
            continue;
        }
        for kind in [ECDSA, SM2, ECSCHNORR, ECDAA] {
            for alg in HASHES {
                let s = scheme(kind, alg);
                let s = if kind == ECDAA { s.u16(0) } else { s };
                sign(
                    t,
                    &format!("curve {curve:#x}, {kind:#x} {alg:#x}"),
                    key,
                    &s,
                    if alg == NULL { SHA256 } else { alg },
                );
            }
        }
        let label = format!("curve {curve:#x}");
        let made = t.plain(&label, "ECDH_KeyGen", &[key], &[], Out::new());
        if made.rc == 0 {
            let again = t.plain(&label, "ECDH_ZGen", &[key], &[b""], Out::new().sized(&made.sized(1)));
            t.expect(again.sized(0) == made.sized(0), "ECDH_ZGen gives another point than ECDH_KeyGen");
        }
        let base = t.curve(curve).and_then(|c| c.base().map(|g| (g, c.size())));
        let Some(((x, y), size)) = base else { continue };
        let pad = |v: &num_bigint::BigUint| crate::crypto::left_pad(&v.to_bytes_be(), size);
        let point = Out::new().sized(&pad(&x)).sized(&pad(&y)).0;
        t.plain(&label, "ECDH_ZGen", &[key], &[b""], Out::new().sized(&point));
        let mut off = point.clone();
        off.iter_mut().skip(10).take(1).for_each(|b| *b ^= 1);
        t.plain(&format!("{label}, off"), "ECDH_ZGen", &[key], &[b""], Out::new().sized(&off));
        t.plain(&format!("{label}, none"), "ECDH_ZGen", &[key], &[b""], Out::new().sized(&[0; 4]));
        t.plain(&format!("{label}, empty"), "ECDH_ZGen", &[key], &[b""], Out::new().sized(&[]));
        let ephemeral = t.plain(&label, "EC_Ephemeral", &[], &[], Out::new().u16(curve));
        if ephemeral.rc == 0 {
            let counter = ephemeral.parameters.last_chunk::<2>().map_or(&[][..], |c| c);
            for alg in [ECDH, ECMQV, SM2, NULL] {
                let p = Out::new().sized(&point).sized(&point).u16(alg).raw(counter);
                t.plain(&format!("{label} {alg:#x}"), "ZGen_2Phase", &[key], &[b""], p.clone());
                t.plain(&format!("{label} {alg:#x} again"), "ZGen_2Phase", &[key], &[b""], p);
            }
        }
        t.flush(key);
        let anonymous = external_ecc(t, curve, &[0x22; 24], EXTERNAL_SIGN, scheme(ECDAA, SHA256).u16(0));
        if anonymous != 0 {
            for (p1, s2, y2) in [
                (&[][..], &[][..], &[][..]),
                (&point, &[], &[]),
                (&off, &[], &[]),
                (&[], &b"message"[..], &[1u8; 4][..]),
                (&point, b"message", &[1; 4]),
            ] {
                let p = Out::new().sized(p1).sized(s2).sized(y2);
                let commit = t.plain(&format!("{label} commit"), "Commit", &[anonymous], &[b""], p);
                if commit.rc == 0 {
                    let counter = commit.parameters.last_chunk::<2>().map_or(&[][..], |c| c);
                    let counter = Out::new().u16(ECDAA).u16(SHA256).raw(counter);
                    sign(t, &format!("{label} ECDAA"), anonymous, &counter, SHA256);
                    sign(t, &format!("{label} ECDAA again"), anonymous, &counter, SHA256);
                }
            }
            t.flush(anonymous);
        }
    }
}

/// Symmetric ciphers in all modes, with chaining.
pub(super) fn ciphers(t: &mut Tpm) {
    t.startup();
    for (alg, bits) in
        [(AES, 128u16), (AES, 192), (AES, 256), (CAMELLIA, 128), (CAMELLIA, 256), (TDES, 128), (TDES, 192)]
    {
        let secret: Vec<u8> = (0..bits / 8).map(|i| (i as u8).wrapping_mul(37) | 1).collect();
        let block = if alg == TDES { 8 } else { 16 };
        for key_mode in [NULL, CFB, CBC] {
            let parameters = Out::new().u16(alg).u16(bits).u16(key_mode);
            let key = external_secret(t, SYMCIPHER, EXTERNAL_SIGN | KEY_DECRYPT, parameters, &secret);
            if key == 0 {
                continue;
            }
            for mode in [CTR, OFB, CBC, CFB, ECB, NULL, CMAC] {
                for n in [0usize, 1, 8, 15, 16, 17, 64, 1000, 1024, 1025] {
                    for way in [0u8, 1, 2] {
                        let label = format!("{alg:#x} {bits}, mode {mode:#x}, {n} bytes, {way}");
                        let (data, iv) = (vec![0x41; n], vec![0xFF; block]);
                        let p = Out::new().sized(&data).u8(way).u16(mode).sized(&iv);
                        t.plain(&label, "EncryptDecrypt2", &[key], &[b""], p);
                        if n <= 17 {
                            let p = Out::new().u8(way).u16(mode).sized(&iv).sized(&data);
                            t.plain(&label, "EncryptDecrypt", &[key], &[b""], p);
                        }
                    }
                }
                for iv in [0usize, 1, 15, 17] {
                    let p = Out::new().sized(&[0x41; 32]).u8(0).u16(mode).sized(&vec![1; iv]);
                    t.plain(&format!("IV of {iv}"), "EncryptDecrypt2", &[key], &[b""], p);
                }
            }
            t.flush(key);
        }
    }
    let parity = external_secret(t, SYMCIPHER, EXTERNAL_DECRYPT, Out::new().u16(TDES).u16(192).u16(CFB), &[1; 24]);
    t.plain("equal TDES keys", "ReadPublic", &[parity], &[], Out::new());
    for n in [15usize, 17, 32] {
        external_secret(t, SYMCIPHER, EXTERNAL_DECRYPT, aes_cfb(128), &vec![1; n]);
    }
}

/// HMAC keys that sign.
pub(super) fn keyed_hash_signatures(t: &mut Tpm) {
    t.startup();
    for alg in HASHES {
        let parameters = if alg == NULL { null() } else { scheme(HMAC, alg) };
        let key = external_secret(t, KEYEDHASH, EXTERNAL_SIGN, parameters, &[0x77; 48]);
        if key == 0 {
            continue;
        }
        for with in HASHES {
            sign(
                t,
                &format!("key {alg:#x} scheme {with:#x}"),
                key,
                &scheme(HMAC, with),
                if with == NULL { SHA256 } else { with },
            );
        }
        sign(t, "key's scheme", key, &null(), if alg == NULL { SHA256 } else { alg });
        t.flush(key);
    }
}
