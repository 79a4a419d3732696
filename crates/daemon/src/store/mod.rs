//! Where state lives. The seam between the daemon and its storage: whole states by kind, one writer at a time.

mod directory;

pub(crate) use directory::Directory;

use crate::seal::Kind;
use core::fmt;

/// Why the store could not do what was asked.
#[derive(Debug)]
pub(crate) enum StoreFault {
    /// Another process holds the lock.
    Locked(String),
    /// The system refused; the text names the file.
    System(String),
}

impl fmt::Display for StoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Locked(text) | Self::System(text)) = self;
        f.write_str(text)
    }
}

/// Storage for the states of one TPM.
pub(crate) trait StateStore: Send {
    /// The stored bytes, or `None` if nothing of that kind is there.
    fn load(&self, kind: Kind) -> Result<Option<Vec<u8>>, StoreFault>;
    /// Stores `bytes` in the place of what was there, all or nothing. When this returns, they survive a crash.
    fn store(&mut self, kind: Kind, bytes: &[u8]) -> Result<(), StoreFault>;
    /// Removes what is there; nothing there is fine.
    fn delete(&mut self, kind: Kind) -> Result<(), StoreFault>;
    /// Becomes the one writer, or says who is. Holding it already is fine.
    fn lock(&mut self) -> Result<(), StoreFault>;
    /// Lets another process write.
    fn unlock(&mut self);
    /// True while this process is the one writer (or when locking is switched off).
    fn is_locked(&self) -> bool;
}
