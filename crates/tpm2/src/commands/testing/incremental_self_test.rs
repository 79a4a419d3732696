//! `TPM2_IncrementalSelfTest` (Part 3, 10.3).

use crate::structures::{Alg, List};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// Tests the named algorithms and says which are left to test.
#[derive(Command)]
#[command(code = 0x142, response = IncrementalSelfTestResponse, nv)]
#[doc(alias = "TPM2_IncrementalSelfTest")]
pub struct IncrementalSelfTest {
    /// Algorithms to test.
    pub to_test: List<Alg, 64>,
}

/// Answer of [`IncrementalSelfTest`].
#[derive(Response)]
pub struct IncrementalSelfTestResponse {
    /// What is left: nothing.
    pub to_do_list: List<Alg, 64>,
}

impl Execute for IncrementalSelfTest {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<IncrementalSelfTestResponse, Fault> {
        for alg in self.to_test.iter() {
            if !crate::commands::capability::is_implemented(*alg) {
                return Err(Fault::VALUE.at_parameter(1));
            }
        }
        tpm.self_test()?;
        Ok(IncrementalSelfTestResponse { to_do_list: List::new() })
    }
}
