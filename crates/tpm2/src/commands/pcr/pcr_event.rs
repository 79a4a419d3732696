//! `TPM2_PCR_Event` (Part 3, 22.3).

use super::pcr_extend::pcr_number;
use crate::structures::{DhPcrOrNull, HASH_COUNT, HashAlg, HashValue, List, MaxBuffer};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// Hashes data with the algorithm of each bank and extends the PCR.
#[derive(Command)]
#[command(code = 0x13C, response = PcrEventResponse, nv)]
#[doc(alias = "TPM2_PCR_Event")]
pub struct PcrEvent {
    /// The PCR; NULL only hashes.
    #[handle(auth = user)]
    pub pcr_handle: DhPcrOrNull,
    /// The data.
    pub event_data: MaxBuffer,
}

/// Answer of [`PcrEvent`].
#[derive(Response)]
pub struct PcrEventResponse {
    /// The digests.
    pub digests: List<HashValue, HASH_COUNT>,
}

impl Execute for PcrEvent {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<PcrEventResponse, Fault> {
        let pcr = pcr_number(self.pcr_handle);
        if let Some(pcr) = pcr {
            if !tpm.pcr_extend_allowed(pcr) {
                return Err(Fault::LOCALITY);
            }
            if crate::pcr::attributes(pcr).save {
                tpm.clear_orderly();
            }
        }
        let mut digests = List::new();
        for hash in HashAlg::ALL {
            let digest = tpm.hash(hash, &[&self.event_data]);
            digests.push(HashValue::new(hash, &digest))?;
            if let Some(pcr) = pcr {
                tpm.pcr_extend(pcr, hash, &digest);
            }
        }
        Ok(PcrEventResponse { digests })
    }
}
