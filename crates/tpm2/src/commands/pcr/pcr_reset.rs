//! `TPM2_PCR_Reset` (Part 3, 22.8).

use super::pcr_extend::pcr_number;
use crate::structures::{DhPcr, DhPcrOrNull};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Sets all banks of a PCR to zero.
#[derive(Command)]
#[command(code = 0x13D, nv)]
#[doc(alias = "TPM2_PCR_Reset")]
pub struct PcrReset {
    /// The PCR.
    #[handle(auth = user)]
    pub pcr_handle: DhPcr,
}

impl Execute for PcrReset {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let pcr = pcr_number(DhPcrOrNull(self.pcr_handle.0)).ok_or(Fault::VALUE.at_handle(1))?;
        if !tpm.pcr_reset_allowed(pcr) {
            return Err(Fault::LOCALITY);
        }
        if crate::pcr::attributes(pcr).save {
            tpm.clear_orderly();
        }
        tpm.pcr_set(pcr, 0, 0);
        tpm.pcr_changed(pcr);
        Ok(())
    }
}
