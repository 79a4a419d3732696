//! What is measured: for each row the objects it needs and the command it repeats.

use sealwright_differential::codes::*;
use sealwright_differential::crypto::hash;
use sealwright_differential::session::{attributed, password};
use sealwright_differential::template::*;
use sealwright_differential::tpm::{Call, Tpm};
use sealwright_differential::wire::{In, Out};
use std::time::{Duration, Instant};

/// One measured repetition: gives its time, or the response code that it should not have got.
pub(crate) type Repeat = Box<dyn FnMut(&mut Tpm, usize) -> Result<Duration, u32>>;

/// A row: name, repetitions, and what prepares it.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) repetitions: usize,
    pub(crate) prepare: fn(&mut Tpm) -> Repeat,
}

/// A command with passwords.
fn command(name: &'static str, handles: &[u32], auths: &[&[u8]], parameters: Out) -> Vec<u8> {
    let uses: Vec<_> = auths.iter().map(|a| password(a)).collect();
    sealwright_differential::tpm::marshal(&Call { name, handles: handles.to_vec(), uses, parameters: parameters.0 })
}

/// Sends one command and takes its time; a handle in the response is flushed outside the time.
fn timed(t: &mut Tpm, bytes: &[u8]) -> Result<Duration, u32> {
    let begin = Instant::now();
    let response = t.daemon.execute(bytes).map_err(|_| u32::MAX)?;
    let time = begin.elapsed();
    let mut input = In(response.get(6..).unwrap_or(&[]));
    match input.u32().unwrap_or(u32::MAX) {
        0 => {}
        rc => return Err(rc),
    }
    let code = In(&bytes[6..]).u32().unwrap_or(0);
    if sealwright_differential::table::commands().get(&code).is_some_and(|c| c.response_handle) {
        let flush = command("FlushContext", &[], &[], Out::new().u32(input.u32().unwrap_or(0)));
        t.quiet(&flush);
    }
    Ok(time)
}

/// Repeats one command.
fn same(name: &'static str, handles: &[u32], auths: &[&[u8]], parameters: Out) -> Repeat {
    let bytes = command(name, handles, auths, parameters);
    Box::new(move |t, _| timed(t, &bytes))
}

fn primary(t: &mut Tpm, public: &[u8]) -> u32 {
    t.plain("primary", "CreatePrimary", &[RH_OWNER], &[b""], create(b"", b"", public)).handle
}

fn made(t: &mut Tpm, public: &[u8], data: &[u8]) -> (u32, Vec<u8>) {
    let parent = primary(t, &storage_parent());
    let reply = t.plain("child", "Create", &[parent], &[b""], create(b"", data, public));
    (parent, Out::new().sized(&reply.sized(0)).sized(&reply.sized(1)).0)
}

fn key(t: &mut Tpm, public: &[u8], data: &[u8]) -> u32 {
    let (parent, both) = made(t, public, data);
    t.plain("load", "Load", &[parent], &[b""], Out::new().raw(&both)).handle
}

fn rsa_signing() -> Vec<u8> {
    rsa(SIGNING, null(), null(), 2048)
}

fn ecc_signing(curve: u16) -> Vec<u8> {
    ecc(SIGNING, null(), null(), curve)
}

fn sealed() -> Vec<u8> {
    keyed_hash(FIXED_TPM | FIXED_PARENT | USER_WITH_AUTH | NO_DA, null(), &[])
}

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
    let parameters = Out::new().sized(b"nonce").u16(alg).u16(SHA256).raw(&pcrs(SHA256, [0xFF, 0, 0]).0);
    same("Quote", &[handle], &[b""], parameters)
}

fn index(t: &mut Tpm, attributes: u32, size: u16) -> u32 {
    let index = 0x0150_0000;
    let access = NV_OWNERWRITE | NV_OWNERREAD | NV_AUTHWRITE | NV_AUTHREAD | NV_NO_DA | attributes;
    let area = Out::new().u32(index).u16(SHA256).u32(access).sized(&[]).u16(size);
    t.plain("index", "NV_DefineSpace", &[RH_OWNER], &[b""], Out::new().sized(b"").sized(&area.0));
    if attributes & NV_COUNTER == 0 {
        let zeros = vec![0; size.min(1024).into()];
        t.plain("write", "NV_Write", &[index, index], &[b""], Out::new().sized(&zeros).u16(0));
    } else {
        t.plain("count", "NV_Increment", &[index, index], &[b""], Out::new());
    }
    index
}

