//! Numbers of TPM 2.0 Part 2 that the scenarios use, and names of response codes for reports.

#![allow(missing_docs, reason = "the names are those of TPM 2.0 Part 2")]

pub const ST_NO_SESSIONS: u16 = 0x8001;
pub const ST_SESSIONS: u16 = 0x8002;

pub const RH_OWNER: u32 = 0x4000_0001;
pub const RH_NULL: u32 = 0x4000_0007;
pub const RS_PW: u32 = 0x4000_0009;
pub const RH_LOCKOUT: u32 = 0x4000_000A;
pub const RH_ENDORSEMENT: u32 = 0x4000_000B;
pub const RH_PLATFORM: u32 = 0x4000_000C;
pub const RH_PLATFORM_NV: u32 = 0x4000_000D;

pub const RSA: u16 = 0x0001;
pub const TDES: u16 = 0x0003;
pub const SHA1: u16 = 0x0004;
pub const HMAC: u16 = 0x0005;
pub const AES: u16 = 0x0006;
pub const MGF1: u16 = 0x0007;
pub const KEYEDHASH: u16 = 0x0008;
pub const XOR: u16 = 0x000A;
pub const SHA256: u16 = 0x000B;
pub const SHA384: u16 = 0x000C;
pub const SHA512: u16 = 0x000D;
pub const NULL: u16 = 0x0010;
pub const SM3: u16 = 0x0012;
pub const RSASSA: u16 = 0x0014;
pub const RSAES: u16 = 0x0015;
pub const RSAPSS: u16 = 0x0016;
pub const OAEP: u16 = 0x0017;
pub const ECDSA: u16 = 0x0018;
pub const ECDH: u16 = 0x0019;
pub const ECDAA: u16 = 0x001A;
pub const SM2: u16 = 0x001B;
pub const ECSCHNORR: u16 = 0x001C;
pub const ECMQV: u16 = 0x001D;
pub const KDF1_SP800_56A: u16 = 0x0020;
pub const KDF2: u16 = 0x0021;
pub const KDF1_SP800_108: u16 = 0x0022;
pub const ECC: u16 = 0x0023;
pub const SYMCIPHER: u16 = 0x0025;
pub const CAMELLIA: u16 = 0x0026;
pub const CMAC: u16 = 0x003F;
pub const CTR: u16 = 0x0040;
pub const OFB: u16 = 0x0041;
pub const CBC: u16 = 0x0042;
pub const CFB: u16 = 0x0043;
pub const ECB: u16 = 0x0044;

pub const SE_HMAC: u8 = 0;
pub const SE_POLICY: u8 = 1;
pub const SE_TRIAL: u8 = 3;

/// TPMA_SESSION bits.
pub const CONTINUE: u8 = 0x01;
pub const AUDIT_EXCLUSIVE: u8 = 0x02;
pub const AUDIT_RESET: u8 = 0x04;
pub const DECRYPT: u8 = 0x20;
pub const ENCRYPT: u8 = 0x40;
pub const AUDIT: u8 = 0x80;

/// TPMA_OBJECT bits.
pub const FIXED_TPM: u32 = 1 << 1;
pub const ST_CLEAR: u32 = 1 << 2;
pub const FIXED_PARENT: u32 = 1 << 4;
pub const SENSITIVE_DATA_ORIGIN: u32 = 1 << 5;
pub const USER_WITH_AUTH: u32 = 1 << 6;
pub const ADMIN_WITH_POLICY: u32 = 1 << 7;
pub const NO_DA: u32 = 1 << 10;
pub const ENCRYPTED_DUPLICATION: u32 = 1 << 11;
pub const RESTRICTED: u32 = 1 << 16;
pub const KEY_DECRYPT: u32 = 1 << 17;
pub const KEY_SIGN: u32 = 1 << 18;
pub const X509_SIGN: u32 = 1 << 19;

/// TPMA_NV bits.
pub const NV_PPWRITE: u32 = 1 << 0;
pub const NV_OWNERWRITE: u32 = 1 << 1;
pub const NV_AUTHWRITE: u32 = 1 << 2;
pub const NV_POLICYWRITE: u32 = 1 << 3;
pub const NV_COUNTER: u32 = 1 << 4;
pub const NV_BITS: u32 = 2 << 4;
pub const NV_EXTEND: u32 = 4 << 4;
pub const NV_PIN_FAIL: u32 = 8 << 4;
pub const NV_PIN_PASS: u32 = 9 << 4;
pub const NV_POLICY_DELETE: u32 = 1 << 10;
pub const NV_WRITELOCKED: u32 = 1 << 11;
pub const NV_WRITEALL: u32 = 1 << 12;
pub const NV_WRITEDEFINE: u32 = 1 << 13;
pub const NV_WRITE_STCLEAR: u32 = 1 << 14;
pub const NV_GLOBALLOCK: u32 = 1 << 15;
pub const NV_PPREAD: u32 = 1 << 16;
pub const NV_OWNERREAD: u32 = 1 << 17;
pub const NV_AUTHREAD: u32 = 1 << 18;
pub const NV_POLICYREAD: u32 = 1 << 19;
pub const NV_NO_DA: u32 = 1 << 25;
pub const NV_ORDERLY: u32 = 1 << 26;
pub const NV_CLEAR_STCLEAR: u32 = 1 << 27;
pub const NV_READLOCKED: u32 = 1 << 28;
pub const NV_WRITTEN: u32 = 1 << 29;
pub const NV_PLATFORMCREATE: u32 = 1 << 30;
pub const NV_READ_STCLEAR: u32 = 1 << 31;

