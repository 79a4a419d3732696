//! `TPM2_Rewrap` (Part 3, 13.2).

use crate::object::{protect::OuterWrap, secrets::DUPLICATE};
use crate::structures::{DhObjectOrNull, EncryptedSecret, Name, Private, rh};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::{Buffer, Fault};
use sealwright_derive::{Command, Response};
use zeroize::Zeroizing;

/// Takes the outer wrap of a duplicate off, and puts another one on.
#[derive(Command)]
#[command(code = 0x152, response = RewrapResponse)]
#[doc(alias = "TPM2_Rewrap")]
pub struct Rewrap {
    /// Whose wrap it is; NULL if there is none.
    #[handle(auth = user)]
    pub old_parent: DhObjectOrNull,
    /// For whom to wrap it; NULL for nobody.
    #[handle]
    pub new_parent: DhObjectOrNull,
    /// The duplicate.
    pub in_duplicate: Private,
    /// Name of the object.
    pub name: Name,
    /// Seed of the old wrap, encrypted.
    pub in_sym_seed: EncryptedSecret,
}

/// Answer of [`Rewrap`].
#[derive(Response)]
pub struct RewrapResponse {
    /// The duplicate.
    pub out_duplicate: Private,
    /// Seed of the new wrap, encrypted.
    pub out_sym_seed: EncryptedSecret,
}

impl Execute for Rewrap {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<RewrapResponse, Fault> {
        if self.in_sym_seed.is_empty() != (self.old_parent.0 == rh::NULL) {
            return Err(Fault::HANDLE.at_handle(1));
        }
        let mut data = Zeroizing::new(self.in_duplicate.to_vec());
        if self.old_parent.0 != rh::NULL {
            let parent = tpm.object(self.old_parent.0).ok().filter(|parent| parent.is_asymmetric_storage());
            let parent = parent.ok_or(Fault::TYPE.at_handle(1))?;
            let seed = tpm
                .secret_decrypt(&parent, &[], DUPLICATE, &self.in_sym_seed)
                .map_err(|_| Fault::VALUE.at_parameter(3))?;
            data = OuterWrap::new(tpm.crypto, &parent, &seed, &self.name)
                .and_then(|wrap| wrap.unwrap(false, &data))
                .map_err(|fault| fault.at_parameter(1))?;
        }
        let mut out_sym_seed = EncryptedSecret::EMPTY;
        if self.new_parent.0 != rh::NULL {
            let parent = tpm.object(self.new_parent.0).ok().filter(|parent| parent.is_asymmetric_storage());
            let parent = parent.ok_or(Fault::TYPE.at_handle(2))?;
            let (seed, encrypted) = tpm.secret_encrypt(&parent, DUPLICATE)?;
            out_sym_seed = encrypted;
            data = OuterWrap::new(tpm.crypto, &parent, &seed, &self.name)?.wrap(None, &data)?;
        }
        let out_duplicate = Buffer::from_slice(&data).map_err(|_| Fault::VALUE.at_parameter(1))?;
        Ok(RewrapResponse { out_duplicate, out_sym_seed })
    }
}
