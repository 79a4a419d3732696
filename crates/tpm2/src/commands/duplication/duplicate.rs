//! `TPM2_Duplicate` (Part 3, 13.1).

use crate::object::secrets::DUPLICATE;
use crate::structures::{Data, DhObject, DhObjectOrNull, EncryptedSecret, ObjectAttributes, Private, SymCipher, rh};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// Makes a copy of an object for another parent.
#[derive(Command)]
#[command(code = 0x14B, response = DuplicateResponse)]
#[doc(alias = "TPM2_Duplicate")]
pub struct Duplicate {
    /// The object.
    #[handle(auth = dup)]
    pub object_handle: DhObject,
    /// The new parent, of which the public area is enough; NULL for no outer wrap.
    #[handle]
    pub new_parent_handle: DhObjectOrNull,
    /// Key of the inner wrap; the TPM makes one if it is empty.
    pub encryption_key_in: Data,
    /// Algorithm of the inner wrap.
    pub symmetric_alg: Option<SymCipher>,
}

/// Answer of [`Duplicate`].
#[derive(Response)]
pub struct DuplicateResponse {
    /// Key of the inner wrap, if the TPM made it.
    pub encryption_key_out: Data,
    /// The sensitive area.
    pub duplicate: Private,
    /// The seed of the outer wrap, encrypted for the new parent.
    pub out_sym_seed: EncryptedSecret,
}

impl Execute for Duplicate {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<DuplicateResponse, Fault> {
        let object = tpm.object(self.object_handle.0).map_err(|_| Fault::TYPE.at_handle(1))?;
        if object.has(ObjectAttributes::FIXED_PARENT) {
            return Err(Fault::ATTRIBUTES.at_handle(1));
        }
        let name_alg = object.public.name_alg.ok_or(Fault::TYPE.at_handle(1))?;
        let parent = match self.new_parent_handle.0 {
            rh::NULL => None,
            handle => Some(
                tpm.object(handle)
                    .ok()
                    .filter(|parent| parent.is_asymmetric_storage())
                    .ok_or(Fault::TYPE.at_handle(2))?,
            ),
        };
        if object.has(ObjectAttributes::ENCRYPTED_DUPLICATION) {
            if self.symmetric_alg.is_none() {
                return Err(Fault::SYMMETRIC.at_parameter(2));
            }
            if parent.is_none() {
                return Err(Fault::HIERARCHY.at_handle(2));
            }
        }
        let (mut key, mut key_out) = (self.encryption_key_in, Data::EMPTY);
        let key_size = self.symmetric_alg.map_or(0, SymCipher::key_size);
        if !key.is_empty() && key.len() != key_size {
            return Err(Fault::SIZE.at_parameter(1));
        }
        let (seed, out_sym_seed) = match &parent {
            Some(parent) => {
                let (seed, encrypted) = tpm.secret_encrypt(parent, DUPLICATE)?;
                (Some(seed), encrypted)
            }
            None => (None, EncryptedSecret::EMPTY),
        };
        if key.is_empty() {
            key = Data::from_slice(&tpm.random_bytes(key_size))?;
            key_out = key;
        }
        let duplicate = tpm.sensitive_to_duplicate(
            object.sensitive.as_ref().ok_or(Fault::AUTH_UNAVAILABLE)?,
            &object.name,
            name_alg,
            self.symmetric_alg.map(|symmetric| (symmetric, &*key)),
            parent.as_deref().zip(seed.as_ref().map(|seed| seed.as_slice())),
        )?;
        Ok(DuplicateResponse { encryption_key_out: key_out, duplicate, out_sym_seed })
    }
}
