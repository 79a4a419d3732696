//! `TPM2_VerifySignature` (Part 3, 20.2).

use crate::structures::{DhObject, Digest, GivenSignature, ObjectAttributes, VerifiedTicket, rh};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// Checks a signature with a loaded key and gives a ticket for it.
#[derive(Command)]
#[command(code = 0x177, response = VerifySignatureResponse)]
#[doc(alias = "TPM2_VerifySignature")]
pub struct VerifySignature {
    /// The key; its public part is enough, save for HMAC.
    #[handle]
    pub key: DhObject,
    /// What was signed.
    pub digest: Digest,
    /// The signature.
    pub signature: GivenSignature,
}

/// Answer of [`VerifySignature`].
#[derive(Response)]
pub struct VerifySignatureResponse {
    /// Proof for PolicyAuthorize that the signature was good.
    pub validation: VerifiedTicket,
}

impl Execute for VerifySignature {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<VerifySignatureResponse, Fault> {
        let key = tpm.object(self.key.0).map_err(|_| Fault::ATTRIBUTES.at_handle(1))?;
        if !key.has(ObjectAttributes::SIGN) {
            return Err(Fault::ATTRIBUTES.at_handle(1));
        }
        tpm.verify_signature(self.key.0, &self.digest, &self.signature.0).map_err(|fault| fault.at_parameter(2))?;
        let validation = if key.hierarchy == rh::NULL || key.public.name_alg.is_none() {
            VerifiedTicket::null()
        } else {
            tpm.verified_ticket(key.hierarchy, &self.digest, &key.name)?
        };
        Ok(VerifySignatureResponse { validation })
    }
}
