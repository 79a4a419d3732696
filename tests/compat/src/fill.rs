//! Content of all kinds, made on a TPM that was started: keys, NV, hierarchies, lockout, PCR, and what is kept outside.

use crate::client::{Client, Reply};
use sealwright_differential::codes::*;
use sealwright_differential::template::*;
use sealwright_differential::wire::Out;

/// Persistent handles.
pub const SRK: u32 = 0x8100_0001;
const SRK_ECC: u32 = 0x8100_0002;
const SIGN_RSA: u32 = 0x8100_0003;
/// A P-256 signing key with an authorization value, under dictionary-attack protection.
pub const SIGN_ECC: u32 = 0x8100_0004;
/// An HMAC key.
pub const HMAC_KEY: u32 = 0x8100_0005;
const AES_KEY: u32 = 0x8100_0006;
const EK: u32 = 0x8101_0001;
const EK_ECC: u32 = 0x8101_0002;
const PLATFORM_KEY: u32 = 0x8180_0001;
/// All persistent handles.
pub const PERSISTENT: [u32; 9] = [SRK, SRK_ECC, SIGN_RSA, SIGN_ECC, HMAC_KEY, AES_KEY, EK, EK_ECC, PLATFORM_KEY];

/// Authorization values.
pub const OWNER_AUTH: &[u8] = b"own";
/// Of the endorsement hierarchy.
pub const ENDORSEMENT_AUTH: &[u8] = b"endorse";
/// Of lockout.
pub const LOCKOUT_AUTH: &[u8] = b"lock";
/// Of keys and of NV.
pub const AUTH: &[u8] = b"secret";

const NV: u32 = NV_OWNERWRITE | NV_OWNERREAD | NV_AUTHWRITE | NV_AUTHREAD | NV_NO_DA;
/// Indexes: handle, attributes beside the ordinary ones, size, and what is done after the definition.
pub const INDEXES: [(u32, u32, u16, Fill); 17] = [
    (0x0150_0001, 0, 32, Fill::Write),
    (0x0150_0002, 0, 32, Fill::Nothing),
    (0x0150_0003, NV_COUNTER, 8, Fill::Count(3)),
    (0x0150_0004, NV_COUNTER | NV_ORDERLY, 8, Fill::Count(5)),
    (0x0150_0005, NV_BITS, 8, Fill::Bits),
    (0x0150_0006, NV_EXTEND, 32, Fill::Extend),
    (0x0150_0007, NV_ORDERLY, 16, Fill::Write),
    (0x0150_0008, NV_CLEAR_STCLEAR, 16, Fill::Write),
    (0x0150_0009, NV_WRITEDEFINE, 16, Fill::WriteLock),
    (0x0150_000A, NV_READ_STCLEAR, 16, Fill::ReadLock),
    (0x0150_000B, NV_WRITEALL, 1024, Fill::Nothing),
    (0x0150_000C, 0, 2048, Fill::Write),
    (0x0150_000D, NV_COUNTER | NV_ORDERLY, 8, Fill::Nothing),
    (0x0150_000E, NV_COUNTER, 8, Fill::Nothing),
    (0x0150_000F, NV_BITS | NV_ORDERLY, 8, Fill::Bits),
    (0x0150_0010, NV_PIN_FAIL, 8, Fill::Pin),
    (0x0150_0011, NV_PIN_PASS, 8, Fill::Pin),
];

/// What is done with an Index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Fill {
    Nothing,
    Write,
    WriteLock,
    ReadLock,
    Count(usize),
    Bits,
    Extend,
    Pin,
}

