//! Objects: keys and sealed data, and what is loaded of them (Part 1, 25 to 27).

pub(crate) mod attributes;
pub(crate) mod creation;
mod creation_data;
mod credential;
pub(crate) mod encoding;
pub(crate) mod load;
pub(crate) mod name;
pub(crate) mod protect;
pub(crate) mod schemes;
pub(crate) mod secrets;
mod sequence;
mod slots;

pub(crate) use sequence::{Sequence, SequenceKind, hashers};
pub(crate) use slots::Slot;

use crate::structures::{Name, ObjectAttributes, Public, Sensitive};
use alloc::sync::Arc;
use sealwright_crypto::RsaKey;

/// A loaded object.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) public: Public,
    /// `None` if only the public area is loaded.
    pub(crate) sensitive: Option<Sensitive>,
    pub(crate) name: Name,
    pub(crate) qualified_name: Name,
    /// OWNER, ENDORSEMENT, PLATFORM or NULL.
    pub(crate) hierarchy: u32,
    /// Loaded by LoadExternal.
    pub(crate) external: bool,
    /// Made by CreatePrimary (or CreateLoaded in a hierarchy).
    pub(crate) primary: bool,
    /// In a hierarchy in which it lives until the next reset only: NULL, or a temporary parent.
    pub(crate) temporary: bool,
    /// stClear, or a parent has it: contexts of it do not survive a TPM Restart.
    pub(crate) st_clear: bool,
    /// Handle in NV if this is a persistent object.
    pub(crate) evict: Option<u32>,
    /// Way of making primes for children derived from it, as in [`crate::state::Seed`].
    pub(crate) seed_compat: u8,
    /// The RSA key with its CRT values, computed once at load.
    pub(crate) rsa: Option<Arc<RsaKey>>,
}

impl Object {
    /// True if all bits of `attributes` are set.
    pub(crate) const fn has(&self, attributes: ObjectAttributes) -> bool {
        self.public.has(attributes)
    }
    /// A storage parent: restricted decryption key that is not KEYEDHASH, with its sensitive area.
    pub(crate) fn is_parent(&self) -> bool {
        let wanted = ObjectAttributes::RESTRICTED | ObjectAttributes::DECRYPT;
        self.has(wanted)
            && !self.has(ObjectAttributes::SIGN)
            && self.sensitive.is_some()
            && !self.external
            && self.public.object_type() != crate::structures::ObjectType::KeyedHash
            && self.public.name_alg.is_some()
    }
    /// A key that seeds can be encrypted for: RSA or ECC, restricted decryption, with or without its sensitive area.
    pub(crate) fn is_asymmetric_storage(&self) -> bool {
        use crate::structures::ObjectType;
        self.has(ObjectAttributes::RESTRICTED | ObjectAttributes::DECRYPT)
            && !self.has(ObjectAttributes::SIGN)
            && matches!(self.public.object_type(), ObjectType::Rsa | ObjectType::Ecc)
    }
    /// A derivation parent: restricted decryption KEYEDHASH.
    pub(crate) fn is_derivation_parent(&self) -> bool {
        let wanted = ObjectAttributes::RESTRICTED | ObjectAttributes::DECRYPT;
        self.has(wanted)
            && self.sensitive.is_some()
            && !self.external
            && self.public.object_type() == crate::structures::ObjectType::KeyedHash
    }
}

#[cfg(test)]
mod oracle_tests;
