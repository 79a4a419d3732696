//! Where the bytes of a journal live. One state of one kind per back end; each gives the same promises, which the
//! contract tests ask of all of them.

#[cfg(test)]
mod contract;
mod device;
mod folder;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use device::Device;
pub use folder::Folder;
pub use memory::{Memory, MemoryCell};
#[cfg(feature = "postgres")]
pub use postgres::Postgres;
#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;

use crate::error::StateError;
use crate::lease::Lease;

/// The longest order about a state.
pub const MAX_ORDER: usize = 3072;
/// More than any journal; bounds what is read into memory.
pub(crate) const MAX_JOURNAL: u64 = 256 * 1024 * 1024;

/// When a commit counts as durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// When the system took it: it survives the end of the process, not that of the host.
    None,
    /// When the disk has the data (`fdatasync`): it survives a power cut.
    #[default]
    Data,
    /// When the disk has the data and all metadata (`fsync`), of the folder too.
    Full,
}

/// A journal that was found, as it is best read.
#[derive(Debug)]
#[non_exhaustive]
pub enum Stored {
    /// It came whole, with the zeros behind its end.
    Whole(Vec<u8>),
    /// It has this length, with the zeros, and is read in parts by [`Backend::read_at`].
    Open(usize),
}

impl Stored {
    /// Bytes, with the zeros behind the end.
    pub const fn length(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Open(length) => *length,
        }
    }
}

/// Storage for one journal.
///
/// A fault leaves the bytes before `at`, and the journal before a replacement, as they were: in the store and for
/// [`Backend::read_at`]. Whether the refused bytes themselves will be there after a crash is open; the store above
/// replaces the journal before it writes again.
pub trait Backend: Send {
    /// The place, for messages.
    fn place(&self) -> String;

    /// Finds the journal, and reads only what has to be read at once; `None` if there is none. Later calls are about this
    /// one.
    fn open(&mut self) -> Result<Option<Stored>, StateError>;

    /// The same, and all of its bytes, with the zeros behind its end.
    fn read(&mut self) -> Result<Option<Vec<u8>>, StateError> {
        match self.open()? {
            Some(Stored::Whole(bytes)) => Ok(Some(bytes)),
            Some(Stored::Open(length)) => self.read_at(0, length).map(Some),
            None => Ok(None),
        }
    }

    /// Reads `length` bytes of the journal that was read or written last.
    fn read_at(&mut self, at: u64, length: usize) -> Result<Vec<u8>, StateError>;

    /// Writes behind the end of the journal. When this returns, the bytes survive what the durability says.
    fn append(&mut self, at: u64, bytes: &[u8]) -> Result<(), StateError>;

    /// Wipes bytes that an [`Backend::append`] that failed may have left, as well as it can.
    fn discard(&mut self, at: u64, length: usize);

    /// Puts `bytes`, and zeros behind them up to `area`, in the place of the journal; all or nothing, and durable.
    fn replace(&mut self, bytes: &[u8], area: u64) -> Result<(), StateError>;

    /// Removes the journal for good. Nothing there is fine.
    fn remove(&mut self) -> Result<(), StateError>;

    /// Removes the journal for good, and overwrites its bytes first where that is possible.
    fn erase(&mut self) -> Result<(), StateError> {
        self.remove()
    }

    /// The order that was left about this state, if one stands.
    fn order(&mut self) -> Result<Option<Vec<u8>>, StateError> {
        Ok(None)
    }

    /// Leaves an order of at most [`MAX_ORDER`] bytes, or takes it back; all or nothing, and durable.
    fn set_order(&mut self, order: Option<&[u8]>) -> Result<(), StateError> {
        let _ = order;
        Err(StateError::NotOpen { place: self.place(), what: "orders are not kept by this back end" })
    }

    /// The most bytes that a journal can have here.
    fn capacity(&self) -> u64 {
        MAX_JOURNAL
    }

    /// True if room should be written in advance. Else `area` is 0.
    fn reserves(&self) -> bool {
        true
    }

    /// Becomes the one writer, or says who is. Holding it already is fine. Gives back the note of the writer before.
    fn lock(&mut self) -> Result<Option<Lease>, StateError>;

    /// Leaves this note for others. From now on a write fails once a note with a newer epoch is there.
    fn claim(&mut self, lease: &Lease) -> Result<(), StateError>;

    /// Lets another one write.
    fn unlock(&mut self);

    /// True while this is the one writer, or where locking is switched off.
    fn is_locked(&self) -> bool;

    /// The note that is there, without the lock.
    fn lease(&mut self) -> Option<Lease>;

    /// What else shows that a state has been here although there is no journal.
    fn trace(&mut self) -> Option<String> {
        None
    }

    /// A state of another program in the same place, such as swtpm's, by its name.
    fn other(&mut self) -> Option<String> {
        None
    }
}

/// An order that is not too long.
fn order_of(order: Option<&[u8]>) -> Result<Option<Vec<u8>>, StateError> {
    match order {
        Some(order) if order.len() > MAX_ORDER => {
            Err(StateError::TooLarge { what: "an order", size: order.len(), most: MAX_ORDER })
        }
        order => Ok(order.map(<[u8]>::to_vec)),
    }
}
