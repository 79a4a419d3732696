//! `TPM2_PCR_Allocate` (Part 3, 22.5).

use crate::structures::{HashAlg, PCR_COUNT, PcrSelections, RhPlatform};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// Sets which PCR each bank has, from the next `_TPM_Init` on.
#[derive(Command)]
#[command(code = 0x12B, response = PcrAllocateResponse, nv)]
#[doc(alias = "TPM2_PCR_Allocate")]
pub struct PcrAllocate {
    /// PLATFORM.
    #[handle(auth = user)]
    pub auth_handle: RhPlatform,
    /// The banks to change.
    pub pcr_allocation: PcrSelections,
}

/// Answer of [`PcrAllocate`].
#[derive(Response)]
pub struct PcrAllocateResponse {
    /// True if it was done.
    pub allocation_success: bool,
    /// PCR that a bank can have.
    pub max_pcr: u32,
    /// Bytes that the allocation takes.
    pub size_needed: u32,
    /// Bytes that there are.
    pub size_available: u32,
}

impl Execute for PcrAllocate {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<PcrAllocateResponse, Fault> {
        let next = tpm.pcr_reallocate(&self.pcr_allocation)?;
        let size = |hash: HashAlg, pcrs: usize| u32::try_from(hash.size().saturating_mul(pcrs)).unwrap_or(u32::MAX);
        let needed = next.iter().map(|s| size(s.hash, s.iter().count())).fold(0, u32::saturating_add);
        let available = HashAlg::ALL.iter().map(|h| size(*h, PCR_COUNT)).fold(0, u32::saturating_add);
        tpm.permanent_mut().pcr_next = Some(next);
        tpm.state.volatile.pcr_reconfigured = true;
        Ok(PcrAllocateResponse {
            allocation_success: true,
            max_pcr: PCR_COUNT as u32,
            size_needed: needed,
            size_available: available,
        })
    }
}
