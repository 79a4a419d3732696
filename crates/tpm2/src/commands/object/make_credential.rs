//! `TPM2_MakeCredential` (Part 3, 12.6).

use crate::object::secrets::IDENTITY;
use crate::structures::{
    DhObject, Digest, EncryptedSecret, HashAlg, IdObject, Name, ObjectAttributes as A, ObjectType,
};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// Makes a credential for an object of the TPM that has the private part of a key.
#[derive(Command)]
#[command(code = 0x168, response = MakeCredentialResponse)]
#[doc(alias = "TPM2_MakeCredential")]
pub struct MakeCredential {
    /// The key, of which the public area is enough.
    #[handle]
    pub handle: DhObject,
    /// What goes into the credential.
    pub credential: Digest,
    /// Name of the object.
    pub object_name: Name,
}

/// Answer of [`MakeCredential`].
#[derive(Response)]
pub struct MakeCredentialResponse {
    /// The credential.
    pub credential_blob: IdObject,
    /// The seed, encrypted for the key.
    pub secret: EncryptedSecret,
}

impl Execute for MakeCredential {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<MakeCredentialResponse, Fault> {
        let key = tpm.object(self.handle.0).map_err(|_| Fault::TYPE.at_handle(1))?;
        let asymmetric = matches!(key.public.object_type(), ObjectType::Rsa | ObjectType::Ecc);
        if !asymmetric || !key.has(A::DECRYPT | A::RESTRICTED) {
            return Err(Fault::TYPE.at_handle(1));
        }
        if self.credential.len() > key.public.name_alg.map_or(0, HashAlg::size) {
            return Err(Fault::SIZE.at_parameter(1));
        }
        let (seed, secret) = tpm.secret_encrypt(&key, IDENTITY)?;
        let credential_blob = tpm.secret_to_credential(&self.credential, &self.object_name, &seed, &key)?;
        Ok(MakeCredentialResponse { credential_blob, secret })
    }
}
