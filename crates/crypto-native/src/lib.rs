//! The Sealwright crypto provider on AWS-LC.
//!
//! [`NATIVE`] takes from the native library what it does faster than portable code: RSA, the prime test, the NIST curves,
//! and hashes in one call. Where the processor has AVX-512 IFMA, eight candidates for a prime are tested at once by code of its
//! own. All other parts are those of [`sealwright_crypto::rust`], so both providers give the same bytes. The choice is
//! argued in `docs/decisions/0002-native-provider.md`.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::todo,
        clippy::unimplemented,
        clippy::arithmetic_side_effects
    )
)]

mod bignum;
mod ecc;
mod group;
mod hash;
mod lanes;
mod rsa;
mod sha;

pub use ecc::NativeEcc;
pub use hash::NativeHash;
pub use rsa::NativeRsa;

use sealwright_crypto::Crypto;
use sealwright_crypto::rust::RustCipher;

/// The provider of host programs.
pub static NATIVE: Crypto =
    Crypto { name: "aws-lc", hash: &NativeHash, cipher: &RustCipher, rsa: &NativeRsa, ecc: &NativeEcc };
