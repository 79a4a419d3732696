//! Scenarios of the commands that the differential test leaves out, because Debian's swtpm does not have them or wants a
//! person to be present.

use sealwright_differential::codes::*;
use sealwright_differential::scenario::Scenario;
use sealwright_differential::template::*;
use sealwright_differential::tpm::Tpm;
use sealwright_differential::wire::{Out, unhex};

/// Name and script of each.
pub(crate) const ALL: &[Scenario] = &[
    ("newer-pcr", pcr),
    ("newer-presence", presence),
    ("newer-mac", mac),
    ("newer-certify-x509", certify_x509),
    ("newer-ecc-encrypt", ecc_encrypt),
    ("newer-policy", policy),
    ("newer-nv", nv),
    ("newer-read-only", read_only),
];

fn primary(t: &mut Tpm, public: &[u8]) -> u32 {
    t.plain("primary", "CreatePrimary", &[RH_OWNER], &[b""], create(b"", &[], public)).handle
}

fn pcr(t: &mut Tpm) {
    t.startup();
    for pcr in [0u32, 19, 20, 21, 22, 23] {
        t.plain("policy", "PCR_SetAuthPolicy", &[RH_PLATFORM], &[b""], Out::new().sized(&[7; 32]).u16(SHA256).u32(pcr));
        t.plain("no policy", "PCR_SetAuthPolicy", &[RH_PLATFORM], &[b""], Out::new().sized(&[]).u16(NULL).u32(pcr));
        t.plain("value", "PCR_SetAuthValue", &[pcr], &[b""], Out::new().sized(b"secret"));
        t.plain("event", "PCR_Event", &[pcr], &[b"secret"], Out::new().sized(b"data"));
        t.plain("no value", "PCR_SetAuthValue", &[pcr], &[b"secret"], Out::new().sized(b""));
    }
}

fn presence(t: &mut Tpm) {
    t.startup();
    for _ in 0..16 {
        let lists = |set: &[u32], clear: &[u32]| {
            [set, clear]
                .iter()
                .fold(Out::new(), |out, list| list.iter().fold(out.u32(list.len() as u32), |out, code| out.u32(*code)))
        };
        t.plain("set", "PP_Commands", &[RH_PLATFORM], &[b""], lists(&[0x126, 0x121], &[0x120]));
        t.plain("try", "HierarchyControl", &[RH_PLATFORM], &[b""], Out::new().u32(RH_ENDORSEMENT).u8(1));
        t.plain("clear", "PP_Commands", &[RH_PLATFORM], &[b""], lists(&[], &[0x126, 0x121]));
    }
}

fn mac(t: &mut Tpm) {
    t.startup();
    let keys = [
        keyed_hash(SIGNING, scheme(HMAC, SHA256), &[]),
        keyed_hash(SIGNING, null(), &[]),
        symmetric(SIGNING, AES, 128, CMAC),
        symmetric(SIGNING, CAMELLIA, 256, CMAC),
    ];
    for (public, asked) in keys.iter().zip([NULL, SHA384, NULL, CMAC]) {
        let key = primary(t, public);
        let sequence = t.plain("start", "MAC_Start", &[key], &[b""], Out::new().sized(b"a").u16(asked)).handle;
        for length in [0usize, 1, 15, 16, 17, 200] {
            t.plain("more", "SequenceUpdate", &[sequence], &[b"a"], Out::new().sized(&vec![0x5C; length]));
        }
        t.plain("end", "SequenceComplete", &[sequence], &[b"a"], Out::new().sized(b"end").u32(RH_NULL));
        t.plain("at once", "MAC", &[key], &[b""], Out::new().sized(b"data").u16(asked));
        t.flush(key);
    }
}

