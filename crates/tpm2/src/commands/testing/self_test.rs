//! `TPM2_SelfTest` (Part 3, 10.2).

use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Tests the algorithms; a failure puts the TPM into failure mode.
#[derive(Command)]
#[command(code = 0x143, nv)]
#[doc(alias = "TPM2_SelfTest")]
pub struct SelfTest {
    /// All of them, or only those not tested yet.
    pub full_test: bool,
}

impl Execute for SelfTest {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let _ = self.full_test; // each test takes microseconds, so a full one is always made
        tpm.self_test()
    }
}
