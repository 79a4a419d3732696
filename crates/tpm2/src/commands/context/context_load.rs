//! `TPM2_ContextLoad` (Part 3, 28.3).

use super::protect;
use crate::libtpms::context as contents;
use crate::structures::{AnyHandle, Context, HandleKind, kind};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// What the handle of a saved sequence says.
const SEQUENCE: u32 = 0x8000_0001;

/// Takes back what TPM2_ContextSave gave out.
#[derive(Command)]
#[command(code = 0x161, response = ContextLoadResponse, no_sessions)]
#[doc(alias = "TPM2_ContextLoad")]
pub struct ContextLoad {
    /// The saved context.
    pub context: Context,
}

/// Answer of [`ContextLoad`].
#[derive(Response)]
pub struct ContextLoadResponse {
    /// The handle that it has now.
    #[handle]
    pub loaded_handle: AnyHandle,
}

impl Execute for ContextLoad {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<ContextLoadResponse, Fault> {
        let context = &self.context;
        let handle = context.saved_handle.0;
        let opened = protect::open(tpm, context)?;
        let plain = opened.plain();
        // The integrity is right, so only another version of the program can have made what does not parse.
        let refused = Fault::INTEGRITY.at_parameter(1);
        if kind(handle) == HandleKind::Transient {
            if !tpm.hierarchy_enabled(context.hierarchy.0) {
                return Err(Fault::HIERARCHY.at_parameter(1));
            }
            let slot = contents::slot_of(tpm.crypto, plain, handle == SEQUENCE).ok_or(refused)?;
            return Ok(ContextLoadResponse { loaded_handle: AnyHandle(tpm.insert_slot(slot)?) });
        }
        let session = contents::session_of(plain).ok_or(refused)?;
        if !tpm.session_sequence_is_valid(handle, context.sequence) {
            return Err(Fault::HANDLE.at_parameter(1));
        }
        tpm.reload_session(handle, session)?;
        Ok(ContextLoadResponse { loaded_handle: AnyHandle(handle) })
    }
}
