//! Templates of a vTPM's keys: the TPMT_PUBLIC that TPM2_CreatePrimary takes.

use super::KeyAlgorithm;
use sealwright_crypto::HashAlg;

/// Bits of TPMA_OBJECT (Part 2, 8.3).
mod attribute {
    pub(super) const FIXED_TPM: u32 = 1 << 1;
    pub(super) const FIXED_PARENT: u32 = 1 << 4;
    pub(super) const SENSITIVE_DATA_ORIGIN: u32 = 1 << 5;
    pub(super) const USER_WITH_AUTH: u32 = 1 << 6;
    pub(super) const ADMIN_WITH_POLICY: u32 = 1 << 7;
    pub(super) const NO_DA: u32 = 1 << 10;
    pub(super) const RESTRICTED: u32 = 1 << 16;
    pub(super) const DECRYPT: u32 = 1 << 17;
    pub(super) const SIGN: u32 = 1 << 18;
    /// Those of every key here.
    pub(super) const COMMON: u32 = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN;
}

const TPM_ALG_RSA: u16 = 0x0001;
const TPM_ALG_AES: u16 = 0x0006;
const TPM_ALG_NULL: u16 = 0x0010;
const TPM_ALG_RSAPSS: u16 = 0x0016;
const TPM_ALG_ECDSA: u16 = 0x0018;
const TPM_ALG_ECC: u16 = 0x0023;
const TPM_ALG_CFB: u16 = 0x0043;

/// PolicyA of the TCG's EK Credential Profile, B.6.2: PolicySecret of the endorsement hierarchy.
const POLICY_A_SHA256: &str = "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa";
/// PolicyB of the profile, B.6.4: PolicyA, or what an NV Index says; SHA-384 and SHA-512.
const POLICY_B: [&str; 2] = [
    "b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12",
    "b8221ca69e8550a4914de3faa6a18c072cc01208073a928d5d66d59ef79e49a429c41a6b269571d57edb25fbdb183842\
     5608b413cd616a5f6db5b6071af99bea",
];
/// Policies of attestation keys of the TCG's TPM 2.0 Keys for Device Identity and Attestation, 7.3; SHA-256, -384 and -512.
const POLICY_IAK: [&str; 3] = [
    "5437182326e414fca797d5f174615a1641f61255797c3a2b22c21d120b2d1e07",
    "129d94ebf84556652c6eef43bbb757512ac87e52be7b349ca6ce4d826f749fcf672f51716c5cbb605f313bf345aab312",
    "8060d1fb31716a29e48a6e5fece088bcfc1b278fc162255e81c3eca3544cd44af94410c3715d561cccd9e39a6cb2646d\
     43535bb54ea88710deb5f7836bd9b586",
];
/// Policies of signing keys of the same document.
const POLICY_IDEVID: [&str; 3] = [
    "ad6b3a2284fd698a0710bf5cc1b9bdf15e2532e3f601fa4b93a6a8fa8de579ea",
    "4db1aa836d0b5615df6ee53a40ef70c61c217f4303d44695925972bc927006cfa5cbdf6dc18c4dbe329b2f1542c3dd33",
    "7dd7500fd6c1b94f97a6af910da147301ef28f662fee06f225a4ccadda3b4e6b38e66b2f3ad5dee1a0503cd2daedb1e6\
     8cfe4f84b03a8cd22bb6a976f071a72f",
];

/// The bytes of hexadecimal digits.
fn hex(digits: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut high = None;
    for digit in digits.chars().filter_map(|c| c.to_digit(16)).filter_map(|digit| u8::try_from(digit).ok()) {
        match high.take() {
            None => high = Some(digit),
            Some(high) => out.push(high << 4 | digit),
        }
    }
    out
}

fn policy_of(hash: HashAlg, policies: [&str; 3]) -> Vec<u8> {
    let [sha256, sha384, sha512] = policies;
    hex(match hash {
        HashAlg::Sha384 => sha384,
        HashAlg::Sha512 => sha512,
        _ => sha256,
    })
}

/// How an endorsement key may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EkUse {
    /// It signs, and is not restricted: not what the TCG's profile says.
    pub signing: bool,
    /// A signing key decrypts too.
    pub decryption: bool,
}

/// A template: the bytes of a TPMT_PUBLIC (Part 2, 12.2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(pub(super) Vec<u8>);

/// The parts of a template.
struct Parts {
    hash: HashAlg,
    attributes: u32,
    policy: Vec<u8>,
    /// Bits of the AES key that protects children; 0 for none.
    symmetric: u16,
    /// Scheme, with the hash of names.
    scheme: Option<u16>,
    /// Modulus, or x and y.
    unique: [Vec<u8>; 2],
}

