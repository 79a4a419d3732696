//! What is remembered elsewhere about the newest generation, so that an older state is noticed.

#[cfg(any(test, feature = "testing"))]
pub mod contract;
mod file;

pub use file::FileAnchor;

use crate::error::{Mark, StateError};
use crate::identity::{Kind, VmId};
use core::time::Duration;

/// How often an anchor wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Of each generation, before its commit is acknowledged.
    Generation,
    /// Of the first generation of each writer, of the last one when the writer ends in order, and between them of one after
    /// each such time, if there is one. For memories that are slow, or wear out.
    Writer(Option<Duration>),
}

/// Remembers the newest generation of states, apart from the states themselves: in a file on another disk, in the host's
/// TPM, on a server.
pub trait Anchor: Send {
    /// Who it is, for messages.
    fn name(&self) -> String;

    /// The newest generation it was told of.
    fn read(&mut self, vm: &VmId, kind: Kind) -> Result<Option<Mark>, StateError>;

    /// Remembers a newer generation. When this returns, it stays remembered.
    fn advance(&mut self, vm: &VmId, kind: Kind, mark: Mark) -> Result<(), StateError>;

    /// Forgets a state that is gone for good. Knowing nothing of it is fine.
    fn forget(&mut self, vm: &VmId, kind: Kind) -> Result<(), StateError>;

    /// How often it wants to be told.
    fn pace(&self) -> Pace {
        Pace::Generation
    }

    /// True if a state that it knows nothing about is taken for one that it was not told of yet; else it is refused until
    /// somebody says that it is the right one.
    fn adopts(&self) -> bool {
        true
    }

    /// Opens what must be open before this process gives up the right to open things.
    fn prepare(&mut self) -> Result<(), StateError> {
        Ok(())
    }
}
