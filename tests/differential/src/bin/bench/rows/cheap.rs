//! Commands that cost little more than their transport.

use super::*;

/// The aim of all of them.
const CHEAP: f64 = 0.80;

fn hash_of(alg: u16) -> Repeat {
    same("Hash", &[], &[], Out::new().sized(&[1; 1024]).u16(alg).u32(RH_NULL))
}

pub(super) const ROWS: &[Row] = &[
    row("GetRandom(32)", 2000, |_| same("GetRandom", &[], &[], Out::new().u16(32))).aim(CHEAP),
    row("ReadClock", 2000, |_| same("ReadClock", &[], &[], Out::new())).aim(CHEAP),
    row("GetCapability(properties)", 2000, |_| same("GetCapability", &[], &[], Out::new().u32(6).u32(0x100).u32(64)))
        .aim(CHEAP),
    row("GetCapability(commands)", 2000, |_| same("GetCapability", &[], &[], Out::new().u32(2).u32(0x11F).u32(256)))
        .aim(CHEAP),
    row("PCR_Read (8 of sha256)", 2000, |_| same("PCR_Read", &[], &[], Out::new().raw(&eight()))).aim(CHEAP),
    row("PCR_Extend (sha256)", 2000, |_| same("PCR_Extend", &[16], &[b""], banks(&[SHA256]))).aim(CHEAP),
    row("PCR_Extend (4 banks)", 2000, |_| same("PCR_Extend", &[16], &[b""], banks(&FOUR_BANKS))).aim(CHEAP),
    row("PCR_Event (256 B)", 1000, |_| same("PCR_Event", &[16], &[b""], Out::new().sized(&[1; 256]))).aim(CHEAP),
    row("PCR_Reset", 1000, |_| same("PCR_Reset", &[16], &[b""], Out::new())).aim(CHEAP),
    row("Hash 1 KiB sha1", 1000, |_| hash_of(SHA1)).aim(CHEAP),
    row("Hash 1 KiB sha256", 1000, |_| hash_of(SHA256)).aim(CHEAP),
    row("Hash 1 KiB sha512", 1000, |_| hash_of(SHA512)).aim(CHEAP),
    row("hash sequence, 64 KiB sha256", 20, |_| {
        let start = command("HashSequenceStart", &[], &[], Out::new().sized(&[]).u16(SHA256));
        Box::new(move |t, _| {
            let (mut time, response) = sent(t, &start)?;
            let sequence = handle(&response);
            let update = command("SequenceUpdate", &[sequence], &[b""], Out::new().sized(&[1; 1024]));
            for _ in 0..64 {
                time += sent(t, &update)?.0;
            }
            let end = command("SequenceComplete", &[sequence], &[b""], Out::new().sized(&[]).u32(RH_NULL));
            Ok(time + sent(t, &end)?.0)
        })
    })
    .aim(CHEAP),
    row("HMAC (1 KiB)", 1000, |t| {
        let k = key(t, &keyed_hash(SIGNING, scheme(HMAC, SHA256), &[]), b"");
        same("MAC", &[k], &[b""], Out::new().sized(&[1; 1024]).u16(NULL))
    })
    .aim(CHEAP),
    row("EncryptDecrypt2 (1 KiB AES-128-CFB)", 500, |t| {
        let k = key(t, &symmetric(DECRYPTION | KEY_SIGN, AES, 128, CFB), b"");
        same("EncryptDecrypt2", &[k], &[b""], Out::new().sized(&[1; 1024]).u8(0).u16(NULL).sized(&[0; 16]))
    })
    .aim(CHEAP),
    row("ReadPublic", 1000, |t| same("ReadPublic", &[primary(t, &storage_parent())], &[], Out::new())).aim(CHEAP),
    row("Unseal (password)", 1000, |t| {
        let k = key(t, &sealed(&[]), &[1; 32]);
        same("Unseal", &[k], &[b""], Out::new())
    })
    .aim(CHEAP),
    row("Create sealed (32 B)", 300, |t| {
        let parent = primary(t, &storage_parent());
        same("Create", &[parent], &[b""], create(b"", &[1; 32], &sealed(&[])))
    })
    .aim(CHEAP),
    row("Load sealed", 300, |t| {
        let (parent, both) = made(t, &sealed(&[]), &[1; 32]);
        same("Load", &[parent], &[b""], Out::new().raw(&both))
    })
    .aim(CHEAP),
    row("ContextSave (P-256)", 500, |t| same("ContextSave", &[primary(t, &storage_parent())], &[], Out::new()))
        .aim(CHEAP),
];
