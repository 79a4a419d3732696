//! `TPM2_NV_WriteLock` (Part 3, 31.11).

use crate::structures::{NvAttributes, RhNvAuth, RhNvIndex};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Locks an NV Index against writes.
#[derive(Command)]
#[command(code = 0x138, nv)]
#[doc(alias = "TPM2_NV_WriteLock")]
pub struct NvWriteLock {
    /// Source of the authorization.
    #[handle(auth = user)]
    pub auth_handle: RhNvAuth,
    /// The Index.
    #[handle]
    pub nv_index: RhNvIndex,
}

impl Execute for NvWriteLock {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let index = tpm.nv_index(self.nv_index.0)?;
        match tpm.nv_write_access_check(self.auth_handle.0, self.nv_index.0, &index) {
            Err(Fault::NV_LOCKED) => return Ok(()),
            other => other?,
        }
        if !index.has(NvAttributes::WRITEDEFINE) && !index.has(NvAttributes::WRITE_STCLEAR) {
            return Err(Fault::ATTRIBUTES.at_handle(2));
        }
        let mut next = (*index).clone();
        next.set(NvAttributes::WRITELOCKED, true);
        tpm.nv_store(next);
        Ok(())
    }
}
