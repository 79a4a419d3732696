//! `TPM2_NV_GlobalWriteLock` (Part 3, 31.12).

use crate::structures::{NvAttributes, RhProvision};
use crate::table::Execute;
use crate::tpm::Tpm;
use alloc::vec::Vec;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Locks all NV Indexes that have GLOBALLOCK against writes.
#[derive(Command)]
#[command(code = 0x132, nv)]
#[doc(alias = "TPM2_NV_GlobalWriteLock")]
pub struct NvGlobalWriteLock {
    /// OWNER or PLATFORM.
    #[handle(auth = user)]
    pub auth_handle: RhProvision,
}

impl Execute for NvGlobalWriteLock {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let handles: Vec<u32> = tpm.state.permanent.nv.keys().collect();
        for handle in handles {
            let index = tpm.nv_index(handle)?;
            if index.has(NvAttributes::GLOBALLOCK) && !index.has(NvAttributes::WRITELOCKED) {
                let mut next = (*index).clone();
                next.set(NvAttributes::WRITELOCKED, true);
                tpm.nv_store(next);
            }
        }
        Ok(())
    }
}
