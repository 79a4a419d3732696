//! `TPM2_SetAlgorithmSet` (Part 3, 26.3).

use crate::structures::RhPlatform;
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Notes which vendor-defined set of algorithms is chosen.
#[derive(Command)]
#[command(code = 0x13F, nv)]
#[doc(alias = "TPM2_SetAlgorithmSet")]
pub struct SetAlgorithmSet {
    /// PLATFORM.
    #[handle(auth = user)]
    pub auth_handle: RhPlatform,
    /// The set.
    pub algorithm_set: u32,
}

impl Execute for SetAlgorithmSet {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        tpm.permanent_mut().algorithm_set = self.algorithm_set;
        Ok(())
    }
}
