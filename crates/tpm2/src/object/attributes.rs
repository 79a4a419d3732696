//! Which attributes a public area may have (Part 3, 12.1.1; Part 4, CreateChecks and PublicAttributesValidation).

use super::{Object, schemes::check_schemes};
use crate::structures::{ObjectAttributes as A, ObjectType, Public};
use sealwright_core::Fault;

/// Refuses a template for TPM2_Create and its kin. `parent` is `None` for a primary object; `data` is the size of what
/// the caller gives as the sensitive value.
pub(crate) fn check_template(parent: Option<&Object>, public: &Public, data: usize) -> Result<(), Fault> {
    let attributes = public.attributes;
    let by_tpm = attributes.has(A::SENSITIVE_DATA_ORIGIN);
    if !by_tpm && data == 0 {
        return Err(Fault::ATTRIBUTES);
    }
    // For a primary object the data are a part of what its key is derived from.
    if parent.is_some() && by_tpm && data != 0 {
        return Err(Fault::ATTRIBUTES);
    }
    let restricted_import =
        attributes.has(A::RESTRICTED) && !by_tpm && (attributes.has(A::FIXED_PARENT) || attributes.has(A::FIXED_TPM));
    let fits = match public.object_type() {
        ObjectType::KeyedHash => {
            let sealed = !attributes.has(A::SIGN) && !attributes.has(A::DECRYPT);
            !(sealed && by_tpm || restricted_import)
        }
        ObjectType::SymCipher => !restricted_import,
        ObjectType::Rsa | ObjectType::Ecc => by_tpm,
    };
    if !fits {
        return Err(Fault::ATTRIBUTES);
    }
    check_public(parent, public)
}

/// Refuses attributes that contradict each other or the parent; `None` is a hierarchy, or no parent at all.
pub(crate) fn check_public(parent: Option<&Object>, public: &Public) -> Result<(), Fault> {
    let attributes = public.attributes;
    let name_alg = public.name_alg.ok_or(Fault::HASH)?;
    if !public.auth_policy.is_empty() && public.auth_policy.len() != name_alg.size() {
        return Err(Fault::SIZE);
    }
    let fixed_tpm = attributes.has(A::FIXED_TPM);
    let fixed_parent = attributes.has(A::FIXED_PARENT);
    let chain_is_fixed = parent.is_none_or(|parent| parent.has(A::FIXED_TPM));
    let fixed_fits = if chain_is_fixed { fixed_parent == fixed_tpm } else { !fixed_tpm };
    if !fixed_fits {
        return Err(Fault::ATTRIBUTES);
    }
    if attributes.has(A::SIGN) == attributes.has(A::DECRYPT) {
        if attributes.has(A::RESTRICTED) {
            return Err(Fault::ATTRIBUTES);
        }
        // Only data objects may neither sign nor decrypt.
        if public.object_type() != ObjectType::KeyedHash && !attributes.has(A::SIGN) {
            return Err(Fault::ATTRIBUTES);
        }
    }
    let encrypted = attributes.has(A::ENCRYPTED_DUPLICATION);
    if fixed_tpm && encrypted {
        return Err(Fault::ATTRIBUTES);
    }
    if let Some(parent) = parent {
        if !chain_is_fixed && encrypted != parent.has(A::ENCRYPTED_DUPLICATION) {
            return Err(Fault::ATTRIBUTES);
        }
        // What is derived is fixed to its parent: the same derivation gives it again.
        if parent.is_derivation_parent() && (fixed_tpm != parent.has(A::FIXED_TPM) || !fixed_parent) {
            return Err(Fault::ATTRIBUTES);
        }
    }
    check_schemes(parent.map(|parent| &parent.public), public)
}