/// Writes that change the index each time.
fn write(index: u32, size: usize) -> Repeat {
    Box::new(move |t, i| {
        let data = vec![i as u8; size];
        timed(t, &command("NV_Write", &[index, index], &[b""], Out::new().sized(&data).u16(0)))
    })
}

fn banks(algs: &[u16]) -> Out {
    algs.iter().fold(Out::new().u32(algs.len() as u32), |p, a| p.u16(*a).raw(&vec![7; digest_size(*a)]))
}

/// A primary whose `unique` differs each time, so that each one is another key.
fn varied_rsa(i: usize, bits: u16) -> Vec<u8> {
    let mut unique = vec![0; usize::from(bits) / 8];
    unique[..8].copy_from_slice(&(i as u64).to_be_bytes());
    let parameters = aes_cfb(128).u16(NULL).u16(bits).u32(0);
    public(RSA, SHA256, STORAGE, &[], parameters, Out::new().sized(&unique))
}

fn session_start(kind: u8) -> Repeat {
    let parameters = Out::new().sized(&[1; 16]).sized(&[]).u8(kind).u16(NULL).u16(SHA256);
    same("StartAuthSession", &[RH_NULL, RH_NULL], &[], parameters)
}

fn policy_session(t: &mut Tpm) -> u32 {
    t.session("policy", SE_POLICY, SHA256, sealwright_differential::crypto::Symmetric::Null, None)
}

const fn row(name: &'static str, repetitions: usize, prepare: fn(&mut Tpm) -> Repeat) -> Row {
    Row { name, repetitions, prepare }
}

