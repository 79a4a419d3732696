//! `TPM2_ClockSet` (Part 3, 29.2).

use crate::structures::RhProvision;
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Advances Clock.
#[derive(Command)]
#[command(code = 0x128, nv)]
#[doc(alias = "TPM2_ClockSet")]
pub struct ClockSet {
    /// OWNER or PLATFORM.
    #[handle(auth = user)]
    pub auth: RhProvision,
    /// The new value in milliseconds.
    pub new_time: u64,
}

impl Execute for ClockSet {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        if self.new_time > 0xFFFF_0000_0000_0000 || self.new_time < tpm.state.volatile.clock {
            return Err(Fault::VALUE.at_parameter(1));
        }
        tpm.state.volatile.clock = self.new_time;
        let permanent = tpm.permanent_mut();
        permanent.clock = self.new_time;
        permanent.clock_safe = true;
        Ok(())
    }
}
