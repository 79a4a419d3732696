//! The provider struct and the parts that it is made of.
//!
//! All numbers are big-endian byte strings. Lengths of outputs are fixed by the algorithm and named on each method.

use crate::ecc::{Signature, ecdsa};
use alloc::vec::Vec;
use core::fmt;
use once_cell::race::OnceBox;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing, optimization_barrier};

/// A source of all primitive operations. Schemes are built on top of it in this crate.
#[derive(Clone, Copy)]
pub struct Crypto {
    /// Name for logs and bug reports, such as `rust` or `aws-lc`.
    pub name: &'static str,
    /// Hashes and HMAC.
    pub hash: &'static dyn Hash,
    /// Block ciphers, their modes, and CMAC.
    pub cipher: &'static dyn Cipher,
    /// Modular exponentiation for RSA and for the prime search.
    pub rsa: &'static dyn Rsa,
    /// Elliptic-curve point arithmetic.
    pub ecc: &'static dyn Ecc,
}

impl fmt::Debug for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crypto({})", self.name)
    }
}

/// Why a primitive refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CryptoError {
    /// A key, point, digest or message has a size or value that the algorithm does not allow.
    InvalidInput,
    /// The algorithm, curve or key size is not in this provider.
    Unsupported,
    /// A signature, padding or tag did not verify.
    Mismatch,
    /// The result would be the point at infinity, or zero where zero is not allowed.
    NoResult,
    /// The caller's poll asked to stop.
    Cancelled,
    /// The input number is not smaller than the modulus.
    TooLarge,
}

impl fmt::Display for CryptoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidInput => "input of a wrong size or value",
            Self::Unsupported => "algorithm, curve or key size is not in this provider",
            Self::Mismatch => "signature, padding or tag does not verify",
            Self::NoResult => "no result exists for this input",
            Self::Cancelled => "cancelled",
            Self::TooLarge => "number is not smaller than the modulus",
        })
    }
}

impl core::error::Error for CryptoError {}

/// A source of random bytes: the engine's DRBG, or the derivation of a primary key.
pub trait Random {
    /// Fills all of `out`.
    fn fill(&mut self, out: &mut [u8]);
}

/// Hash algorithms of the engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashAlg {
    /// SHA-1 (TPM_ALG_SHA1, 0x0004).
    Sha1,
    /// SHA-256 (0x000B).
    Sha256,
    /// SHA-384 (0x000C).
    Sha384,
    /// SHA-512 (0x000D).
    Sha512,
}

impl HashAlg {
    /// All of them, in the order of their TCG identifiers.
    pub const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    /// Size of a digest in bytes.
    pub const fn size(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Size of a block in bytes.
    pub const fn block(self) -> usize {
        match self {
            Self::Sha1 | Self::Sha256 => 64,
            Self::Sha384 | Self::Sha512 => 128,
        }
    }

    /// The TCG algorithm identifier.
    pub const fn id(self) -> u16 {
        match self {
            Self::Sha1 => 0x0004,
            Self::Sha256 => 0x000B,
            Self::Sha384 => 0x000C,
            Self::Sha512 => 0x000D,
        }
    }

    /// The algorithm with this TCG identifier.
    pub const fn from_id(id: u16) -> Option<Self> {
        match id {
            0x0004 => Some(Self::Sha1),
            0x000B => Some(Self::Sha256),
            0x000C => Some(Self::Sha384),
            0x000D => Some(Self::Sha512),
            _ => None,
        }
    }
}

/// A digest of up to 64 bytes, held in place.
#[derive(Clone, Copy)]
pub struct Digest {
    len: u8,
    bytes: [u8; 64],
}

impl Digest {
    /// Copies `bytes`; anything after the 64th is dropped.
    pub fn new(bytes: &[u8]) -> Self {
        let mut d = Self { len: 0, bytes: [0; 64] };
        let len = bytes.len().min(d.bytes.len());
        if let (Some(to), Some(from)) = (d.bytes.get_mut(..len), bytes.get(..len)) {
            to.copy_from_slice(from);
            d.len = len as u8;
        }
        d
    }
}

impl Zeroize for Digest {
    fn zeroize(&mut self) {
        *self = Self { len: 0, bytes: [0; 64] };
        optimization_barrier(self);
    }
}

impl core::ops::Deref for Digest {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({} bytes)", self.len)
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
impl Eq for Digest {}

/// Hashes and HMAC in one call. Running hashes are [`crate::hash::Hasher`], whose state can be saved.
pub trait Hash: Sync {
    /// Hash of the concatenated `parts`.
    fn digest(&self, alg: HashAlg, parts: &[&[u8]]) -> Digest;
    /// HMAC (FIPS 198-1) of the concatenated `parts` under a key of any length.
    fn hmac(&self, alg: HashAlg, key: &[u8], parts: &[&[u8]]) -> Digest;
    /// HMAC of two messages under one key, which is prepared once.
    fn hmac_pair(&self, alg: HashAlg, key: &[u8], first: &[&[u8]], second: &[&[u8]]) -> [Digest; 2];
}

/// A block cipher; the key length says which size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockCipher {
    /// AES with 16, 24 or 32 bytes of key (TPM_ALG_AES, 0x0006).
    Aes,
    /// Camellia with 16, 24 or 32 bytes of key (0x0026).
    Camellia,
    /// Triple DES with 16 or 24 bytes of key (0x0003).
    Tdes,
}

impl BlockCipher {
    /// Size of a block in bytes.
    pub const fn block(self) -> usize {
        match self {
            Self::Aes | Self::Camellia => 16,
            Self::Tdes => 8,
        }
    }
}

/// How a block cipher is used (ISO/IEC 10116).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CipherMode {
    /// Counter (TPM_ALG_CTR, 0x0040).
    Ctr,
    /// Output feedback (0x0041).
    Ofb,
    /// Cipher block chaining without padding (0x0042).
    Cbc,
    /// Cipher feedback over whole blocks (0x0043).
    Cfb,
    /// Electronic codebook (0x0044); no chaining value.
    Ecb,
}

