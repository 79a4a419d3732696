//! `TPM2_ClockRateAdjust` (Part 3, 29.3).

use crate::structures::{ClockAdjust, RhProvision};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Makes Clock and Time run faster or slower.
#[derive(Command)]
#[command(code = 0x130)]
#[doc(alias = "TPM2_ClockRateAdjust")]
pub struct ClockRateAdjust {
    /// OWNER or PLATFORM.
    #[handle(auth = user)]
    pub auth: RhProvision,
    /// Steps: coarse, medium or fine, slower or faster.
    pub rate_adjust: ClockAdjust,
}

impl Execute for ClockRateAdjust {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let step = match self.rate_adjust.0 {
            -3 => -10_000,
            -2 => -1_000,
            -1 => -33,
            1 => 33,
            2 => 1_000,
            3 => 10_000,
            _ => 0,
        };
        let rate = tpm.state.volatile.clock_rate.saturating_add(step);
        tpm.state.volatile.clock_rate = rate.clamp(-150_000, 150_000);
        Ok(())
    }
}
