//! Public-key cryptography.

use super::*;
use sealwright_differential::crypto::hash;

fn external_rsa(t: &mut Tpm, attributes: u32) -> u32 {
    let (n, p) = rsa_key();
    let parameters = loaded_sensitive(RSA, &[], &[], &p).sized(&rsa_with(attributes, null(), null(), &n)).u32(RH_NULL);
    t.plain("fixed key", "LoadExternal", &[], &[], parameters).handle
}

fn to_sign(alg: u16, hash_alg: u16) -> Out {
    Out::new().sized(&hash(hash_alg, &[b"message"])).u16(alg).u16(hash_alg).u16(0x8024).u32(RH_NULL).sized(&[])
}

fn sign(handle: u32, alg: u16, hash_alg: u16) -> Repeat {
    same("Sign", &[handle], &[b""], to_sign(alg, hash_alg))
}

fn verify(t: &mut Tpm, handle: u32, alg: u16, hash_alg: u16) -> Repeat {
    let signed = t.plain("sign", "Sign", &[handle], &[b""], to_sign(alg, hash_alg)).parameters;
    same("VerifySignature", &[handle], &[], Out::new().sized(&hash(hash_alg, &[b"message"])).raw(&signed))
}

fn quote(handle: u32, alg: u16) -> Repeat {
    same("Quote", &[handle], &[b""], Out::new().sized(b"nonce").u16(alg).u16(SHA256).raw(&eight()))
}

/// A primary whose `unique` differs each time, so that each one is another key.
fn varied_rsa(i: usize, bits: u16) -> Vec<u8> {
    let mut unique = vec![0; usize::from(bits) / 8];
    unique[..8].copy_from_slice(&(i as u64).to_be_bytes());
    let parameters = aes_cfb(128).u16(NULL).u16(bits).u32(0);
    public(RSA, SHA256, STORAGE, &[], parameters, Out::new().sized(&unique))
}

fn varied(bits: u16) -> Repeat {
    Box::new(move |t, i| {
        timed(t, &command("CreatePrimary", &[RH_OWNER], &[b""], create(b"", b"", &varied_rsa(i, bits))))
    })
}

fn create_primary(public: &[u8]) -> Repeat {
    same("CreatePrimary", &[RH_OWNER], &[b""], create(b"", b"", public))
}

fn create_child(t: &mut Tpm, public: &[u8]) -> Repeat {
    let parent = primary(t, &storage_parent());
    same("Create", &[parent], &[b""], create(b"", b"", public))
}

fn load(t: &mut Tpm, public: &[u8]) -> Repeat {
    let (parent, both) = made(t, public, b"");
    same("Load", &[parent], &[b""], Out::new().raw(&both))
}

fn zgen(t: &mut Tpm, curve: u16) -> Repeat {
    let k = key(t, &ecc(DECRYPTION, null(), null(), curve), b"");
    let point = t.plain("point", "ECDH_KeyGen", &[k], &[], Out::new()).sized(1);
    same("ECDH_ZGen", &[k], &[b""], Out::new().sized(&point))
}

fn make_credential(t: &mut Tpm, public: &[u8]) -> Repeat {
    let k = primary(t, public);
    let name = t.name(k);
    same("MakeCredential", &[k], &[], Out::new().sized(&[1; 32]).sized(&name))
}

fn activate_credential(t: &mut Tpm, public: &[u8]) -> Repeat {
    let k = primary(t, public);
    let object = primary(t, &ecc_signing(3));
    let name = t.name(object);
    let made = t.plain("credential", "MakeCredential", &[k], &[], Out::new().sized(&[1; 32]).sized(&name));
    same("ActivateCredential", &[object, k], &[b"", b""], Out::new().raw(&made.parameters))
}

fn decrypt(t: &mut Tpm) -> Repeat {
    let k = external_rsa(t, USER_WITH_AUTH | KEY_DECRYPT);
    let p = |m: &[u8]| Out::new().sized(m).u16(OAEP).u16(SHA256).sized(&[]);
    let sealed = t.plain("encrypt", "RSA_Encrypt", &[k], &[], p(&[1; 32])).sized(0);
    same("RSA_Decrypt", &[k], &[b""], p(&sealed))
}

const SIGN: u32 = USER_WITH_AUTH | KEY_SIGN;

