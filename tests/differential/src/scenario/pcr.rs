//! PCR commands: banks, extends, events, resets, allocation, authorization of PCR.

use super::common::*;
use crate::codes::*;
use crate::session::password;
use crate::template::*;
use crate::tpm::Tpm;
use crate::wire::Out;

/// Reading, extending and events.
pub(super) fn pcr(t: &mut Tpm) {
    t.startup();
    let values = |algs: &[u16]| {
        let mut p = Out::new().u32(algs.len() as u32);
        for alg in algs {
            p = p.u16(*alg).raw(&vec![0x42; digest_size(*alg)]);
        }
        p
    };
    for pcr in [0u32, 15, 16, 17, 23, 24, RH_NULL, RH_OWNER] {
        let all = [SHA1, SHA256, SHA384, SHA512];
        for algs in [
            &all[..1],
            &all[1..2],
            &all[..],
            &[SHA256, SHA256],
            &[],
            &[SM3],
            &[SHA1, SM3],
            &[SHA1, SHA1, SHA1, SHA1, SHA1],
        ] {
            t.plain(&format!("extend {pcr:#x} {algs:x?}"), "PCR_Extend", &[pcr], &[b""], values(algs));
        }
        for n in [0usize, 1, 1024, 1025] {
            t.plain(&format!("event {pcr:#x} {n}"), "PCR_Event", &[pcr], &[b""], Out::new().sized(&vec![9; n]));
        }
        t.plain(&format!("reset {pcr:#x}"), "PCR_Reset", &[pcr], &[b""], Out::new());
        t.plain("wrong password", "PCR_Extend", &[pcr], &[b"x"], values(&all));
        t.plain("auth value", "PCR_SetAuthValue", &[pcr], &[b""], Out::new().sized(b"secret"));
        t.plain(
            "auth policy",
            "PCR_SetAuthPolicy",
            &[RH_PLATFORM],
            &[b""],
            Out::new().sized(&[1; 32]).u16(SHA256).u32(pcr),
        );
    }
    for selection in [
        Out::new().u32(0),
        pcrs(SHA256, [0xFF; 3]),
        pcrs(SM3, [1, 0, 0]),
        pcrs(NULL, [1, 0, 0]),
        Out::new().u32(1).u16(SHA256).u8(0),
        Out::new().u32(1).u16(SHA256).u8(2).raw(&[1, 1]),
        Out::new().u32(1).u16(SHA256).u8(4).raw(&[1, 1, 1, 0]),
        Out::new().u32(1).u16(SHA256).u8(4).raw(&[1, 1, 1, 1]),
        Out::new().u32(2).u16(SHA1).u8(3).raw(&[0xFF; 3]).u16(SHA256).u8(3).raw(&[1; 3]),
        Out::new().u32(2).u16(SHA512).u8(3).raw(&[3, 0, 1]).u16(SHA384).u8(3).raw(&[0xFF; 3]),
        Out::new()
            .u32(4)
            .u16(SHA1)
            .u8(3)
            .raw(&[1, 0, 0])
            .u16(SHA1)
            .u8(3)
            .raw(&[2, 0, 0])
            .u16(SHA1)
            .u8(3)
            .raw(&[1, 0, 0])
            .u16(SHA256)
            .u8(3)
            .raw(&[0; 3]),
        Out::new().u32(17),
        Out::new().u32(5),
    ] {
        t.plain("read", "PCR_Read", &[], &[], selection);
    }
}

/// TPM2_PCR_Allocate and what a power cycle makes of it.
pub(super) fn allocate(t: &mut Tpm) {
    t.startup();
    let bank = |p: Out, alg: u16, map: u8| p.u16(alg).u8(3).raw(&[map; 3]);
    let tries = [
        bank(Out::new().u32(1), SHA1, 0),
        bank(bank(Out::new().u32(2), SHA256, 0xFF), SHA384, 0),
        bank(Out::new().u32(1), SM3, 0xFF),
        bank(bank(Out::new().u32(2), SHA512, 0), SHA512, 0xFF),
        Out::new().u32(0),
        Out::new().u32(1).u16(SHA256).u8(3).raw(&[0xFE, 0xFF, 0xFF]),
        bank(bank(bank(bank(Out::new().u32(4), SHA1, 0), SHA256, 0), SHA384, 0), SHA512, 0),
        Out::new().u32(1).u16(SHA1).u8(3).raw(&[0, 0, 0x80]),
    ];
    for (i, selection) in tries.into_iter().enumerate() {
        let label = format!("allocation {i}");
        t.plain(&label, "PCR_Allocate", &[RH_PLATFORM], &[b""], selection);
        t.plain(&label, "GetCapability", &[], &[], Out::new().u32(5).u32(0).u32(10));
        t.plain(&label, "Shutdown", &[], &[], Out::new().u16(1));
        t.power_cycle();
        if t.plain(&label, "Startup", &[], &[], Out::new().u16(1)).rc != 0 {
            t.startup();
        }
        t.plain(&label, "GetCapability", &[], &[], Out::new().u32(5).u32(0).u32(10));
        t.plain(&label, "PCR_Event", &[16], &[b""], Out::new().sized(b"x"));
        for alg in [SHA1, SHA256, SHA384, SHA512] {
            t.plain(&label, "PCR_Read", &[], &[], pcrs(alg, [1, 0, 1]));
        }
    }
    t.plain("by owner", "PCR_Allocate", &[RH_OWNER], &[b""], Out::new().u32(0));
}

