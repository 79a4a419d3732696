//! Algorithm identifiers (Part 2, 6.3).

use sealwright_core::{Algorithm, Fault, Reader, Wire, Writer};
use sealwright_derive::Wire;

/// TPM_ALG_ID as an open number; use it where any identifier may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Wire)]
pub struct Alg(pub u16);

#[expect(missing_docs, reason = "each is TPM_ALG_<name> of the TCG Algorithm Registry")]
impl Alg {
    pub const RSA: Self = Self(0x0001);
    pub const TDES: Self = Self(0x0003);
    pub const SHA1: Self = Self(0x0004);
    pub const HMAC: Self = Self(0x0005);
    pub const AES: Self = Self(0x0006);
    pub const MGF1: Self = Self(0x0007);
    pub const KEYEDHASH: Self = Self(0x0008);
    pub const XOR: Self = Self(0x000A);
    pub const SHA256: Self = Self(0x000B);
    pub const SHA384: Self = Self(0x000C);
    pub const SHA512: Self = Self(0x000D);
    pub const NULL: Self = Self(0x0010);
    pub const RSASSA: Self = Self(0x0014);
    pub const RSAES: Self = Self(0x0015);
    pub const RSAPSS: Self = Self(0x0016);
    pub const OAEP: Self = Self(0x0017);
    pub const ECDSA: Self = Self(0x0018);
    pub const ECDH: Self = Self(0x0019);
    pub const ECDAA: Self = Self(0x001A);
    pub const SM2: Self = Self(0x001B);
    pub const ECSCHNORR: Self = Self(0x001C);
    pub const ECMQV: Self = Self(0x001D);
    pub const KDF1_SP800_56A: Self = Self(0x0020);
    pub const KDF2: Self = Self(0x0021);
    pub const KDF1_SP800_108: Self = Self(0x0022);
    pub const ECC: Self = Self(0x0023);
    pub const SYMCIPHER: Self = Self(0x0025);
    pub const CAMELLIA: Self = Self(0x0026);
    pub const CMAC: Self = Self(0x003F);
    pub const CTR: Self = Self(0x0040);
    pub const OFB: Self = Self(0x0041);
    pub const CBC: Self = Self(0x0042);
    pub const CFB: Self = Self(0x0043);
    pub const ECB: Self = Self(0x0044);
}

impl Default for Alg {
    fn default() -> Self {
        Self::NULL
    }
}

/// TPMI_ALG_PUBLIC: the types of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
#[wire(repr = u16, refuse = "TYPE", algorithm)]
pub enum ObjectType {
    /// RSA key pair.
    Rsa = 0x0001,
    /// HMAC or XOR key, or sealed data.
    KeyedHash = 0x0008,
    /// ECC key pair.
    Ecc = 0x0023,
    /// Symmetric block cipher key.
    SymCipher = 0x0025,
}

/// TPMI_ALG_KDF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
#[wire(repr = u16, refuse = "KDF", algorithm)]
pub enum Kdf {
    /// Mask generation function 1 of PKCS#1.
    Mgf1 = 0x0007,
    /// Concatenation KDF of SP 800-56A.
    Sp800_56a = 0x0020,
    /// KDF2 of IEEE 1363a.
    Kdf2 = 0x0021,
    /// Counter-mode KDF of SP 800-108.
    Sp800_108 = 0x0022,
}
impl Algorithm for Kdf {}

/// The order of things in handles, tickets and proofs of hierarchies.
pub fn alg_of_hash(hash: Option<sealwright_crypto::HashAlg>) -> Alg {
    hash.map_or(Alg::NULL, |h| Alg(h.id()))
}

/// TPM_CLOCK_ADJUST (Part 2, 6.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockAdjust(pub i8);

impl Wire for ClockAdjust {
    const MAX_SIZE: usize = 1;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let [byte] = r.array::<1>()?;
        let value = i8::from_be_bytes([byte]);
        if (-3..=3).contains(&value) { Ok(Self(value)) } else { Err(Fault::VALUE) }
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        w.bytes(&self.0.to_be_bytes())
    }
}

/// TPM_SU: start-up and shutdown types (Part 2, 6.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
#[wire(repr = u16, refuse = "VALUE")]
pub enum Su {
    /// TPM_SU_CLEAR.
    Clear = 0x0000,
    /// TPM_SU_STATE.
    State = 0x0001,
}

/// TPM_EO: comparisons of policies (Part 2, 6.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
#[wire(repr = u16, refuse = "VALUE")]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum Eo {
    Eq = 0x0000,
    Neq = 0x0001,
    SignedGt = 0x0002,
    UnsignedGt = 0x0003,
    SignedLt = 0x0004,
    UnsignedLt = 0x0005,
    SignedGe = 0x0006,
    UnsignedGe = 0x0007,
    SignedLe = 0x0008,
    UnsignedLe = 0x0009,
    BitSet = 0x000A,
    BitClear = 0x000B,
}

/// TPM_SE: kinds of sessions (Part 2, 6.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
#[wire(repr = u8, refuse = "VALUE")]
pub enum Se {
    /// HMAC session.
    Hmac = 0x00,
    /// Policy session.
    Policy = 0x01,
    /// Trial policy session.
    Trial = 0x03,
}

/// TPM_ST: tags of structures (Part 2, 6.9).
pub mod st {
    #![expect(missing_docs, reason = "each is TPM_ST_<name>")]
    pub const RSP_COMMAND: u16 = 0x00C4;
    pub const NO_SESSIONS: u16 = 0x8001;
    pub const SESSIONS: u16 = 0x8002;
    pub const ATTEST_NV: u16 = 0x8014;
    pub const ATTEST_COMMAND_AUDIT: u16 = 0x8015;
    pub const ATTEST_SESSION_AUDIT: u16 = 0x8016;
    pub const ATTEST_CERTIFY: u16 = 0x8017;
    pub const ATTEST_QUOTE: u16 = 0x8018;
    pub const ATTEST_TIME: u16 = 0x8019;
    pub const ATTEST_CREATION: u16 = 0x801A;
    pub const ATTEST_NV_DIGEST: u16 = 0x801C;
    pub const CREATION: u16 = 0x8021;
    pub const VERIFIED: u16 = 0x8022;
    pub const AUTH_SECRET: u16 = 0x8023;
    pub const HASHCHECK: u16 = 0x8024;
    pub const AUTH_SIGNED: u16 = 0x8025;

    /// True for the tags of structures that the TPM knows.
    pub const fn is_known(tag: u16) -> bool {
        matches!(tag, RSP_COMMAND | 0x8000 | NO_SESSIONS | SESSIONS | ATTEST_NV..=ATTEST_CREATION | CREATION..=AUTH_SIGNED)
    }
}

/// TPM_GENERATED_VALUE: the first four bytes of everything that only a TPM makes (Part 2, 6.2).
pub const GENERATED_VALUE: u32 = 0xFF54_4347;
