//! What a profile can name: algorithms, curves, key sizes, commands and attributes, as libtpms names them.

/// An algorithm.
pub(super) struct Algorithm {
    pub(super) id: u16,
    pub(super) name: &'static str,
    pub(super) can_be_disabled: bool,
    /// Its smallest key in bits, if `NAME-min-size=` is known for it.
    pub(super) least: Option<u16>,
}

const fn fixed(id: u16, name: &'static str) -> Algorithm {
    Algorithm { id, name, can_be_disabled: false, least: None }
}

const fn optional(id: u16, name: &'static str) -> Algorithm {
    Algorithm { id, name, can_be_disabled: true, least: None }
}

const fn sized(least: u16, algorithm: Algorithm) -> Algorithm {
    Algorithm { least: Some(least), ..algorithm }
}

/// TPM_ALG_ECC, after whose name those of the curves stand.
pub(super) const ECC: u16 = 0x23;

/// All algorithms, ascending by identifier. What others need (contexts, sessions, the platform's own keys) cannot be
/// switched off.
pub(super) const ALGORITHMS: [Algorithm; 34] = [
    sized(1024, fixed(0x01, "rsa")),
    sized(128, optional(0x03, "tdes")),
    optional(0x04, "sha1"),
    fixed(0x05, "hmac"),
    sized(128, fixed(0x06, "aes")),
    fixed(0x07, "mgf1"),
    fixed(0x08, "keyedhash"),
    fixed(0x0A, "xor"),
    fixed(0x0B, "sha256"),
    fixed(0x0C, "sha384"),
    optional(0x0D, "sha512"),
    fixed(0x10, "null"),
    optional(0x14, "rsassa"),
    optional(0x15, "rsaes"),
    optional(0x16, "rsapss"),
    fixed(0x17, "oaep"),
    fixed(0x18, "ecdsa"),
    fixed(0x19, "ecdh"),
    optional(0x1A, "ecdaa"),
    optional(0x1B, "sm2"),
    optional(0x1C, "ecschnorr"),
    optional(0x1D, "ecmqv"),
    fixed(0x20, "kdf1-sp800-56a"),
    fixed(0x21, "kdf2"),
    fixed(0x22, "kdf1-sp800-108"),
    sized(192, fixed(ECC, "ecc")),
    fixed(0x25, "symcipher"),
    sized(128, optional(0x26, "camellia")),
    optional(0x3F, "cmac"),
    optional(0x40, "ctr"),
    optional(0x41, "ofb"),
    optional(0x42, "cbc"),
    fixed(0x43, "cfb"),
    optional(0x44, "ecb"),
];

/// A curve.
pub(super) struct CurveItem {
    pub(super) id: u16,
    pub(super) name: &'static str,
    pub(super) bits: u16,
    pub(super) can_be_disabled: bool,
}

const fn curve(id: u16, name: &'static str, bits: u16, can_be_disabled: bool) -> CurveItem {
    CurveItem { id, name, bits, can_be_disabled }
}

/// All curves, ascending by identifier.
pub(super) const CURVES: [CurveItem; 8] = [
    curve(0x01, "ecc-nist-p192", 192, true),
    curve(0x02, "ecc-nist-p224", 224, true),
    curve(0x03, "ecc-nist-p256", 256, false),
    curve(0x04, "ecc-nist-p384", 384, false),
    curve(0x05, "ecc-nist-p521", 521, true),
    curve(0x10, "ecc-bn-p256", 256, true),
    curve(0x11, "ecc-bn-p638", 638, true),
    curve(0x20, "ecc-sm2-p256", 256, true),
];

/// Names for all curves of a family: (name, beginning of the curves' names).
pub(super) const FAMILIES: [(&str, &str); 2] = [("ecc-nist", "ecc-nist-p"), ("ecc-bn", "ecc-bn-p")];

/// The commands of libtpms 0.9, as ranges.
pub(crate) const NULL_COMMANDS: [(u32, u32); 10] = [
    (0x11F, 0x122),
    (0x124, 0x12E),
    (0x130, 0x140),
    (0x142, 0x159),
    (0x15B, 0x15E),
    (0x160, 0x165),
    (0x167, 0x174),
    (0x176, 0x178),
    (0x17A, 0x193),
    (0x197, 0x197),
];

/// Newer commands, with the state format level that has them.
pub(super) const NEWER_COMMANDS: [(u32, u32); 4] = [(0x199, 3), (0x19A, 3), (0x19B, 5), (0x19C, 5)];

/// Commands that cannot be switched off.
pub(super) const FIXED_COMMANDS: [u32; 26] = [
    0x120, 0x129, 0x12B, 0x131, 0x13C, 0x143, 0x144, 0x145, 0x148, 0x14E, 0x153, 0x156, 0x157, 0x158, 0x15C, 0x165,
    0x169, 0x173, 0x176, 0x17A, 0x17C, 0x17D, 0x17E, 0x182, 0x185, 0x186,
];

/// Bits of the attributes.
pub(crate) mod attribute {
    pub(crate) const NO_UNPADDED_ENCRYPTION: u16 = 1 << 0;
    pub(crate) const NO_SHA1_SIGNING: u16 = 1 << 1;
    pub(crate) const NO_SHA1_VERIFICATION: u16 = 1 << 2;
    pub(crate) const NO_SHA1_HMAC_CREATION: u16 = 1 << 3;
    pub(crate) const NO_SHA1_HMAC_VERIFICATION: u16 = 1 << 4;
    pub(super) const DRBG_TEST: u16 = 1 << 5;
    pub(super) const PAIRWISE_TEST: u16 = 1 << 6;
    pub(crate) const NO_ECC_KEY_DERIVATION: u16 = 1 << 7;
}

use attribute::{
    DRBG_TEST, NO_ECC_KEY_DERIVATION, NO_SHA1_HMAC_CREATION, NO_SHA1_HMAC_VERIFICATION, NO_SHA1_SIGNING,
    NO_SHA1_VERIFICATION, NO_UNPADDED_ENCRYPTION, PAIRWISE_TEST,
};

/// Attributes with what they stand for.
pub(super) const ATTRIBUTES: [(&str, u16); 10] = [
    ("no-unpadded-encryption", NO_UNPADDED_ENCRYPTION),
    ("no-sha1-signing", NO_SHA1_SIGNING),
    ("no-sha1-verification", NO_SHA1_VERIFICATION),
    ("no-sha1-hmac-creation", NO_SHA1_HMAC_CREATION),
    ("no-sha1-hmac-verification", NO_SHA1_HMAC_VERIFICATION),
    ("no-sha1-hmac", NO_SHA1_HMAC_CREATION | NO_SHA1_HMAC_VERIFICATION),
    ("fips-host", NO_UNPADDED_ENCRYPTION | NO_SHA1_SIGNING | NO_SHA1_VERIFICATION),
    // libtpms's own spelling.
    ("drbg-continous-test", DRBG_TEST),
    ("pct", PAIRWISE_TEST),
    ("no-ecc-key-derivation", NO_ECC_KEY_DERIVATION),
];

/// State format level of a profile with attributes.
pub(super) const WITH_ATTRIBUTES: u32 = 7;
