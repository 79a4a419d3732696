//! `TPM2_ContextSave` (Part 3, 28.2).

use super::protect;
use crate::libtpms::context as contents;
use crate::object::Slot;
use crate::structures::{Context, DhContext, DhSaved, HandleKind, RhHierarchy, kind, rh};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::{Buffer, Fault};
use sealwright_derive::{Command, Response};

/// What the handle of a saved object says, and of a saved sequence.
const OBJECT: u32 = 0x8000_0000;
const SEQUENCE: u32 = 0x8000_0001;

/// Gives out a loaded object, sequence or session, encrypted. A session then is not loaded any more.
#[derive(Command)]
#[command(code = 0x162, response = ContextSaveResponse, no_sessions)]
#[doc(alias = "TPM2_ContextSave")]
pub struct ContextSave {
    /// What to save.
    #[handle]
    pub save_handle: DhContext,
}

/// Answer of [`ContextSave`].
#[derive(Response)]
pub struct ContextSaveResponse {
    /// The saved context.
    pub context: Context,
}

impl Execute for ContextSave {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<ContextSaveResponse, Fault> {
        let handle = self.save_handle.0;
        let (sequence, saved_handle, hierarchy, plain) = if kind(handle) == HandleKind::Transient {
            let slot = tpm.slot(handle).ok_or(Fault::HANDLE)?;
            if let Slot::Object(object) = slot
                && let Some(key) = &object.rsa
            {
                // A context has all values of the key, as in libtpms.
                key.crt(tpm.crypto.rsa).map_err(|_| Fault::FAILURE)?;
            }
            let plain = contents::slot_bytes(&tpm.state.permanent.profile, slot);
            let (saved_handle, hierarchy) = match slot {
                Slot::Object(object) if object.st_clear => (protect::ST_CLEAR, object.hierarchy),
                Slot::Object(object) => (OBJECT, object.hierarchy),
                Slot::Sequence(_) => (SEQUENCE, rh::NULL),
            };
            let counter = &mut tpm.reset_mut().object_context_id;
            *counter = counter.checked_add(1).ok_or(Fault::TOO_MANY_CONTEXTS)?;
            (*counter, saved_handle, hierarchy, plain)
        } else {
            let (session, sequence) = tpm.unload_session(handle)?;
            (sequence, handle, rh::NULL, contents::session_bytes(&session))
        };
        let mut context = Context {
            sequence,
            saved_handle: DhSaved(saved_handle),
            hierarchy: RhHierarchy(hierarchy),
            context_blob: Buffer::EMPTY,
        };
        protect::seal(tpm, &mut context, &plain)?;
        Ok(ContextSaveResponse { context })
    }
}
