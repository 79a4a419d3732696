//! `TPM2_GetTime` (Part 3, 18.7).

use super::Attestation;
use crate::structures::{Attested, Data, DhObjectOrNull, RhEndorsement, SigScheme};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Signs time, clock and counters, not obfuscated: hence the authorization of the endorsement hierarchy.
#[derive(Command)]
#[command(code = 0x14C, response = Attestation)]
#[doc(alias = "TPM2_GetTime")]
pub struct GetTime {
    /// The endorsement hierarchy.
    #[handle(auth = user)]
    pub privacy_admin: RhEndorsement,
    /// The signing key, or NULL.
    #[handle(auth = user)]
    pub sign: DhObjectOrNull,
    /// The caller's data.
    pub qualifying_data: Data,
    /// How to sign; NULL takes the scheme of the key.
    pub scheme: SigScheme,
}

impl Execute for GetTime {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<Attestation, Fault> {
        let signer = tpm.signer(self.sign, 2, self.scheme, 2)?;
        let attested = Attested::Time { time: tpm.time_info(), firmware_version: tpm.firmware_version() };
        tpm.attest(&signer, &self.qualifying_data, attested).map(Into::into)
    }
}
