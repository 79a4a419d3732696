//! `TPM2_ReadClock` (Part 3, 29.1).

use crate::structures::TimeInfo;
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// Time and Clock.
#[derive(Command)]
#[command(code = 0x181, response = ReadClockResponse)]
#[doc(alias = "TPM2_ReadClock")]
pub struct ReadClock {}

/// Answer of [`ReadClock`].
#[derive(Response)]
pub struct ReadClockResponse {
    /// Time and Clock.
    pub current_time: TimeInfo,
}

impl Execute for ReadClock {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<ReadClockResponse, Fault> {
        Ok(ReadClockResponse { current_time: tpm.time_info() })
    }
}
