//! `TPM2_CreateLoaded` (Part 3, 12.9).

use crate::object::{
    Object, Slot,
    attributes::{check_public, check_template},
    creation::{Source, create, level_of},
    load::{Parts, Under},
    protect::adjust_auth,
};
use crate::profile::attribute;
use crate::structures::{
    AnyHandle, Derive, DhParent, HandleKind, HashAlg, KeyedHashScheme, Name, ObjectAttributes, ObjectType, Parameters,
    Private, Public, PublicWithName, SensitiveCreate, Sized2b, Template, kind,
};
use crate::table::Execute;
use crate::tpm::Tpm;
use alloc::sync::Arc;
use sealwright_core::wire::Accept;
use sealwright_core::{Fault, Reader, Secret, Wire};
use sealwright_crypto::kdf::KdfaRandom;
use sealwright_derive::{Command, Response};

/// Makes an object and loads it: a primary object in a hierarchy, an ordinary one under a storage parent, or a derived
/// one under a derivation parent.
#[derive(Command)]
#[command(code = 0x191, response = CreateLoadedResponse)]
#[doc(alias = "TPM2_CreateLoaded")]
pub struct CreateLoaded {
    /// The parent.
    #[handle(auth = user)]
    pub parent_handle: DhParent,
    /// Authorization value, and data to seal, a key, or label and context of a derivation.
    pub in_sensitive: Sized2b<SensitiveCreate>,
    /// Template, for a derivation with label and context in the place of `unique`.
    pub in_public: Template,
}

/// Answer of [`CreateLoaded`].
#[derive(Response)]
pub struct CreateLoadedResponse {
    /// Handle of the new object.
    #[handle]
    pub object_handle: AnyHandle,
    /// The sensitive area, for a storage parent only; else empty.
    pub out_private: Private,
    /// The public area.
    pub out_public: Sized2b<Public>,
    /// Its Name.
    pub name: Name,
}

fn read_template(tpm: &Tpm<'_>, template: &Template, derivation: bool) -> Result<(Public, Derive), Fault> {
    let limits = tpm.limits();
    let mut r = Reader::new(template).accepting(limits.as_deref().map(|limits| limits as &dyn Accept));
    let read = if derivation {
        let mut ahead = r;
        ObjectType::read(&mut ahead)?;
        HashAlg::read(&mut ahead)?;
        Public::read_derivation(&mut r)?
    } else {
        (PublicWithName::read(&mut r)?.0, Derive::default())
    };
    if r.is_empty() { Ok(read) } else { Err(Fault::SIZE) }
}

/// Derives an object from the secret value of `parent`; the result depends on nothing else but label and context.
fn derive(
    tpm: &mut Tpm<'_>,
    parent: &Object,
    template: &Public,
    mut labels: Derive,
    mut sensitive: SensitiveCreate,
) -> Result<Parts, Fault> {
    let Parameters::KeyedHash(KeyedHashScheme::Xor(hash, _)) = parent.public.parameters else {
        return Err(Fault::TYPE.at_handle(1));
    };
    let no_ecc = tpm.has_attribute(attribute::NO_ECC_KEY_DERIVATION);
    if template.object_type() == ObjectType::Rsa || template.object_type() == ObjectType::Ecc && no_ecc {
        return Err(Fault::TYPE.at_parameter(2));
    }
    if template.has(ObjectAttributes::SENSITIVE_DATA_ORIGIN) {
        return Err(Fault::ATTRIBUTES);
    }
    check_public(Some(parent), template).map_err(|fault| fault.at_parameter(2))?;
    if !sensitive.data.is_empty() {
        let given = Derive::read(&mut Reader::new(&sensitive.data))?;
        if labels.label.is_empty() {
            labels.label = given.label;
        }
        if labels.context.is_empty() {
            labels.context = given.context;
        }
    }
    let seed = &parent.sensitive.as_ref().ok_or(Fault::TYPE)?.value;
    let limit = KdfaRandom::MAX_DERIVATION_BITS;
    let stream = KdfaRandom::new(tpm.crypto, hash, seed, &labels.label, &labels.context, limit);
    sensitive.data = Secret::default();
    let platform = &mut *tpm.platform;
    let level = level_of(parent.seed_compat);
    create(tpm.crypto, template, &sensitive, Source::Derived(stream), level, &mut || platform.cancelled())
}

impl Execute for CreateLoaded {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<CreateLoadedResponse, Fault> {
        let handle = self.parent_handle.0;
        let parent = match kind(handle) {
            HandleKind::Permanent => None,
            _ => Some(tpm.object(handle).map_err(|_| Fault::TYPE.at_handle(1))?),
        };
        let derivation = parent.as_ref().is_some_and(|parent| parent.is_derivation_parent());
        if parent.as_ref().is_some_and(|parent| !parent.is_parent() && !derivation) {
            return Err(Fault::TYPE.at_handle(1));
        }
        tpm.check_free_slot()?;
        let (template, labels) =
            read_template(tpm, &self.in_public, derivation).map_err(|fault| fault.at_parameter(2))?;
        let mut sensitive = self.in_sensitive.0;
        if !adjust_auth(&mut sensitive.user_auth, template.name_alg) {
            return Err(Fault::SIZE.at_parameter(1));
        }
        let mut out_private = Private::EMPTY;
        let (parts, compat) = match &parent {
            Some(parent) if derivation => (derive(tpm, parent, &template, labels, sensitive)?, parent.seed_compat),
            parent => {
                let parent = parent.as_deref();
                check_template(parent, &template, sensitive.data.len()).map_err(|fault| fault.at_parameter(2))?;
                match parent {
                    None => tpm.create_primary(handle, &template, &sensitive)?,
                    Some(parent) => {
                        let new = tpm.create_ordinary(&template, &sensitive)?;
                        let secret = new.sensitive.as_ref().ok_or(Fault::FAILURE)?;
                        out_private = tpm.sensitive_to_private(secret, &new.name, parent, template.name_alg)?;
                        (new, level_of(u8::MAX).number())
                    }
                }
            }
        };
        let (out_public, name) = (Sized2b(parts.public), parts.name);
        let under = parent.as_deref().map_or(Under::Hierarchy(handle), Under::Parent);
        let object = tpm.loaded(parts, under, compat)?;
        let handle = tpm.insert_slot(Slot::Object(Arc::new(object)))?;
        Ok(CreateLoadedResponse { object_handle: AnyHandle(handle), out_private, out_public, name })
    }
}
