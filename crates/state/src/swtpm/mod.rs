//! swtpm's own state: its envelope, its folder and its linear file, read and written, plain and encrypted.
//!
//! What is inside the envelope is libtpms's, which the engine reads and writes. The envelope's header is not
//! authenticated and nothing in it tells an older state from the newest: that is swtpm's format, and the reason why this
//! crate has one of its own.

mod cipher;
mod envelope;
mod error;
mod folder;
mod key;
mod linear;
mod migration;
#[cfg(test)]
mod tests;
mod tlv;

pub use envelope::{Protection, open, protection, seal};
pub use error::SwtpmError;
pub use folder::Folder;
pub use key::{Kdf, KeySize, SwtpmKey};
pub use linear::Linear;
pub use migration::{unwrap as unwrap_migration, wrap as wrap_migration};

/// Which of a TPM's states a file or a blob has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Everything that survives power-off.
    Permanent,
    /// A running TPM.
    Volatile,
    /// What TPM 1.2 keeps over a suspend; TPM 2.0 has it in the permanent state.
    Save,
}

impl Part {
    /// All, in the order of the linear file.
    pub const ALL: [Self; 3] = [Self::Permanent, Self::Volatile, Self::Save];

    /// The end of the name of its file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Permanent => "permall",
            Self::Volatile => "volatilestate",
            Self::Save => "savestate",
        }
    }
}

/// The largest blob that swtpm takes (SET_STATEBLOB), and so the largest that is read here.
pub const MAX_BLOB: usize = 512 * 1024;