/// All rows, in the order of Part 3's chapters.
pub(crate) const ROWS: &[Row] = &[
    row("GetRandom(32)", 2000, |_| same("GetRandom", &[], &[], Out::new().u16(32))),
    row("ReadClock", 2000, |_| same("ReadClock", &[], &[], Out::new())),
    row("GetCapability(properties)", 2000, |_| same("GetCapability", &[], &[], Out::new().u32(6).u32(0x100).u32(64))),
    row("GetCapability(commands)", 2000, |_| same("GetCapability", &[], &[], Out::new().u32(2).u32(0x11F).u32(256))),
    row("PCR_Read (8 of sha256)", 2000, |_| same("PCR_Read", &[], &[], pcrs(SHA256, [0xFF, 0, 0]))),
    row("PCR_Extend (sha256)", 2000, |_| same("PCR_Extend", &[16], &[b""], banks(&[SHA256]))),
    row("PCR_Extend (4 banks)", 2000, |_| same("PCR_Extend", &[16], &[b""], banks(&[SHA1, SHA256, SHA384, SHA512]))),
    row("PCR_Event (256 B)", 1000, |_| same("PCR_Event", &[16], &[b""], Out::new().sized(&[1; 256]))),
    row("PCR_Reset", 1000, |_| same("PCR_Reset", &[16], &[b""], Out::new())),
    row("Hash 1 KiB sha1", 1000, |_| same("Hash", &[], &[], Out::new().sized(&[1; 1024]).u16(SHA1).u32(RH_NULL))),
    row("Hash 1 KiB sha256", 1000, |_| same("Hash", &[], &[], Out::new().sized(&[1; 1024]).u16(SHA256).u32(RH_NULL))),
    row("Hash 1 KiB sha512", 1000, |_| same("Hash", &[], &[], Out::new().sized(&[1; 1024]).u16(SHA512).u32(RH_NULL))),
    row("HMAC (1 KiB)", 1000, |t| {
        let k = key(t, &keyed_hash(SIGNING, scheme(HMAC, SHA256), &[]), b"");
        same("MAC", &[k], &[b""], Out::new().sized(&[1; 1024]).u16(NULL))
    }),
    row("NV_Write (32 B)", 300, |t| {
        let i = index(t, 0, 32);
        write(i, 32)
    }),
    row("NV_Write (1 KiB)", 300, |t| {
        let i = index(t, 0, 1024);
        write(i, 1024)
    }),
    row("NV_Read (32 B)", 1000, |t| {
        let i = index(t, 0, 32);
        same("NV_Read", &[i, i], &[b""], Out::new().u16(32).u16(0))
    }),
    row("NV_Read (1 KiB)", 1000, |t| {
        let i = index(t, 0, 1024);
        same("NV_Read", &[i, i], &[b""], Out::new().u16(1024).u16(0))
    }),
    row("NV_Increment", 300, |t| {
        let i = index(t, NV_COUNTER, 8);
        same("NV_Increment", &[i, i], &[b""], Out::new())
    }),
    row("NV_Increment (orderly)", 500, |t| {
        let i = index(t, NV_COUNTER | NV_ORDERLY, 8);
        same("NV_Increment", &[i, i], &[b""], Out::new())
    }),
    row("NV_ReadPublic", 1000, |t| same("NV_ReadPublic", &[index(t, 0, 32)], &[], Out::new())),
    row("StartAuthSession HMAC", 1000, |_| session_start(SE_HMAC)),
    row("StartAuthSession policy", 1000, |_| session_start(SE_POLICY)),
    row("CreatePrimary RSA-2048, one template", 10, |_| {
        same("CreatePrimary", &[RH_OWNER], &[b""], create(b"", b"", &varied_rsa(0, 2048)))
    }),
    row("CreatePrimary RSA-2048, varied unique", 40, |_| {
        Box::new(|t, i| {
            timed(t, &command("CreatePrimary", &[RH_OWNER], &[b""], create(b"", b"", &varied_rsa(i, 2048))))
        })
    }),
    row("CreatePrimary RSA-3072, varied unique", 10, |_| {
        Box::new(|t, i| {
            timed(t, &command("CreatePrimary", &[RH_OWNER], &[b""], create(b"", b"", &varied_rsa(i, 3072))))
        })
    }),
    row("CreatePrimary P-256 SRK", 200, |_| {
        same("CreatePrimary", &[RH_OWNER], &[b""], create(b"", b"", &storage_parent()))
    }),
    row("CreatePrimary P-384 SRK", 100, |_| {
        same("CreatePrimary", &[RH_OWNER], &[b""], create(b"", b"", &ecc(STORAGE, aes_cfb(128), null(), 4)))
    }),
    row("Create RSA-2048 signing", 30, |t| {
        let parent = primary(t, &storage_parent());
        same("Create", &[parent], &[b""], create(b"", b"", &rsa_signing()))
    }),
    row("Create P-256 signing", 200, |t| {
        let parent = primary(t, &storage_parent());
        same("Create", &[parent], &[b""], create(b"", b"", &ecc_signing(3)))
    }),
    row("Create P-384 signing", 100, |t| {
        let parent = primary(t, &storage_parent());
        same("Create", &[parent], &[b""], create(b"", b"", &ecc_signing(4)))
    }),
    row("Create sealed (32 B)", 300, |t| {
        let parent = primary(t, &storage_parent());
        same("Create", &[parent], &[b""], create(b"", &[1; 32], &sealed()))
    }),
    row("Load RSA-2048", 100, |t| {
        let (parent, both) = made(t, &rsa_signing(), b"");
        same("Load", &[parent], &[b""], Out::new().raw(&both))
    }),
    row("Load P-256", 200, |t| {
        let (parent, both) = made(t, &ecc_signing(3), b"");
        same("Load", &[parent], &[b""], Out::new().raw(&both))
    }),
    row("Load sealed", 300, |t| {
        let (parent, both) = made(t, &sealed(), &[1; 32]);
        same("Load", &[parent], &[b""], Out::new().raw(&both))
    }),
    row("Unseal (password)", 1000, |t| {
        let k = key(t, &sealed(), &[1; 32]);
        same("Unseal", &[k], &[b""], Out::new())
    }),
    row("Unseal (HMAC session)", 500, |t| {
        let k = key(t, &sealed(), &[1; 32]);
        let s = t.session("session", SE_HMAC, SHA256, sealwright_differential::crypto::Symmetric::Null, None);
        Box::new(move |t, _| {
            t.steps.clear();
            let begin = Instant::now();
            let name = t.call(
                "unseal",
                Call { name: "Unseal", handles: vec![k], uses: vec![attributed(s, 1, b"")], parameters: vec![] },
            );
            if name.rc == 0 { Ok(begin.elapsed()) } else { Err(name.rc) }
        })
    }),
    row("ReadPublic", 1000, |t| same("ReadPublic", &[primary(t, &storage_parent())], &[], Out::new())),
    row("Sign RSA-2048 RSASSA", 200, |t| sign(external_rsa(t, USER_WITH_AUTH | KEY_SIGN), RSASSA, SHA256)),
    row("Sign RSA-2048 PSS", 200, |t| sign(external_rsa(t, USER_WITH_AUTH | KEY_SIGN), RSAPSS, SHA256)),
    row("Sign ECDSA P-256", 300, |t| sign(key(t, &ecc_signing(3), b""), ECDSA, SHA256)),
    row("Sign ECDSA P-384", 200, |t| sign(key(t, &ecc_signing(4), b""), ECDSA, SHA384)),
    row("VerifySignature RSA-2048", 300, |t| {
        let k = external_rsa(t, USER_WITH_AUTH | KEY_SIGN);
        verify(t, k, RSASSA, SHA256)
    }),
    row("VerifySignature P-256", 300, |t| {
        let k = key(t, &ecc_signing(3), b"");
        verify(t, k, ECDSA, SHA256)
    }),
    row("VerifySignature P-384", 200, |t| {
        let k = key(t, &ecc_signing(4), b"");
        verify(t, k, ECDSA, SHA384)
    }),
    row("Quote RSA-2048", 200, |t| quote(external_rsa(t, USER_WITH_AUTH | KEY_SIGN), RSASSA)),
    row("Quote P-256", 300, |t| quote(key(t, &ecc_signing(3), b""), ECDSA)),
    row("RSA_Decrypt OAEP", 200, |t| {
        let k = external_rsa(t, USER_WITH_AUTH | KEY_DECRYPT);
        let p = |m: &[u8]| Out::new().sized(m).u16(OAEP).u16(SHA256).sized(&[]);
        let sealed = t.plain("encrypt", "RSA_Encrypt", &[k], &[], p(&[1; 32])).sized(0);
        same("RSA_Decrypt", &[k], &[b""], p(&sealed))
    }),
    row("RSA_Encrypt OAEP", 300, |t| {
        let k = external_rsa(t, USER_WITH_AUTH | KEY_DECRYPT);
        same("RSA_Encrypt", &[k], &[], Out::new().sized(&[1; 32]).u16(OAEP).u16(SHA256).sized(&[]))
    }),
    row("ECDH_KeyGen P-256", 200, |t| {
        same("ECDH_KeyGen", &[key(t, &ecc(DECRYPTION, null(), null(), 3), b"")], &[], Out::new())
    }),
    row("ECDH_ZGen P-256", 200, |t| {
        let k = key(t, &ecc(DECRYPTION, null(), null(), 3), b"");
        let point = t.plain("point", "ECDH_KeyGen", &[k], &[], Out::new()).sized(1);
        same("ECDH_ZGen", &[k], &[b""], Out::new().sized(&point))
    }),
    row("EncryptDecrypt2 (1 KiB AES-128-CFB)", 500, |t| {
        let k = key(t, &symmetric(DECRYPTION | KEY_SIGN, AES, 128, CFB), b"");
        same("EncryptDecrypt2", &[k], &[b""], Out::new().sized(&[1; 1024]).u8(0).u16(NULL).sized(&[0; 16]))
    }),
    row("MakeCredential P-256", 200, |t| {
        let k = primary(t, &storage_parent());
        let name = t.name(k);
        same("MakeCredential", &[k], &[], Out::new().sized(&[1; 32]).sized(&name))
    }),
    row("ContextSave (P-256)", 500, |t| same("ContextSave", &[primary(t, &storage_parent())], &[], Out::new())),
    row("ContextLoad (P-256)", 300, |t| {
        let k = primary(t, &storage_parent());
        let saved = t.plain("save", "ContextSave", &[k], &[], Out::new());
        t.flush(k);
        same("ContextLoad", &[], &[], Out::new().raw(&saved.parameters))
    }),
    row("PolicyPCR", 500, |t| {
        let s = policy_session(t);
        same("PolicyPCR", &[s], &[], Out::new().sized(&[]).raw(&pcrs(SHA256, [0xFF, 0, 0]).0))
    }),
    row("PolicyAuthValue", 500, |t| same("PolicyAuthValue", &[policy_session(t)], &[], Out::new())),
    row("boot storm: 2000 PCR_Extend, 4 banks", 5, |_| {
        let bytes = command("PCR_Extend", &[16], &[b""], banks(&[SHA1, SHA256, SHA384, SHA512]));
        Box::new(move |t, _| {
            let begin = Instant::now();
            for _ in 0..2000 {
                timed(t, &bytes)?;
            }
            Ok(begin.elapsed())
        })
    }),
];
