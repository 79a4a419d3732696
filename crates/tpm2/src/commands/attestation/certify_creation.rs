//! `TPM2_CertifyCreation` (Part 3, 18.3).

use super::Attestation;
use crate::structures::{Attested, CreationTicket, Data, DhObject, DhObjectOrNull, Digest, SigScheme};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;
use subtle::ConstantTimeEq as _;

/// Proves with which creation data this TPM made an object.
#[derive(Command)]
#[command(code = 0x14A, response = Attestation)]
#[doc(alias = "TPM2_CertifyCreation")]
pub struct CertifyCreation {
    /// The signing key, or NULL.
    #[handle(auth = user)]
    pub sign: DhObjectOrNull,
    /// The object.
    #[handle]
    pub object: DhObject,
    /// The caller's data.
    pub qualifying_data: Data,
    /// Hash of the creation data.
    pub creation_hash: Digest,
    /// How to sign; NULL takes the scheme of the key.
    pub scheme: SigScheme,
    /// The ticket that came with the object.
    pub creation_ticket: CreationTicket,
}

impl Execute for CertifyCreation {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<Attestation, Fault> {
        let signer = tpm.signer(self.sign, 1, self.scheme, 3)?;
        let object = tpm.object(self.object.0).map_err(|fault| fault.at_handle(2))?;
        let expected = tpm.creation_ticket(self.creation_ticket.hierarchy.0, &object.name, &self.creation_hash)?;
        if !bool::from(expected.digest.ct_eq(&self.creation_ticket.digest)) {
            return Err(Fault::TICKET.at_parameter(4));
        }
        let attested = Attested::Creation { object_name: object.name, creation_hash: self.creation_hash };
        tpm.attest(&signer, &self.qualifying_data, attested).map(Into::into)
    }
}
