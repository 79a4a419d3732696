//! `TPM2_GetTestResult` (Part 3, 10.4).

use crate::structures::MaxBuffer;
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// The result of the self-test; answered in failure mode too.
#[derive(Command)]
#[command(code = 0x17C, response = GetTestResultResponse)]
#[doc(alias = "TPM2_GetTestResult")]
pub struct GetTestResult {}

/// Answer of [`GetTestResult`].
#[derive(Response)]
pub struct GetTestResultResponse {
    /// Why the TPM failed.
    pub out_data: MaxBuffer,
    /// Success or TPM_RC_FAILURE.
    pub test_result: u32,
}

impl Execute for GetTestResult {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<GetTestResultResponse, Fault> {
        let failure = tpm.state.volatile.failure;
        let out_data =
            failure.map_or(MaxBuffer::EMPTY, |code| MaxBuffer::new(&code.to_be_bytes()).unwrap_or(MaxBuffer::EMPTY));
        Ok(GetTestResultResponse { out_data, test_result: failure.map_or(0, |_| Fault::FAILURE.code()) })
    }
}
