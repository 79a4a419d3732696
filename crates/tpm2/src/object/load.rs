//! Checks of what callers load or import (Part 4, ObjectLoad and CryptValidateKeys), and the loaded object.

use super::{
    Object,
    attributes::check_public,
    creation::symmetric_unique,
    name::{public_name, qualified_name},
    schemes::check_schemes,
};
use crate::structures::{
    KeyedHashScheme, MAX_SYM_DATA, Name, ObjectAttributes as A, ObjectType, Parameters, Public, Sensitive, Unique, rh,
};
use crate::tpm::Tpm;
use alloc::sync::Arc;
use sealwright_core::Fault;
use sealwright_crypto::{Crypto, RsaKey, ecc::scalar, symmetric::key_is_valid};

/// The parameters to blame, counted from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blame {
    /// The one with the public area.
    pub(crate) public: u8,
    /// The one with the sensitive area.
    pub(crate) sensitive: u8,
}

/// `bytes` without leading zeros.
fn significant(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

const fn top_bit(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(0x80..))
}

fn check_rsa(public: &Public, sensitive: Option<&Sensitive>, blame: Blame) -> Result<(), Fault> {
    let (Parameters::Rsa(p), Unique::Rsa(n)) = (&public.parameters, &public.unique) else { return Err(Fault::TYPE) };
    let size = usize::from(p.bits) / 8;
    if n.len() != size || !top_bit(n) {
        return Err(Fault::KEY.at_parameter(blame.public));
    }
    if p.exponent != 0 && p.exponent < 7 {
        return Err(Fault::VALUE.at_parameter(blame.public));
    }
    match sensitive {
        Some(s) if s.value.len().saturating_mul(2) != size || !top_bit(&s.value) => {
            Err(Fault::KEY_SIZE.at_parameter(blame.sensitive))
        }
        _ => Ok(()),
    }
}

fn check_ecc(crypto: &Crypto, public: &Public, sensitive: Option<&Sensitive>, blame: Blame) -> Result<(), Fault> {
    let (Parameters::Ecc(p), Unique::Ecc(unique)) = (&public.parameters, &public.unique) else {
        return Err(Fault::TYPE);
    };
    let Some(sensitive) = sensitive else {
        if unique.x.len() != p.curve.size() || unique.y.len() != p.curve.size() {
            return Err(Fault::KEY.at_parameter(blame.public));
        }
        let point = sealwright_crypto::Point { x: unique.x.to_vec(), y: unique.y.to_vec() };
        if public.name_alg.is_some() && !crypto.ecc.on_curve(p.curve, &point) {
            return Err(Fault::ECC_POINT.at_parameter(blame.public));
        }
        return Ok(());
    };
    if !scalar::in_range(p.curve, &sensitive.value) {
        return Err(Fault::KEY_SIZE);
    }
    if public.name_alg.is_some() {
        let point = crypto.ecc.mul_base(p.curve, &sensitive.value).map_err(|_| Fault::BINDING)?;
        if significant(&point.x) != significant(&unique.x) || significant(&point.y) != significant(&unique.y) {
            return Err(Fault::BINDING);
        }
    }
    Ok(())
}

fn check_symmetric(crypto: &Crypto, public: &Public, sensitive: Option<&Sensitive>, blame: Blame) -> Result<(), Fault> {
    let Unique::Digest(unique) = &public.unique else { return Err(Fault::TYPE) };
    let digest = public.name_alg.map_or(0, crate::structures::HashAlg::size);
    let Some(sensitive) = sensitive else {
        return if unique.len() == digest { Ok(()) } else { Err(Fault::KEY.at_parameter(blame.public)) };
    };
    match &public.parameters {
        Parameters::SymCipher(p) => {
            if sensitive.value.len() != p.key_size() {
                return Err(Fault::KEY_SIZE.at_parameter(blame.sensitive));
            }
            if !key_is_valid(p.cipher, &sensitive.value) {
                return Err(Fault::KEY.at_parameter(blame.sensitive));
            }
        }
        Parameters::KeyedHash(scheme) => {
            let most = match scheme {
                KeyedHashScheme::Hmac(hash) | KeyedHashScheme::Xor(hash, _) => hash.block(),
                KeyedHashScheme::Null => MAX_SYM_DATA,
            };
            if sensitive.value.len() > most {
                return Err(Fault::KEY_SIZE.at_parameter(blame.sensitive));
            }
        }
        _ => return Err(Fault::TYPE),
    }
    if let Some(hash) = public.name_alg {
        if sensitive.seed.len() != hash.size() {
            return Err(Fault::KEY_SIZE.at_parameter(blame.sensitive));
        }
        if *symmetric_unique(crypto, public, hash, &sensitive.seed, &sensitive.value) != **unique {
            return Err(Fault::BINDING);
        }
    }
    Ok(())
}