pub(super) const ECC_ROWS: &[Row] = &[
    row("Sign ECDSA P-256", 300, |t| sign(key(t, &ecc_signing(3), b""), ECDSA, SHA256)).aim(0.10),
    row("CreatePrimary P-256 SRK", 200, |_| create_primary(&storage_parent())).aim(0.10),
    row("Create P-256 signing", 200, |t| create_child(t, &ecc_signing(3))).aim(0.10),
    row("Quote P-256", 300, |t| quote(key(t, &ecc_signing(3), b""), ECDSA)).aim(0.10),
    row("VerifySignature P-256", 300, |t| {
        let k = key(t, &ecc_signing(3), b"");
        verify(t, k, ECDSA, SHA256)
    })
    .aim(0.20),
    row("ECDH_KeyGen P-256", 200, |t| {
        same("ECDH_KeyGen", &[key(t, &ecc(DECRYPTION, null(), null(), 3), b"")], &[], Out::new())
    })
    .aim(0.20),
    row("ECDH_ZGen P-256", 200, |t| zgen(t, 3)).aim(0.20),
    row("MakeCredential P-256", 200, |t| make_credential(t, &storage_parent())).aim(0.20),
    row("ActivateCredential P-256", 200, |t| activate_credential(t, &storage_parent())).aim(0.20),
    row("Load P-256", 200, |t| load(t, &ecc_signing(3))).aim(1.00),
    row("ContextLoad (P-256)", 300, |t| {
        let k = primary(t, &storage_parent());
        let saved = t.plain("save", "ContextSave", &[k], &[], Out::new());
        t.flush(k);
        same("ContextLoad", &[], &[], Out::new().raw(&saved.parameters))
    })
    .aim(1.00),
    row("Sign ECDSA P-384", 200, |t| sign(key(t, &ecc_signing(4), b""), ECDSA, SHA384)).aim(0.15),
    row("CreatePrimary P-384 SRK", 100, |_| create_primary(&ecc(STORAGE, aes_cfb(128), null(), 4))).aim(0.15),
    row("Create P-384 signing", 100, |t| create_child(t, &ecc_signing(4))).aim(0.15),
    row("VerifySignature P-384", 200, |t| {
        let k = key(t, &ecc_signing(4), b"");
        verify(t, k, ECDSA, SHA384)
    })
    .aim(0.35),
    row("ECDH_ZGen P-384", 200, |t| zgen(t, 4)).aim(0.35),
];

pub(super) const RSA_ROWS: &[Row] = &[
    row("Sign RSA-2048 RSASSA", 200, |t| sign(external_rsa(t, SIGN), RSASSA, SHA256)).aim(0.16),
    row("Sign RSA-2048 PSS", 200, |t| sign(external_rsa(t, SIGN), RSAPSS, SHA256)).aim(0.16),
    row("Quote RSA-2048", 200, |t| quote(external_rsa(t, SIGN), RSASSA)).aim(0.16),
    row("RSA_Decrypt RSA-2048 OAEP", 200, decrypt).aim(0.16),
    row("ActivateCredential RSA-2048", 200, |t| activate_credential(t, &varied_rsa(0, 2048))).aim(0.16),
    row("MakeCredential RSA-2048", 200, |t| make_credential(t, &varied_rsa(0, 2048))).aim(1.00),
    row("VerifySignature RSA-2048", 300, |t| {
        let k = external_rsa(t, SIGN);
        verify(t, k, RSASSA, SHA256)
    })
    .aim(1.00),
    row("RSA_Encrypt RSA-2048 OAEP", 300, |t| {
        let k = external_rsa(t, USER_WITH_AUTH | KEY_DECRYPT);
        same("RSA_Encrypt", &[k], &[], Out::new().sized(&[1; 32]).u16(OAEP).u16(SHA256).sized(&[]))
    })
    .aim(1.00),
    row("Sign RSA-3072 RSASSA", 60, |t| sign(key(t, &rsa_signing(3072), b""), RSASSA, SHA256)).aim(0.20),
    row("Load RSA-2048", 200, |t| load(t, &rsa_signing(2048))).aim(0.40),
    row("ContextLoad (RSA-2048)", 200, |t| {
        let k = primary(t, &varied_rsa(0, 2048));
        let saved = t.plain("save", "ContextSave", &[k], &[], Out::new());
        t.flush(k);
        same("ContextLoad", &[], &[], Out::new().raw(&saved.parameters))
    })
    .aim(1.00),
    row("CreatePrimary RSA-2048, varied unique", 60, |_| varied(2048)).aim(0.40).by_cpu(),
    row("CreatePrimary RSA-3072, varied unique", 16, |_| varied(3072)).by_cpu(),
    row("Create RSA-2048 signing", 60, |t| create_child(t, &rsa_signing(2048))).aim(0.15).by_cpu(),
];
