//! `TPM2_ActivateCredential` (Part 3, 12.5).

use crate::object::secrets::IDENTITY;
use crate::structures::{DhObject, Digest, EncryptedSecret, IdObject, ObjectAttributes as A, ObjectType};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// Opens a credential that was made for an object and a key of this TPM.
#[derive(Command)]
#[command(code = 0x147, response = ActivateCredentialResponse)]
#[doc(alias = "TPM2_ActivateCredential")]
pub struct ActivateCredential {
    /// The object that the credential is for.
    #[handle(auth = admin)]
    pub activate_handle: DhObject,
    /// The key that the seed was encrypted for.
    #[handle(auth = user)]
    pub key_handle: DhObject,
    /// The credential.
    pub credential_blob: IdObject,
    /// The encrypted seed.
    pub secret: EncryptedSecret,
}

/// Answer of [`ActivateCredential`].
#[derive(Response)]
pub struct ActivateCredentialResponse {
    /// What was in the credential.
    pub cert_info: Digest,
}

impl Execute for ActivateCredential {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<ActivateCredentialResponse, Fault> {
        let key = tpm.object(self.key_handle.0).map_err(|_| Fault::TYPE.at_handle(2))?;
        let asymmetric = matches!(key.public.object_type(), ObjectType::Rsa | ObjectType::Ecc);
        if !asymmetric || !key.has(A::DECRYPT | A::RESTRICTED) {
            return Err(Fault::TYPE.at_handle(2));
        }
        let activated = tpm.object(self.activate_handle.0).map_err(|_| Fault::TYPE.at_handle(1))?;
        let seed = tpm.secret_decrypt(&key, &[], IDENTITY, &self.secret).map_err(|fault| fault.at_parameter(2))?;
        let cert_info = tpm
            .credential_to_secret(&self.credential_blob, &activated.name, &seed, &key)
            .map_err(|fault| fault.at_parameter(1))?;
        Ok(ActivateCredentialResponse { cert_info })
    }
}
