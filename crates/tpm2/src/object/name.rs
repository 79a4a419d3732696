//! Names and qualified Names (Part 1, 16 and 26.5).

use super::encoding::marshalled;
use crate::structures::{HashAlg, Name, Public};
use sealwright_core::{Buffer, Fault};
use sealwright_crypto::Crypto;

/// Algorithm identifier and digest.
fn name_of(crypto: &Crypto, hash: HashAlg, parts: &[&[u8]]) -> Result<Name, Fault> {
    let mut name = hash.id().to_be_bytes().to_vec();
    name.extend_from_slice(&crypto.hash.digest(hash, parts));
    Buffer::from_slice(&name)
}

/// The Name of a public area; empty if it has no name algorithm.
pub(crate) fn public_name(crypto: &Crypto, public: &Public) -> Result<Name, Fault> {
    match public.name_alg {
        Some(hash) => name_of(crypto, hash, &[&marshalled(public)?]),
        None => Ok(Name::EMPTY),
    }
}

/// The qualified Name of a child, from that of its parent (of a hierarchy: its handle).
pub(crate) fn qualified_name(
    crypto: &Crypto,
    parent: &[u8],
    hash: Option<HashAlg>,
    name: &Name,
) -> Result<Name, Fault> {
    match hash {
        Some(hash) => name_of(crypto, hash, &[parent, name]),
        None => Ok(Name::EMPTY),
    }
}
