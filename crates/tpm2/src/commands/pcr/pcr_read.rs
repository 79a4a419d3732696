//! `TPM2_PCR_Read` (Part 3, 22.4).

use crate::structures::{Digest, MAX_DIGEST_LIST, PcrSelections};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::{Buffer, Fault, List};
use sealwright_derive::{Command, Response};

/// Values of the selected PCR, at most eight.
#[derive(Command)]
#[command(code = 0x17E, response = PcrReadResponse)]
#[doc(alias = "TPM2_PCR_Read")]
pub struct PcrRead {
    /// What to read.
    pub pcr_selection_in: PcrSelections,
}

/// Answer of [`PcrRead`].
#[derive(Response)]
pub struct PcrReadResponse {
    /// pcrUpdateCounter.
    pub pcr_update_counter: u32,
    /// The PCR that are in the answer.
    pub pcr_selection_out: PcrSelections,
    /// Their values.
    pub pcr_values: List<Digest, MAX_DIGEST_LIST>,
}

impl Execute for PcrRead {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<PcrReadResponse, Fault> {
        let mut selection = self.pcr_selection_in;
        tpm.pcr_filter(&mut selection);
        let mut values = List::new();
        for bank in selection.as_mut_slice() {
            for pcr in bank.iter() {
                // The list is full: the answer says which PCR are in it.
                if !values.try_push(Buffer::from_slice(tpm.state.pcrs.value(bank.hash, pcr))?) {
                    bank.set(pcr, false);
                }
            }
        }
        Ok(PcrReadResponse {
            pcr_update_counter: tpm.state.reset.pcr_counter,
            pcr_selection_out: selection,
            pcr_values: values,
        })
    }
}
