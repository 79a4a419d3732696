//! `TPM2_StirRandom` (Part 3, 16.2).

use crate::structures::SensitiveData;
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Mixes data into the random number generator.
#[derive(Command)]
#[command(code = 0x146, nv)]
#[doc(alias = "TPM2_StirRandom")]
pub struct StirRandom {
    /// The data.
    pub in_data: SensitiveData,
}

impl Execute for StirRandom {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        tpm.state.drbg.reseed(&[&self.in_data]);
        Ok(())
    }
}
