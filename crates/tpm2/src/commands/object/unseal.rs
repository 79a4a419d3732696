//! `TPM2_Unseal` (Part 3, 12.7).

use crate::structures::{DhObject, ObjectAttributes as A, ObjectType, SensitiveData};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// Returns the data of a sealed data object.
#[derive(Command)]
#[command(code = 0x15E, response = UnsealResponse)]
#[doc(alias = "TPM2_Unseal")]
pub struct Unseal {
    /// The object.
    #[handle(auth = user)]
    pub item_handle: DhObject,
}

/// Answer of [`Unseal`].
#[derive(Response)]
pub struct UnsealResponse {
    /// The data.
    pub out_data: SensitiveData,
}

impl Execute for Unseal {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<UnsealResponse, Fault> {
        let item = tpm.object(self.item_handle.0).map_err(|_| Fault::TYPE.at_handle(1))?;
        if item.public.object_type() != ObjectType::KeyedHash {
            return Err(Fault::TYPE.at_handle(1));
        }
        if [A::DECRYPT, A::SIGN, A::RESTRICTED].into_iter().any(|a| item.has(a)) {
            return Err(Fault::ATTRIBUTES.at_handle(1));
        }
        let sensitive = item.sensitive.as_ref().ok_or(Fault::AUTH_UNAVAILABLE)?;
        Ok(UnsealResponse { out_data: SensitiveData::from_slice(&sensitive.value)? })
    }
}
