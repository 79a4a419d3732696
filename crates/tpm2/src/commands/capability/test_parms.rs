//! `TPM2_TestParms` (Part 3, 30.3).

use crate::structures::Parameters;
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Asks whether a combination of algorithm parameters is supported.
#[derive(Command)]
#[command(code = 0x18A)]
#[doc(alias = "TPM2_TestParms")]
pub struct TestParms {
    /// Type and parameters.
    pub parameters: Parameters,
}

impl Execute for TestParms {
    /// The parser refuses what is not supported.
    fn execute(self, _: &mut Tpm<'_>) -> Result<(), Fault> {
        Ok(())
    }
}