/// The digest size of a hash algorithm; 0 for others.
pub fn digest_size(alg: u16) -> usize {
    match alg {
        SHA1 => 20,
        SHA256 => 32,
        SHA384 => 48,
        SHA512 => 64,
        _ => 0,
    }
}

const FORMAT_ONE: [&str; 40] = [
    "",
    "ASYMMETRIC",
    "ATTRIBUTES",
    "HASH",
    "VALUE",
    "HIERARCHY",
    "",
    "KEY_SIZE",
    "MGF",
    "MODE",
    "TYPE",
    "HANDLE",
    "KDF",
    "RANGE",
    "AUTH_FAIL",
    "NONCE",
    "PP",
    "",
    "SCHEME",
    "",
    "",
    "SIZE",
    "SYMMETRIC",
    "TAG",
    "SELECTOR",
    "",
    "INSUFFICIENT",
    "SIGNATURE",
    "KEY",
    "POLICY_FAIL",
    "",
    "INTEGRITY",
    "TICKET",
    "RESERVED_BITS",
    "BAD_AUTH",
    "EXPIRED",
    "POLICY_CC",
    "BINDING",
    "CURVE",
    "ECC_POINT",
];

/// A response code as the specification writes it: `TPM_RC_VALUE + RC_P 2`.
pub fn rc_name(rc: u32) -> String {
    if rc == 0 {
        return "TPM_RC_SUCCESS".into();
    }
    if rc & 0x80 != 0 {
        let name = FORMAT_ONE.get((rc & 0x3F) as usize).copied().unwrap_or("?");
        let n = rc >> 8 & 0xF;
        let position = match (rc & 0x40 != 0, n) {
            (true, n) => format!("RC_P {n}"),
            (false, n) if n >= 8 => format!("RC_S {}", n - 8),
            (false, n) => format!("RC_H {n}"),
        };
        return format!("{rc:#05x} TPM_RC_{name} + {position}");
    }
    let name = match rc {
        0x01E => "BAD_TAG",
        0x100 => "INITIALIZE",
        0x101 => "FAILURE",
        0x103 => "SEQUENCE",
        0x120 => "DISABLED",
        0x121 => "EXCLUSIVE",
        0x124 => "AUTH_TYPE",
        0x125 => "AUTH_MISSING",
        0x126 => "POLICY",
        0x127 => "PCR",
        0x128 => "PCR_CHANGED",
        0x12D => "UPGRADE",
        0x12E => "TOO_MANY_CONTEXTS",
        0x12F => "AUTH_UNAVAILABLE",
        0x130 => "REBOOT",
        0x131 => "UNBALANCED",
        0x142 => "COMMAND_SIZE",
        0x143 => "COMMAND_CODE",
        0x144 => "AUTHSIZE",
        0x145 => "AUTH_CONTEXT",
        0x146 => "NV_RANGE",
        0x147 => "NV_SIZE",
        0x148 => "NV_LOCKED",
        0x149 => "NV_AUTHORIZATION",
        0x14A => "NV_UNINITIALIZED",
        0x14B => "NV_SPACE",
        0x14C => "NV_DEFINED",
        0x150 => "BAD_CONTEXT",
        0x151 => "CPHASH",
        0x152 => "PARENT",
        0x153 => "NEEDS_TEST",
        0x154 => "NO_RESULT",
        0x155 => "SENSITIVE",
        0x901 => "CONTEXT_GAP",
        0x902 => "OBJECT_MEMORY",
        0x903 => "SESSION_MEMORY",
        0x904 => "MEMORY",
        0x905 => "SESSION_HANDLES",
        0x906 => "OBJECT_HANDLES",
        0x907 => "LOCALITY",
        0x908 => "YIELDED",
        0x909 => "CANCELED",
        0x90A => "TESTING",
        0x910..=0x916 => "REFERENCE_H",
        0x918..=0x91E => "REFERENCE_S",
        0x920 => "NV_RATE",
        0x921 => "LOCKOUT",
        0x922 => "RETRY",
        0x923 => "NV_UNAVAILABLE",
        _ => "?",
    };
    format!("{rc:#05x} TPM_RC_{name}")
}