/// Block ciphers.
pub trait Cipher: Sync {
    /// Encrypts or decrypts `data` in place. `iv` (one block; empty for ECB) is replaced by the chaining value for the
    /// next call, as TPM2_EncryptDecrypt returns it in `ivOut` (Part 3, 15.2). CBC and ECB need whole blocks.
    fn crypt(
        &self,
        cipher: BlockCipher,
        mode: CipherMode,
        encrypt: bool,
        key: &[u8],
        iv: &mut [u8],
        data: &mut [u8],
    ) -> Result<(), CryptoError>;
    /// CMAC (SP 800-38B) of the concatenated `parts`; the result has the size of a block.
    fn cmac(&self, cipher: BlockCipher, key: &[u8], parts: &[&[u8]]) -> Result<Digest, CryptoError>;
}

/// The values of the Chinese remainder theorem for an RSA key, wiped when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Crt {
    /// `e^-1 mod (p-1)`.
    pub dp: Vec<u8>,
    /// `e^-1 mod (q-1)`.
    pub dq: Vec<u8>,
    /// `q^-1 mod p`.
    pub qinv: Vec<u8>,
}

/// An RSA key pair, wiped when dropped. The values that only private operations need are computed at the first of them,
/// and kept: many keys are loaded only to be a parent's child, a name in a policy, or a salt's receiver.
#[derive(Clone)]
pub struct RsaKey {
    /// Modulus.
    pub n: Vec<u8>,
    /// Public exponent.
    pub e: u32,
    /// First prime, the one that a TPM keeps as the sensitive part.
    pub p: Vec<u8>,
    /// Second prime.
    pub q: Vec<u8>,
    pub(crate) crt: OnceBox<Crt>,
    /// The same values in the other order of the primes, as long as nobody asked for `crt`.
    pub(crate) mirrored: Option<crate::rsa::LargerFirst>,
}

impl Drop for RsaKey {
    fn drop(&mut self) {
        // `crt` and `mirrored` do it by themselves.
        self.p.zeroize();
        self.q.zeroize();
    }
}

impl fmt::Debug for Crt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crt({} bits)", self.qinv.len().saturating_mul(8))
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaKey({} bits)", self.n.len().saturating_mul(8))
    }
}