impl Parts {
    fn template(&self, algorithm: KeyAlgorithm) -> Template {
        let mut out = Vec::new();
        let u16_to = |out: &mut Vec<u8>, value: u16| out.extend_from_slice(&value.to_be_bytes());
        let sized_to = |out: &mut Vec<u8>, bytes: &[u8]| {
            u16_to(out, u16::try_from(bytes.len()).unwrap_or(u16::MAX));
            out.extend_from_slice(bytes);
        };
        u16_to(&mut out, if matches!(algorithm, KeyAlgorithm::Rsa(_)) { TPM_ALG_RSA } else { TPM_ALG_ECC });
        u16_to(&mut out, self.hash.id());
        out.extend_from_slice(&self.attributes.to_be_bytes());
        sized_to(&mut out, &self.policy);
        match self.symmetric {
            0 => u16_to(&mut out, TPM_ALG_NULL),
            bits => [TPM_ALG_AES, bits, TPM_ALG_CFB].into_iter().for_each(|value| u16_to(&mut out, value)),
        }
        u16_to(&mut out, self.scheme.unwrap_or(TPM_ALG_NULL));
        if self.scheme.is_some() {
            u16_to(&mut out, self.hash.id());
        }
        let [first, second] = &self.unique;
        match algorithm {
            KeyAlgorithm::Rsa(bits) => {
                u16_to(&mut out, bits);
                // The usual exponent.
                out.extend_from_slice(&0u32.to_be_bytes());
                sized_to(&mut out, first);
            }
            KeyAlgorithm::Ecc(curve) => {
                u16_to(&mut out, curve.id());
                u16_to(&mut out, TPM_ALG_NULL);
                sized_to(&mut out, first);
                sized_to(&mut out, second);
            }
        }
        Template(out)
    }
}

impl Template {
    /// An endorsement key (EK Credential Profile, B.3 and B.4).
    pub fn ek(algorithm: KeyAlgorithm, usage: EkUse) -> Self {
        use attribute::{ADMIN_WITH_POLICY, COMMON, DECRYPT, RESTRICTED, SIGN, USER_WITH_AUTH};
        let (low, hash) = (algorithm.is_low_range(), algorithm.hash());
        let [b384, b512] = POLICY_B;
        let range = if low { 0 } else { USER_WITH_AUTH };
        let purpose = match (usage.signing, usage.decryption) {
            (false, _) => RESTRICTED | DECRYPT,
            (true, false) => SIGN,
            (true, true) => SIGN | DECRYPT,
        };
        let unique = if low { vec![0; algorithm.size()] } else { Vec::new() };
        let parts = Parts {
            hash,
            attributes: COMMON | ADMIN_WITH_POLICY | range | purpose,
            policy: policy_of(hash, [POLICY_A_SHA256, b384, b512]),
            symmetric: if usage.signing { 0 } else { symmetric_bits(low) },
            scheme: None,
            unique: [unique.clone(), unique],
        };
        parts.template(algorithm)
    }

    /// A storage root key (TCG TPM v2.0 Provisioning Guidance, 7.5.1).
    pub fn storage(algorithm: KeyAlgorithm) -> Self {
        use attribute::{COMMON, DECRYPT, NO_DA, RESTRICTED, USER_WITH_AUTH};
        let unique = vec![0; algorithm.size()];
        let parts = Parts {
            hash: algorithm.hash(),
            attributes: COMMON | USER_WITH_AUTH | NO_DA | RESTRICTED | DECRYPT,
            policy: Vec::new(),
            symmetric: symmetric_bits(algorithm.is_low_range()),
            scheme: None,
            unique: [unique.clone(), unique],
        };
        parts.template(algorithm)
    }

    /// An initial attestation key.
    pub fn iak(algorithm: KeyAlgorithm) -> Self {
        let policy = policy_of(algorithm.hash(), POLICY_IAK);
        Self::device(algorithm, attribute::RESTRICTED, policy, Some(TPM_ALG_RSAPSS), b"IAK")
    }

    /// An initial device identity.
    pub fn idevid(algorithm: KeyAlgorithm) -> Self {
        let policy = policy_of(algorithm.hash(), POLICY_IDEVID);
        Self::device(algorithm, 0, policy, None, b"IDEVID")
    }

    fn device(algorithm: KeyAlgorithm, more: u32, policy: Vec<u8>, rsa: Option<u16>, unique: &[u8]) -> Self {
        use attribute::{ADMIN_WITH_POLICY, COMMON, SIGN, USER_WITH_AUTH};
        let parts = Parts {
            hash: algorithm.hash(),
            attributes: COMMON | USER_WITH_AUTH | ADMIN_WITH_POLICY | SIGN | more,
            policy,
            symmetric: 0,
            scheme: if matches!(algorithm, KeyAlgorithm::Rsa(_)) { rsa } else { Some(TPM_ALG_ECDSA) },
            unique: [unique.to_vec(), Vec::new()],
        };
        parts.template(algorithm)
    }
}

/// Bits of the AES key of a restricted decryption key.
const fn symmetric_bits(low_range: bool) -> u16 {
    if low_range { 128 } else { 256 }
}
