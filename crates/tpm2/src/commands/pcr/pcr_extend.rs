//! `TPM2_PCR_Extend` (Part 3, 22.2).

use crate::structures::{DhPcrOrNull, HASH_COUNT, HashValue, List};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Extends the banks of a PCR with digests.
#[derive(Command)]
#[command(code = 0x182, nv)]
#[doc(alias = "TPM2_PCR_Extend")]
pub struct PcrExtend {
    /// The PCR; NULL changes nothing.
    #[handle(auth = user)]
    pub pcr_handle: DhPcrOrNull,
    /// One digest for each bank.
    pub digests: List<HashValue, HASH_COUNT>,
}

impl Execute for PcrExtend {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let Some(pcr) = pcr_number(self.pcr_handle) else { return Ok(()) };
        if !tpm.pcr_extend_allowed(pcr) {
            return Err(Fault::LOCALITY);
        }
        if crate::pcr::attributes(pcr).save {
            tpm.clear_orderly();
        }
        for digest in self.digests.iter() {
            tpm.pcr_extend(pcr, digest.hash, digest.bytes());
        }
        Ok(())
    }
}

/// The number of a PCR handle; `None` for NULL.
pub(super) fn pcr_number(handle: DhPcrOrNull) -> Option<usize> {
    usize::try_from(handle.0).ok().filter(|pcr| *pcr < crate::structures::PCR_COUNT)
}
