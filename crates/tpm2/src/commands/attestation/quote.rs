//! `TPM2_Quote` (Part 3, 18.4).

use super::Attestation;
use crate::structures::{Attested, Data, DhObjectOrNull, PcrSelections, SigScheme};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Signs the values of PCR.
#[derive(Command)]
#[command(code = 0x158, response = Attestation)]
#[doc(alias = "TPM2_Quote")]
pub struct Quote {
    /// The signing key; with NULL there is no hash for the PCR, so it is refused.
    #[handle(auth = user)]
    pub sign: DhObjectOrNull,
    /// The caller's data.
    pub qualifying_data: Data,
    /// How to sign; NULL takes the scheme of the key.
    pub scheme: SigScheme,
    /// The PCR.
    pub pcr_select: PcrSelections,
}

impl Execute for Quote {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<Attestation, Fault> {
        let signer = tpm.signer(self.sign, 1, self.scheme, 2)?;
        let hash = signer.hash().ok_or(Fault::SCHEME.at_parameter(2))?;
        let mut select = self.pcr_select;
        let digest = tpm.pcr_digest(hash, &mut select);
        tpm.attest(&signer, &self.qualifying_data, Attested::Quote { select, digest }).map(Into::into)
    }
}
