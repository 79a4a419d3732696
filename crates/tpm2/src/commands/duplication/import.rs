//! `TPM2_Import` (Part 3, 13.3).

use crate::object::{
    load::{Blame, check_object},
    secrets::DUPLICATE,
};
use crate::structures::{
    Data, DhObject, EncryptedSecret, ObjectAttributes as A, ObjectType, Private, PublicWithName, Sized2b, SymCipher,
};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// Makes a duplicate into a child of a parent of this TPM.
#[derive(Command)]
#[command(code = 0x156, response = ImportResponse)]
#[doc(alias = "TPM2_Import")]
pub struct Import {
    /// The parent.
    #[handle(auth = user)]
    pub parent_handle: DhObject,
    /// Key of the inner wrap.
    pub encryption_key: Data,
    /// The public area.
    pub object_public: Sized2b<PublicWithName>,
    /// The duplicate.
    pub duplicate: Private,
    /// Seed of the outer wrap, encrypted; empty if there is none.
    pub in_sym_seed: EncryptedSecret,
    /// Algorithm of the inner wrap.
    pub symmetric_alg: Option<SymCipher>,
}

/// Answer of [`Import`].
#[derive(Response)]
pub struct ImportResponse {
    /// The sensitive area, for the parent only.
    pub out_private: Private,
}

impl Execute for Import {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<ImportResponse, Fault> {
        let public = self.object_public.0.0;
        if public.has(A::FIXED_TPM) || public.has(A::FIXED_PARENT) {
            return Err(Fault::ATTRIBUTES.at_parameter(2));
        }
        let parent = tpm.object(self.parent_handle.0).ok().filter(|parent| parent.is_parent());
        let parent = parent.ok_or(Fault::TYPE.at_handle(1))?;
        if self.encryption_key.len() != self.symmetric_alg.map_or(0, SymCipher::key_size) {
            return Err(Fault::SIZE.at_parameter(1));
        }
        let encrypted = public.has(A::ENCRYPTED_DUPLICATION);
        if encrypted && self.symmetric_alg.is_none() {
            return Err(Fault::ATTRIBUTES.at_parameter(1));
        }
        let seed = if self.in_sym_seed.is_empty() {
            if encrypted {
                return Err(Fault::ATTRIBUTES.at_parameter(4));
            }
            None
        } else {
            if parent.public.object_type() == ObjectType::SymCipher {
                return Err(Fault::TYPE.at_handle(1));
            }
            let seed = tpm.secret_decrypt(&parent, &[], DUPLICATE, &self.in_sym_seed);
            Some(seed.map_err(|fault| fault.at_parameter(4))?).filter(|seed| !seed.is_empty())
        };
        let name = tpm.public_name(&public)?;
        let name_alg = public.name_alg.ok_or(Fault::HASH.at_parameter(2))?;
        let sensitive = tpm
            .duplicate_to_sensitive(
                &self.duplicate,
                &name,
                name_alg,
                self.symmetric_alg.map(|symmetric| (symmetric, &*self.encryption_key)),
                seed.as_ref().map(|seed| (&*parent, seed.as_slice())),
            )
            .map_err(|fault| fault.at_parameter(3))?;
        // Under such a parent Load trusts the integrity value, so the areas are checked here.
        if parent.has(A::FIXED_TPM) {
            check_object(tpm.crypto, None, &public, Some(&sensitive), Blame { public: 2, sensitive: 3 })?;
        }
        let out_private = tpm.sensitive_to_private(&sensitive, &name, &parent, public.name_alg)?;
        Ok(ImportResponse { out_private })
    }
}