fn certify_x509(t: &mut Tpm) {
    t.startup();
    // Empty issuer, validity and subject; keyUsage: digitalSignature.
    let partial = unhex("301a 3000 3000 3000 a312 3010 300e 0603551d0f 0101ff 0404 03020780");
    let attributes = SIGNING | X509_SIGN;
    let signer = primary(t, &ecc(attributes, null(), scheme(ECDSA, SHA256), 3));
    let subjects = [ecc(attributes, null(), null(), 4), ecc(SIGNING, null(), scheme(ECDSA, SHA256), 3)];
    for public in subjects {
        let subject = primary(t, &public);
        let p = Out::new().sized(&[]).u16(NULL).sized(&partial);
        t.plain("certify", "CertifyX509", &[subject, signer], &[b"", b""], p);
        t.flush(subject);
    }
    t.plain("itself", "CertifyX509", &[signer, signer], &[b"", b""], Out::new().sized(&[]).u16(NULL).sized(&partial));
}

fn ecc_encrypt(t: &mut Tpm) {
    t.startup();
    for (curve, hash) in [(3u16, SHA256), (4, SHA384), (1, SHA1), (0x10, SHA256)] {
        let key = primary(t, &ecc(DECRYPTION, null(), null(), curve));
        for length in [0usize, 1, 32, 100] {
            let p = Out::new().sized(&vec![0xA5; length]).u16(KDF2).u16(hash);
            let made = t.plain("encrypt", "ECC_Encrypt", &[key], &[], p);
            let p = Out::new().sized(&made.sized(0)).sized(&made.sized(1)).sized(&made.sized(2)).u16(KDF2).u16(hash);
            t.plain("decrypt", "ECC_Decrypt", &[key], &[b""], p);
        }
        t.flush(key);
    }
}

fn policy(t: &mut Tpm) {
    t.startup();
    for kind in [SE_TRIAL, SE_POLICY] {
        let session = t.session("session", kind, SHA256, sealwright_differential::crypto::Symmetric::Null, None);
        for (operand, offset, operation, capability, property) in
            [(&b"IBM\0"[..], 4u16, 0u16, 6u32, 0x105u32), (b"\xff", 4, 1, 6, 0x105), (b"", 0, 1, 0, 0x7FFF)]
        {
            let p = Out::new().sized(operand).u16(offset).u16(operation).u32(capability).u32(property);
            t.plain("capability", "PolicyCapability", &[session], &[], p);
        }
        t.plain("parameters", "PolicyParameters", &[session], &[], Out::new().sized(&[3; 32]));
        t.plain("again", "PolicyParameters", &[session], &[], Out::new().sized(&[3; 32]));
        t.flush(session);
    }
}

fn nv(t: &mut Tpm) {
    t.startup();
    let attributes = NV_OWNERWRITE | NV_AUTHWRITE | 1 << 17 | 1 << 18 | 1 << 25;
    for (number, size) in [(1u32, 0u16), (2, 8), (3, 2048), (4, 2049)] {
        let index = 0x0100_0000 + number;
        let public = Out::new().u8(1).u32(index).u16(SHA256).u32(attributes).sized(&[]).u16(size);
        t.plain("define", "NV_DefineSpace2", &[RH_OWNER], &[b""], Out::new().sized(b"").sized(&public.0));
        t.plain("public", "NV_ReadPublic2", &[index], &[], Out::new());
        t.plain("write", "NV_Write", &[index, index], &[b""], Out::new().sized(&[9; 8]).u16(0));
        t.plain("public", "NV_ReadPublic2", &[index], &[], Out::new());
    }
}

fn read_only(t: &mut Tpm) {
    t.startup();
    for state in [1u8, 1, 2, 0] {
        t.plain("control", "ReadOnlyControl", &[RH_PLATFORM], &[b""], Out::new().u8(state));
        let public = Out::new().u32(0x0100_0001).u16(SHA256).u32(NV_AUTHWRITE | 1 << 18).sized(&[]).u16(4);
        t.plain("define", "NV_DefineSpace", &[RH_OWNER], &[b""], Out::new().sized(b"").sized(&public.0));
        t.plain("random", "GetRandom", &[], &[], Out::new().u16(8));
        t.plain("extend", "PCR_Event", &[16], &[b""], Out::new().sized(b"data"));
        t.power_cycle();
        t.startup();
        t.plain("control", "ReadOnlyControl", &[RH_PLATFORM], &[b""], Out::new().u8(state));
    }
}
