//! What is remembered elsewhere about the newest generation, so that an older state is noticed.

mod file;

pub use file::FileAnchor;

use crate::error::{Mark, StateError};
use crate::identity::{Kind, VmId};

/// Remembers the newest generation of states, apart from the states themselves: in a file on another disk, in a counter
/// of the host's TPM, on a server.
pub trait Anchor: Send {
    /// Who it is, for messages.
    fn name(&self) -> String;

    /// The newest generation it was told of.
    fn read(&mut self, vm: &VmId, kind: Kind) -> Result<Option<Mark>, StateError>;

    /// Remembers a newer generation. When this returns, it stays remembered.
    fn advance(&mut self, vm: &VmId, kind: Kind, mark: Mark) -> Result<(), StateError>;
}