/// Label, parent, private and public area, and whether it is sealed data.
pub type Child = (&'static str, u32, Vec<u8>, Vec<u8>, bool);

/// What is kept outside the TPM.
#[derive(Debug, Default)]
pub struct Outside {
    /// Children of persistent parents.
    pub children: Vec<Child>,
    /// Label and saved context.
    pub contexts: Vec<(&'static str, Vec<u8>)>,
    /// Transient handles that stay loaded.
    pub loaded: Vec<(&'static str, u32)>,
    /// A policy session that stays loaded, if one does.
    pub session: u32,
    /// A hash sequence that stays loaded.
    pub sequence: u32,
    /// TPMT_TK_HASHCHECK of `a message`.
    pub ticket: Vec<u8>,
    /// TPMT_TK_CREATION of a child, with its creation hash.
    pub creation: (Vec<u8>, Vec<u8>),
}

fn persist(c: &mut Client<'_>, hierarchy: u32, public: &[u8], auth: &[u8], persistent: u32) {
    let made = c.must("primary", "CreatePrimary", &[hierarchy], &[b""], create(auth, &[], public));
    let by = if hierarchy == RH_PLATFORM { RH_PLATFORM } else { RH_OWNER };
    c.must("persist", "EvictControl", &[by, made.handle], &[b""], Out::new().u32(persistent));
    c.flush(made.handle);
}

fn keys(c: &mut Client<'_>) {
    persist(c, RH_OWNER, &rsa(STORAGE, aes_cfb(128), null(), 2048), b"", SRK);
    persist(c, RH_OWNER, &storage_parent(), b"", SRK_ECC);
    persist(c, RH_OWNER, &rsa(SIGNING, null(), scheme(RSASSA, SHA256), 1024), b"", SIGN_RSA);
    persist(c, RH_OWNER, &ecc(SIGNING & !NO_DA, null(), scheme(ECDSA, SHA256), 3), AUTH, SIGN_ECC);
    persist(c, RH_OWNER, &keyed_hash(SIGNING, scheme(HMAC, SHA256), &[]), b"", HMAC_KEY);
    persist(c, RH_OWNER, &symmetric(DECRYPTION | KEY_SIGN, AES, 256, CFB), b"", AES_KEY);
    persist(c, RH_ENDORSEMENT, &rsa(STORAGE, aes_cfb(128), null(), 2048), b"", EK);
    persist(c, RH_ENDORSEMENT, &ecc_named(SHA384, STORAGE, aes_cfb(256), null(), 4), b"", EK_ECC);
    persist(c, RH_PLATFORM, &ecc(SIGNING, null(), scheme(ECDSA, SHA256), 3), b"", PLATFORM_KEY);
}

fn children(c: &mut Client<'_>, outside: &mut Outside) {
    let sealed = keyed_hash(FIXED_TPM | FIXED_PARENT | USER_WITH_AUTH, null(), &[]);
    let kinds: [(&str, Vec<u8>, &[u8], bool); 5] = [
        ("sealed data", sealed, b"the key of a disk", true),
        ("RSA child", rsa(DECRYPTION, null(), null(), 1024), b"", false),
        ("ECC child", ecc(SIGNING, null(), scheme(ECDSA, SHA256), 3), b"", false),
        ("AES child", symmetric(DECRYPTION, AES, 128, CFB), b"", false),
        ("stClear child", ecc(SIGNING | ST_CLEAR, null(), scheme(ECDSA, SHA256), 3), b"", false),
    ];
    for parent in [SRK, SRK_ECC] {
        for (label, public, data, is_sealed) in &kinds {
            let made = c.must(label, "Create", &[parent], &[b""], create(AUTH, data, public));
            outside.children.push((label, parent, made.sized(0), made.sized(1), *is_sealed));
            outside.creation = (made.sized(3), made.parameters.clone());
        }
    }
}

fn indexes(c: &mut Client<'_>) {
    for (index, more, size, fill) in INDEXES {
        let pin = matches!(fill, Fill::Pin);
        let base = if pin { NV & !NV_AUTHWRITE } else { NV };
        let public = Out::new().u32(index).u16(SHA256).u32(base | more).sized(&[]).u16(size).0;
        c.must("define", "NV_DefineSpace", &[RH_OWNER], &[b""], Out::new().sized(AUTH).sized(&public));
        let auth: &[&[u8]] = &[AUTH];
        let write = |c: &mut Client<'_>| {
            for start in (0..size).step_by(1024) {
                let length = (size - start).min(1024);
                let data: Vec<u8> = (0..length).map(|n| (n ^ start >> 8) as u8 ^ index as u8).collect();
                c.must("write", "NV_Write", &[index, index], auth, Out::new().sized(&data).u16(start));
            }
        };
        match fill {
            Fill::Nothing => {}
            Fill::Write => write(c),
            Fill::WriteLock => {
                write(c);
                c.must("lock", "NV_WriteLock", &[index, index], auth, Out::new());
            }
            Fill::ReadLock => {
                write(c);
                c.must("lock", "NV_ReadLock", &[index, index], auth, Out::new());
            }
            Fill::Count(times) => (0..times).for_each(|_| {
                c.must("count", "NV_Increment", &[index, index], auth, Out::new());
            }),
            Fill::Bits => drop(c.must("bits", "NV_SetBits", &[index, index], auth, Out::new().u64(0x8000_0000_0001))),
            Fill::Extend => drop(c.must("extend", "NV_Extend", &[index, index], auth, Out::new().sized(b"event"))),
            Fill::Pin => {
                let counts = Out::new().u32(1).u32(5).0;
                c.must("pin", "NV_Write", &[RH_OWNER, index], &[b""], Out::new().sized(&counts).u16(0));
            }
        }
    }
    let public = Out::new().u32(0x01C0_0002).u16(SHA256);
    let public = public.u32(NV_PPWRITE | NV_PPREAD | NV_OWNERREAD | NV_PLATFORMCREATE | NV_NO_DA).sized(&[]).u16(900);
    c.must("define", "NV_DefineSpace", &[RH_PLATFORM], &[b""], Out::new().sized(b"").sized(&public.0));
    c.must("write", "NV_Write", &[RH_PLATFORM, 0x01C0_0002], &[b""], Out::new().sized(&[7; 900]).u16(0));
    // A counter that was deleted: new ones begin above it.
    let public = Out::new().u32(0x0150_00FF).u16(SHA1).u32(NV | NV_COUNTER).sized(&[]).u16(8).0;
    c.must("define", "NV_DefineSpace", &[RH_OWNER], &[b""], Out::new().sized(AUTH).sized(&public));
    for _ in 0..9 {
        c.must("count", "NV_Increment", &[0x0150_00FF, 0x0150_00FF], &[AUTH], Out::new());
    }
    c.must("delete", "NV_UndefineSpace", &[RH_OWNER, 0x0150_00FF], &[b""], Out::new());
}

/// TPMS_CONTEXT of a handle.
fn save(c: &mut Client<'_>, outside: &mut Outside, label: &'static str, handle: u32) {
    let saved = c.must(label, "ContextSave", &[handle], &[], Out::new());
    outside.contexts.push((label, saved.parameters));
}

fn load(c: &mut Client<'_>, outside: &Outside, label: &str) -> u32 {
    let (_, parent, private, public, _) =
        outside.children.iter().find(|(name, ..)| *name == label).unwrap_or_else(|| panic!("no {label}"));
    c.must(label, "Load", &[*parent], &[b""], Out::new().sized(private).sized(public)).handle
}

fn policy(c: &mut Client<'_>, label: &str) -> u32 {
    let start = Out::new().sized(&[9; 16]).sized(&[]).u8(SE_POLICY).u16(NULL).u16(SHA256);
    let session = c.must(label, "StartAuthSession", &[RH_NULL, RH_NULL], &[], start).handle;
    c.must(label, "PolicyCommandCode", &[session], &[], Out::new().u32(0x15E));
    c.must(label, "PolicyPCR", &[session], &[], Out::new().sized(&[]).raw(&pcrs(SHA256, [1, 0, 0]).0));
    session
}

fn contexts(c: &mut Client<'_>, outside: &mut Outside) {
    for label in ["RSA child", "ECC child", "sealed data", "stClear child"] {
        let handle = load(c, outside, label);
        save(c, outside, label, handle);
        c.flush(handle);
    }
    let temporary = create(b"", b"", &storage_parent());
    let handle = c.must("NULL primary", "CreatePrimary", &[RH_NULL], &[b""], temporary).handle;
    save(c, outside, "NULL primary", handle);
    c.flush(handle);
    for (label, hash) in [("hash sequence", SHA512), ("event sequence", NULL)] {
        let handle = c.must(label, "HashSequenceStart", &[], &[], Out::new().sized(AUTH).u16(hash)).handle;
        c.must(label, "SequenceUpdate", &[handle], &[AUTH], Out::new().sized(&[5; 150]));
        save(c, outside, label, handle);
        c.flush(handle);
    }
    let start = Out::new().sized(AUTH).u16(SHA256);
    let handle = c.must("HMAC sequence", "MAC_Start", &[HMAC_KEY], &[b""], start).handle;
    c.must("HMAC sequence", "SequenceUpdate", &[handle], &[AUTH], Out::new().sized(&[5; 70]));
    save(c, outside, "HMAC sequence", handle);
    c.flush(handle);
    let session = policy(c, "policy session");
    save(c, outside, "policy session", session);
    let start = Out::new().sized(&[9; 16]).sized(&[]).u8(SE_HMAC).u16(XOR).u16(SHA256).u16(SHA256);
    let session = c.must("HMAC session", "StartAuthSession", &[RH_NULL, SRK], &[], start).handle;
    save(c, outside, "HMAC session", session);
}

fn loaded(c: &mut Client<'_>, outside: &mut Outside) {
    // One slot stays free, as libtpms needs one for a persistent parent.
    let handle = load(c, outside, "ECC child");
    outside.loaded.push(("ECC child", handle));
    let handle = c.must("sequence", "HashSequenceStart", &[], &[], Out::new().sized(AUTH).u16(SHA256)).handle;
    c.must("sequence", "SequenceUpdate", &[handle], &[AUTH], Out::new().sized(b"the first part"));
    outside.sequence = handle;
    outside.session = policy(c, "policy session");
}

fn administration(c: &mut Client<'_>, outside: &mut Outside) {
    let message = Out::new().sized(b"a message").u16(SHA256).u32(RH_OWNER);
    let reply: Reply = c.must("ticket", "Hash", &[], &[], message);
    outside.ticket = reply.parameters.get(34..).unwrap_or(&[]).to_vec();
    c.must("audit", "SetCommandCodeAuditStatus", &[RH_OWNER], &[b""], Out::new().u16(SHA256).u32(0).u32(0));
    let audit = Out::new().u16(NULL).u32(2).u32(0x17B).u32(0x182).u32(0);
    c.must("audit", "SetCommandCodeAuditStatus", &[RH_OWNER], &[b""], audit);
    for (hierarchy, policy) in [(RH_OWNER, 1u8), (RH_LOCKOUT, 2)] {
        let parameters = Out::new().sized(&[policy; 32]).u16(SHA256);
        c.must("policy", "SetPrimaryPolicy", &[hierarchy], &[b""], parameters);
    }
    let parameters = Out::new().sized(&[3; 32]).u16(SHA256).u32(20);
    c.must("policy of PCR", "PCR_SetAuthPolicy", &[RH_PLATFORM], &[b""], parameters);
    c.must("lockout", "DictionaryAttackParameters", &[RH_LOCKOUT], &[b""], Out::new().u32(8).u32(7200).u32(3600));
    for pcr in [0u32, 7, 10, 16, 23] {
        let digests = Out::new().u32(2).u16(SHA1).raw(&[4; 20]).u16(SHA256).raw(&[5; 32]);
        c.must("extend", "PCR_Extend", &[pcr], &[b""], digests);
    }
    c.must("clock", "ClockSet", &[RH_OWNER], &[b""], Out::new().u64(100_000_000_000));
    c.must("auth", "HierarchyChangeAuth", &[RH_OWNER], &[b""], Out::new().sized(OWNER_AUTH));
    c.must("auth", "HierarchyChangeAuth", &[RH_ENDORSEMENT], &[b""], Out::new().sized(ENDORSEMENT_AUTH));
    c.must("auth", "HierarchyChangeAuth", &[RH_LOCKOUT], &[b""], Out::new().sized(LOCKOUT_AUTH));
    for _ in 0..3 {
        let digest = Out::new().sized(&[1; 32]).u16(NULL).u16(0x8024).u32(RH_NULL).sized(&[]);
        c.only_code("wrong authorization", "Sign", &[SIGN_ECC], &[b"wrong"], digest);
    }
}

/// Fills a TPM after Startup.
pub fn fill(c: &mut Client<'_>) -> Outside {
    let mut outside = Outside::default();
    keys(c);
    children(c, &mut outside);
    indexes(c);
    contexts(c, &mut outside);
    loaded(c, &mut outside);
    administration(c, &mut outside);
    outside
}

/// Takes the SHA-1 and SHA-384 banks away at the next power-on.
pub fn allocate(c: &mut Client<'_>) {
    let banks = Out::new().u32(4);
    let bank = |out: Out, alg: u16, on: bool| out.u16(alg).u8(3).raw(&if on { [0xFF; 3] } else { [0; 3] });
    let banks = bank(bank(bank(bank(banks, SHA1, false), SHA256, true), SHA384, false), SHA512, true);
    c.must("allocate", "PCR_Allocate", &[RH_PLATFORM], &[b""], banks);
}
