//! `TPM2_NV_ReadLock` (Part 3, 31.14).

use crate::structures::{NvAttributes, RhNvAuth, RhNvIndex};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Locks an NV Index against reads until the next TPM Reset or Restart.
#[derive(Command)]
#[command(code = 0x14F, nv)]
#[doc(alias = "TPM2_NV_ReadLock")]
pub struct NvReadLock {
    /// Source of the authorization.
    #[handle(auth = user)]
    pub auth_handle: RhNvAuth,
    /// The Index.
    #[handle]
    pub nv_index: RhNvIndex,
}

impl Execute for NvReadLock {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let index = tpm.nv_index(self.nv_index.0)?;
        match tpm.nv_read_access_check(self.auth_handle.0, self.nv_index.0, &index) {
            Err(Fault::NV_LOCKED) => return Ok(()),
            Err(Fault::NV_UNINITIALIZED) | Ok(()) => {}
            Err(other) => return Err(other),
        }
        if !index.has(NvAttributes::READ_STCLEAR) {
            return Err(Fault::ATTRIBUTES.at_handle(2));
        }
        let mut next = (*index).clone();
        next.set(NvAttributes::READLOCKED, true);
        tpm.nv_store(next);
        Ok(())
    }
}
