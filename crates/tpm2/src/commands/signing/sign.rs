//! `TPM2_Sign` (Part 3, 20.5).

use crate::signing::is_signing_key;
use crate::structures::{DhObject, Digest, HashcheckTicket, ObjectAttributes, SigScheme, Signature};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};
use subtle::ConstantTimeEq as _;

/// Signs a digest that the caller gives.
#[derive(Command)]
#[command(code = 0x15D, response = SignResponse)]
#[doc(alias = "TPM2_Sign")]
pub struct Sign {
    /// The key.
    #[handle(auth = user)]
    pub key: DhObject,
    /// What to sign.
    pub digest: Digest,
    /// How; NULL takes the scheme of the key.
    pub scheme: SigScheme,
    /// Proof that this TPM made the digest; a restricted key needs it.
    pub validation: HashcheckTicket,
}

/// Answer of [`Sign`].
#[derive(Response)]
pub struct SignResponse {
    /// The signature.
    pub signature: Signature,
}

impl Execute for Sign {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<SignResponse, Fault> {
        let key = tpm.object(self.key.0).map_err(|_| Fault::KEY.at_handle(1))?;
        if !is_signing_key(&key) {
            return Err(Fault::KEY.at_handle(1));
        }
        if key.has(ObjectAttributes::X509_SIGN) {
            return Err(Fault::ATTRIBUTES.at_handle(1));
        }
        let scheme = tpm.select_sign_scheme(&key, self.scheme).map_err(|fault| fault.at_parameter(2))?;
        let hash = scheme.hash().ok_or(Fault::SCHEME.at_parameter(2))?;
        if !self.validation.digest.is_empty() || key.has(ObjectAttributes::RESTRICTED) {
            let expected = tpm.hashcheck_ticket(self.validation.hierarchy.0, hash, &self.digest)?;
            if !bool::from(expected.digest.ct_eq(&self.validation.digest)) {
                return Err(Fault::TICKET.at_parameter(3));
            }
        } else if self.digest.len() != hash.size() {
            return Err(Fault::SIZE.at_parameter(1));
        }
        Ok(SignResponse { signature: tpm.sign(&key, scheme, &self.digest)? })
    }
}