/// Hash, HMAC and event sequences.
pub(super) fn sequences(t: &mut Tpm) {
    t.startup();
    for hash in [SHA1, SHA256, SHA384, SHA512, NULL, SM3] {
        for auth in [&b""[..], b"seq"] {
            let s = t.plain("start", "HashSequenceStart", &[], &[], Out::new().sized(auth).u16(hash)).handle;
            if s == 0 {
                continue;
            }
            for n in [0usize, 1, 63, 64, 65, 1024, 1025] {
                t.plain(&format!("update {n}"), "SequenceUpdate", &[s], &[auth], Out::new().sized(&vec![n as u8; n]));
            }
            t.plain("wrong auth", "SequenceUpdate", &[s], &[b"no"], Out::new().sized(b"x"));
            t.plain("read public", "ReadPublic", &[s], &[], Out::new());
            t.plain("as key", "Sign", &[s], &[auth], Out::new().sized(&[0; 32]).u16(NULL).raw(&null_ticket(0x8024).0));
            t.plain("context", "ContextSave", &[s], &[], Out::new());
            if hash == NULL {
                t.plain("hash complete", "SequenceComplete", &[s], &[auth], Out::new().sized(b"end").u32(RH_OWNER));
                t.plain("bad PCR", "EventSequenceComplete", &[24, s], &[b"", auth], Out::new().sized(b"end"));
                t.plain("event", "EventSequenceComplete", &[16, s], &[b"", auth], Out::new().sized(b"end"));
            } else {
                t.plain("event", "EventSequenceComplete", &[16, s], &[b"", auth], Out::new().sized(b"end"));
                t.plain("complete", "SequenceComplete", &[s], &[auth], Out::new().sized(b"end").u32(RH_OWNER));
            }
            t.plain("again", "SequenceComplete", &[s], &[auth], Out::new().sized(b"end").u32(RH_OWNER));
        }
    }
    for first in [&[0xFFu8, 0x54, 0x43, 0x47][..], &[0xFF, 0x54], &[]] {
        for hierarchy in [RH_OWNER, RH_NULL, RH_PLATFORM, RH_LOCKOUT] {
            let s = t.plain("start", "HashSequenceStart", &[], &[], Out::new().sized(&[]).u16(SHA256)).handle;
            t.plain("first bytes", "SequenceUpdate", &[s], &[b""], Out::new().sized(first));
            t.plain("more", "SequenceUpdate", &[s], &[b""], Out::new().sized(&[0x43, 0x47]));
            if t.plain("complete", "SequenceComplete", &[s], &[b""], Out::new().sized(&[]).u32(hierarchy)).rc != 0 {
                t.flush(s);
            }
        }
    }
    for (hash, scheme) in
        [(SHA1, NULL), (SHA256, SHA256), (SHA384, SHA256), (SHA512, SHA512), (NULL, SHA256), (NULL, NULL)]
    {
        let parameters = if hash == NULL { null() } else { self::scheme(HMAC, hash) };
        let key = external_secret(t, KEYEDHASH, EXTERNAL_SIGN, parameters, &[3; 40]);
        for n in [0usize, 1, 1024, 1025] {
            t.plain("HMAC", "MAC", &[key], &[b""], Out::new().sized(&vec![5; n]).u16(scheme));
        }
        let s = t.plain("HMAC start", "MAC_Start", &[key], &[b""], Out::new().sized(b"a").u16(scheme)).handle;
        t.plain("update", "SequenceUpdate", &[s], &[b"a"], Out::new().sized(&[6; 200]));
        t.plain("event", "EventSequenceComplete", &[16, s], &[b"", b"a"], Out::new().sized(b"end"));
        t.plain("complete", "SequenceComplete", &[s], &[b"a"], Out::new().sized(b"end").u32(RH_NULL));
        t.flush(key);
    }
    for (alg, bits) in [(AES, 128u16), (AES, 256), (CAMELLIA, 128), (TDES, 192)] {
        for mode in [CMAC, CFB, NULL] {
            let secret: Vec<u8> = (0..bits as u8 / 8).map(|i| i.wrapping_mul(37) | 1).collect();
            let parameters = Out::new().u16(alg).u16(bits).u16(mode);
            let key = external_secret(t, SYMCIPHER, EXTERNAL_SIGN, parameters, &secret);
            if key == 0 {
                continue;
            }
            for scheme in [CMAC, NULL, SHA256, HMAC] {
                for n in [0usize, 1, 15, 16, 17, 64, 1000] {
                    t.plain(&format!("CMAC {n}"), "MAC", &[key], &[b""], Out::new().sized(&vec![5; n]).u16(scheme));
                }
                let s = t.plain("CMAC start", "MAC_Start", &[key], &[b""], Out::new().sized(b"").u16(scheme)).handle;
                if s != 0 {
                    t.plain("update", "SequenceUpdate", &[s], &[b""], Out::new().sized(&[6; 23]));
                    t.plain("complete", "SequenceComplete", &[s], &[b""], Out::new().sized(b"end").u32(RH_NULL));
                }
            }
            t.flush(key);
        }
    }
    // Three sequences fill the memory for objects.
    for _ in 0..4 {
        t.authorized("fill", "HashSequenceStart", &[], &[], Out::new().sized(b"x").u16(SHA256));
    }
    t.authorized("wrong", "SequenceUpdate", &[0x8000_0000], &[password(b"y")], Out::new().sized(b"z"));
}
