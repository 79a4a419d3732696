//! Saved contexts (Part 2, 14).

use super::{DhSaved, MAX_CONTEXT, RhHierarchy};
use sealwright_core::Buffer;
use sealwright_derive::Wire;

/// TPMS_CONTEXT.
#[derive(Clone, Debug, Wire)]
pub struct Context {
    /// Sequence number.
    pub sequence: u64,
    /// What was saved: the handle of a session; of a transient object only its kind.
    pub saved_handle: DhSaved,
    /// Hierarchy whose proof protects the context.
    pub hierarchy: RhHierarchy,
    /// Integrity value and encrypted context.
    pub context_blob: Buffer<MAX_CONTEXT>,
}
