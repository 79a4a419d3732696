//! `TPM2_FlushContext` (Part 3, 28.4).

use crate::structures::{DhContext, HandleKind, kind, rh};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Removes a loaded object or sequence, or a loaded or saved session.
#[derive(Command)]
#[command(code = 0x165, no_sessions)]
#[doc(alias = "TPM2_FlushContext")]
pub struct FlushContext {
    /// What to remove; a parameter, so that a session need not be loaded.
    pub flush_handle: DhContext,
}

impl Execute for FlushContext {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let handle = self.flush_handle.0;
        if kind(handle) == HandleKind::Transient {
            if tpm.slot(handle).is_none() {
                return Err(Fault::HANDLE.at_parameter(1));
            }
            tpm.flush_slot(handle);
            return Ok(());
        }
        if !tpm.session_is_loaded(handle) && !tpm.session_is_saved(handle) {
            return Err(Fault::HANDLE.at_parameter(1));
        }
        if tpm.state.volatile.exclusive_audit == handle {
            tpm.state.volatile.exclusive_audit = rh::UNASSIGNED;
        }
        tpm.flush_session(handle);
        Ok(())
    }
}
