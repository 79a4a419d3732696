//! `TPM2_Certify` (Part 3, 18.2).

use super::Attestation;
use crate::signing::is_anonymous;
use crate::structures::{Attested, Data, DhObject, DhObjectOrNull, Name, SigScheme};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Proves that an object with a Name is loaded in this TPM.
#[derive(Command)]
#[command(code = 0x148, response = Attestation)]
#[doc(alias = "TPM2_Certify")]
pub struct Certify {
    /// What to certify.
    #[handle(auth = admin)]
    pub object: DhObject,
    /// The signing key, or NULL.
    #[handle(auth = user)]
    pub sign: DhObjectOrNull,
    /// The caller's data.
    pub qualifying_data: Data,
    /// How to sign; NULL takes the scheme of the key.
    pub scheme: SigScheme,
}

impl Execute for Certify {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<Attestation, Fault> {
        let signer = tpm.signer(self.sign, 2, self.scheme, 2)?;
        let object = tpm.object(self.object.0).map_err(|fault| fault.at_handle(1))?;
        // Two anonymous signatures must not be linked by the key that they certify.
        let qualified_name = if is_anonymous(signer.scheme) { Name::EMPTY } else { object.qualified_name };
        let attested = Attested::Certify { name: object.name, qualified_name };
        tpm.attest(&signer, &self.qualifying_data, attested).map(Into::into)
    }
}
