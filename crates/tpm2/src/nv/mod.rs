//! NV Indexes (Part 1, 34; Part 3, 31).

use crate::structures::{Auth, NvPublic};
use alloc::vec::Vec;

/// A defined Index.
#[derive(Clone, Debug)]
pub(crate) struct NvIndex {
    pub(crate) public: NvPublic,
    pub(crate) auth: Auth,
    /// As many bytes as the public area says; meaningless until WRITTEN.
    pub(crate) data: Vec<u8>,
}
