//! The algorithms of a vTPM's keys, and what the TCG assigned to each.

use crate::failure::{Failure, failure};
use sealwright_crypto::{Curve, HashAlg};

/// Algorithm and size of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// RSA with this many bits: 2048, 3072 or 4096.
    Rsa(u16),
    /// P-256, P-384 or P-521.
    Ecc(Curve),
}

/// Names on the command line, with what they mean.
const NAMES: [(&str, KeyAlgorithm); 9] = [
    ("rsa2048", KeyAlgorithm::Rsa(2048)),
    ("rsa3072", KeyAlgorithm::Rsa(3072)),
    ("rsa4096", KeyAlgorithm::Rsa(4096)),
    ("ecc_nist_p256", KeyAlgorithm::Ecc(Curve::P256)),
    ("secp256r1", KeyAlgorithm::Ecc(Curve::P256)),
    ("ecc_nist_p384", KeyAlgorithm::Ecc(Curve::P384)),
    ("secp384r1", KeyAlgorithm::Ecc(Curve::P384)),
    ("ecc_nist_p521", KeyAlgorithm::Ecc(Curve::P521)),
    ("secp521r1", KeyAlgorithm::Ecc(Curve::P521)),
];

/// Where the TCG's EK Credential Profile (2.5, 2.2.1.4 and 2.2.1.5; persistent handles: PC Client, Registry of reserved
/// handles) puts an endorsement key and what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EkPlaces {
    /// Handle of the persistent key.
    pub(super) handle: u32,
    /// NV Index of the certificate.
    pub(super) certificate: u32,
    /// NV Index of a template that is not the usual one.
    pub(super) template: u32,
}

impl KeyAlgorithm {
    /// The algorithm of this name, in small or capital letters.
    pub fn parse(name: &str) -> Result<Self, Failure> {
        let found = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, algorithm)| *algorithm).ok_or_else(|| failure!("Key algorithm {name} is not supported."))
    }

    /// The name in messages.
    pub fn title(self) -> String {
        match self {
            Self::Rsa(bits) => format!("RSA {bits}"),
            Self::Ecc(_) => self.name().to_owned(),
        }
    }

    /// The name in file names and on the command line of a CA.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rsa(2048) => "rsa2048",
            Self::Rsa(3072) => "rsa3072",
            Self::Rsa(_) => "rsa4096",
            Self::Ecc(Curve::P256) => "secp256r1",
            Self::Ecc(Curve::P384) => "secp384r1",
            Self::Ecc(_) => "secp521r1",
        }
    }

    /// True for the templates of the low range, L-1 and L-2 of the profile.
    pub(super) fn is_low_range(self) -> bool {
        matches!(self, Self::Rsa(2048) | Self::Ecc(Curve::P256))
    }

    /// The hash of names and policies.
    pub(super) fn hash(self) -> HashAlg {
        match self {
            Self::Rsa(2048) | Self::Ecc(Curve::P256) => HashAlg::Sha256,
            Self::Rsa(_) | Self::Ecc(Curve::P384) => HashAlg::Sha384,
            Self::Ecc(_) => HashAlg::Sha512,
        }
    }

    /// Bytes of the modulus or of a coordinate.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Rsa(bits) => usize::from(bits) / 8,
            Self::Ecc(curve) => curve.size(),
        }
    }

    pub(super) fn places(self) -> EkPlaces {
        let (handle, certificate, template) = match self {
            Self::Rsa(2048) => (0x8101_0001, 0x01C0_0002, 0x01C0_0004),
            Self::Rsa(3072) => (0x8101_001C, 0x01C0_001C, 0x01C0_001D),
            Self::Rsa(_) => (0x8101_001E, 0x01C0_001E, 0x01C0_001F),
            Self::Ecc(Curve::P256) => (0x8101_000A, 0x01C0_000A, 0x01C0_000B),
            Self::Ecc(Curve::P384) => (0x8101_0016, 0x01C0_0016, 0x01C0_0017),
            Self::Ecc(_) => (0x8101_0018, 0x01C0_0018, 0x01C0_0019),
        };
        EkPlaces { handle, certificate, template }
    }
}