/// Refuses keys whose areas are malformed or do not belong together.
fn check_keys(crypto: &Crypto, public: &Public, sensitive: Option<&Sensitive>, blame: Blame) -> Result<(), Fault> {
    let digest = public.name_alg.map_or(0, crate::structures::HashAlg::size);
    if let Some(sensitive) = sensitive {
        if sensitive.object_type != public.object_type() {
            return Err(Fault::TYPE.at_parameter(blame.sensitive));
        }
        if digest > 0 && sensitive.auth.len() > digest {
            return Err(Fault::SIZE.at_parameter(blame.sensitive));
        }
    }
    match public.object_type() {
        ObjectType::Rsa => check_rsa(public, sensitive, blame)?,
        ObjectType::Ecc => check_ecc(crypto, public, sensitive, blame)?,
        ObjectType::KeyedHash | ObjectType::SymCipher => check_symmetric(crypto, public, sensitive, blame)?,
    }
    if let Some(sensitive) = sensitive
        && public.has(A::RESTRICTED | A::DECRYPT)
        && digest > 0
        && !(digest / 2..=digest).contains(&sensitive.seed.len())
    {
        return Err(Fault::SIZE.at_parameter(blame.sensitive));
    }
    Ok(())
}

/// Checks the areas of an object that comes from outside, and returns the RSA key if it is one with its private part.
pub(crate) fn check_object(
    crypto: &Crypto,
    parent: Option<&Object>,
    public: &Public,
    sensitive: Option<&Sensitive>,
    blame: Blame,
) -> Result<Option<Arc<RsaKey>>, Fault> {
    match (sensitive, public.name_alg) {
        (Some(sensitive), Some(hash)) => {
            if sensitive.seed.len() > hash.size() {
                return Err(Fault::KEY_SIZE.at_parameter(blame.sensitive));
            }
            check_public(parent, public)
        }
        _ => check_schemes(None, public),
    }
    .map_err(|fault| fault.at_parameter(blame.public))?;
    // Under a fixedTPM parent the integrity value proves that this TPM made the areas.
    if parent.is_none_or(|parent| !parent.has(A::FIXED_TPM)) {
        check_keys(crypto, public, sensitive, blame)?;
    }
    match (&public.parameters, &public.unique, sensitive) {
        (Parameters::Rsa(p), Unique::Rsa(n), Some(sensitive)) => {
            let key = RsaKey::from_prime(n, p.exponent, &sensitive.value).map_err(|_| Fault::BINDING)?;
            // What this TPM made is known to be sound, and may never be used for a private operation.
            if parent.is_none_or(|parent| !parent.has(A::FIXED_TPM)) {
                key.crt(crypto.rsa).map_err(|_| Fault::BINDING)?;
            }
            Ok(Some(Arc::new(key)))
        }
        _ => Ok(None),
    }
}

/// What a new object hangs under.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Under<'a> {
    /// A hierarchy, as a primary object.
    Hierarchy(u32),
    /// A parent.
    Parent(&'a Object),
    /// Nothing, but for the use of a hierarchy's proof.
    External(u32),
}

/// The parts of an object that was created or checked.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) public: Public,
    pub(crate) sensitive: Option<Sensitive>,
    pub(crate) name: Name,
    pub(crate) rsa: Option<Arc<RsaKey>>,
}

impl Tpm<'_> {
    /// The Name of a public area; empty if it has no name algorithm.
    pub(crate) fn public_name(&self, public: &Public) -> Result<Name, Fault> {
        public_name(self.crypto, public)
    }

    /// The qualified Name that a child of `parent` (an object or a hierarchy) has.
    pub(crate) fn qualified_name_under(
        &self,
        parent: Under<'_>,
        hash: Option<crate::structures::HashAlg>,
        name: &Name,
    ) -> Result<Name, Fault> {
        match parent {
            Under::Hierarchy(handle) => qualified_name(self.crypto, &handle.to_be_bytes(), hash, name),
            Under::Parent(parent) if parent.public.name_alg.is_none() => qualified_name(self.crypto, &[], hash, name),
            Under::Parent(parent) => qualified_name(self.crypto, &parent.qualified_name, hash, name),
            Under::External(_) => Ok(*name),
        }
    }

    /// The loaded object of these parts (ObjectSetLoadedAttributes of Part 4).
    pub(crate) fn loaded(&self, parts: Parts, under: Under<'_>, seed_compat: u8) -> Result<Object, Fault> {
        let Parts { public, sensitive, name, rsa } = parts;
        let qualified_name = self.qualified_name_under(under, public.name_alg, &name)?;
        let (hierarchy, temporary, parent_clears, in_hierarchy) = match under {
            Under::Hierarchy(h) | Under::External(h) => (h, h == rh::NULL, false, h != rh::NULL),
            Under::Parent(parent) => (parent.hierarchy, parent.temporary, parent.st_clear, false),
        };
        let (st_clear, external) = (public.has(A::ST_CLEAR) || parent_clears, matches!(under, Under::External(_)));
        Ok(Object {
            public,
            sensitive,
            name,
            qualified_name,
            hierarchy,
            external,
            primary: in_hierarchy && !external,
            temporary: temporary || external && hierarchy == rh::NULL,
            st_clear,
            evict: None,
            seed_compat,
            rsa,
        })
    }
}