/// RSA arithmetic. Paddings and key generation are in [`crate::rsa`].
pub trait Rsa: Sync {
    /// `message^e mod n`; the result has the size of `n`. `message >= n` is [`CryptoError::TooLarge`].
    fn public(&self, n: &[u8], e: u32, message: &[u8]) -> Result<Vec<u8>, CryptoError>;
    /// `cipher^d mod n` by the Chinese remainder theorem in constant time, checked with the public exponent before it
    /// leaves (a fault would reveal the key); the result has the size of `n`.
    fn private(&self, key: &RsaKey, cipher: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError>;
    /// `value^-1 mod prime` in constant time, with the size of the prime; [`CryptoError::InvalidInput`] if a caller's
    /// `prime` is none.
    fn invert(&self, value: &[u8], prime: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError>;
    /// How many candidates of `bits` [`Rsa::fermat`] takes at once for little more than the price of one.
    fn lanes(&self, bits: usize) -> usize {
        let _ = bits;
        1
    }
    /// Fermat's test to the base two, in constant time: for each odd candidate, false if it is certainly composite.
    fn fermat(&self, candidates: &[Zeroizing<Vec<u8>>]) -> Vec<bool>;
    /// True if odd `candidate` passes a round of Miller-Rabin (FIPS 186-4, C.3.1) with each base.
    fn miller_rabin(&self, candidate: &[u8], bases: &[Zeroizing<Vec<u8>>]) -> bool;
}

/// Curves of the engines, with their TCG identifiers (Part 2, 6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// TPM_ECC_NIST_P192, 0x0001.
    P192,
    /// TPM_ECC_NIST_P224, 0x0002.
    P224,
    /// TPM_ECC_NIST_P256, 0x0003.
    P256,
    /// TPM_ECC_NIST_P384, 0x0004.
    P384,
    /// TPM_ECC_NIST_P521, 0x0005.
    P521,
    /// TPM_ECC_BN_P256, 0x0010.
    Bn256,
    /// TPM_ECC_BN_P638, 0x0011.
    Bn638,
    /// TPM_ECC_SM2_P256, 0x0020.
    Sm2,
}

impl Curve {
    /// All of them, in the order of their TCG identifiers.
    pub const ALL: [Self; 8] =
        [Self::P192, Self::P224, Self::P256, Self::P384, Self::P521, Self::Bn256, Self::Bn638, Self::Sm2];

    /// The TCG curve identifier.
    pub const fn id(self) -> u16 {
        match self {
            Self::P192 => 0x0001,
            Self::P224 => 0x0002,
            Self::P256 => 0x0003,
            Self::P384 => 0x0004,
            Self::P521 => 0x0005,
            Self::Bn256 => 0x0010,
            Self::Bn638 => 0x0011,
            Self::Sm2 => 0x0020,
        }
    }

    /// The curve with this TCG identifier.
    pub const fn from_id(id: u16) -> Option<Self> {
        match id {
            0x0001 => Some(Self::P192),
            0x0002 => Some(Self::P224),
            0x0003 => Some(Self::P256),
            0x0004 => Some(Self::P384),
            0x0005 => Some(Self::P521),
            0x0010 => Some(Self::Bn256),
            0x0011 => Some(Self::Bn638),
            0x0020 => Some(Self::Sm2),
            _ => None,
        }
    }

    /// Size of a coordinate (and of the order) in bits.
    pub const fn bits(self) -> usize {
        match self {
            Self::P192 => 192,
            Self::P224 => 224,
            Self::P256 | Self::Bn256 | Self::Sm2 => 256,
            Self::P384 => 384,
            Self::P521 => 521,
            Self::Bn638 => 638,
        }
    }

    /// Size of a coordinate (and of a scalar) in bytes.
    pub const fn size(self) -> usize {
        self.bits().div_ceil(8)
    }
}

/// An affine point that is not the point at infinity; coordinates have [`Curve::size`] bytes each when a provider
/// returns them, and may be shorter or longer by leading zeros when a caller passes them.
#[derive(Clone, Debug, PartialEq, Eq, Zeroize)]
pub struct Point {
    /// x coordinate.
    pub x: Vec<u8>,
    /// y coordinate.
    pub y: Vec<u8>,
}

/// Point arithmetic. Scalars are big-endian, of any length, and are reduced modulo the order. Secret scalars are
/// handled in constant time. Signature schemes and key agreement are in [`crate::ecc`].
pub trait Ecc: Sync {
    /// True if both coordinates are in the field and the point satisfies the equation.
    fn on_curve(&self, curve: Curve, point: &Point) -> bool;
    /// `k` times the generator.
    fn mul_base(&self, curve: Curve, k: &[u8]) -> Result<Point, CryptoError>;
    /// `k` times `point`.
    fn mul(&self, curve: Curve, k: &[u8], point: &Point) -> Result<Point, CryptoError>;
    /// `u` times the generator plus `v` times `point`; for verification, so not constant time.
    fn mul_add(&self, curve: Curve, u: &[u8], v: &[u8], point: &Point) -> Result<Point, CryptoError>;
    /// The sum of two points.
    fn add(&self, curve: Curve, a: &Point, b: &Point) -> Result<Point, CryptoError>;
    /// Verifies an ECDSA signature of `digest` (FIPS 186-4, 6.4), whose numbers are in the range of one:
    /// [`CryptoError::Mismatch`] if it is not right, [`CryptoError::InvalidInput`] if the key is not on the curve. All of
    /// it is public, so not constant time. A provider of its own way spares inversions that the sum of products needs.
    fn verify_ecdsa(
        &self,
        curve: Curve,
        public: &Point,
        digest: &[u8],
        signature: &Signature,
    ) -> Result<(), CryptoError> {
        ecdsa::verify_by_sum(self, curve, public, digest, signature)
    }
}
