//! Why a state of swtpm cannot be read or written.

use crate::key::EntropyFault;

/// Why a state of swtpm was refused, or could not be written. After any of these nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SwtpmError {
    /// There is none.
    #[error("there is no state of swtpm in {place}: {what} is missing; check the place")]
    Missing {
        /// Where.
        place: String,
        /// The file, or the part of it.
        what: &'static str,
    },
    /// A file without content.
    #[error(
        "{place} is empty, as swtpm's files are after a power cut; restore it from a backup (swtpm's own is beside it with the ending .bak, if it was told to keep one)"
    )]
    Empty {
        /// The file.
        place: String,
    },
    /// The bytes do not fit together.
    #[error("the state of swtpm is damaged or something else: {why}")]
    Damaged {
        /// What does not fit.
        why: String,
    },
    /// A newer swtpm wrote it.
    #[error("the state was written by a newer swtpm: it needs version {needed} of the format, and {known} is known")]
    Version {
        /// The least version that can read it.
        needed: u8,
        /// The newest known.
        known: u8,
    },
    /// It is encrypted, and there is no key.
    #[error("the state is encrypted ({what}), and no key was given for it; give the key (--key or --migration-key)")]
    KeyMissing {
        /// The layer.
        what: &'static str,
    },
    /// It is encrypted with another key.
    #[error("the state is encrypted ({what}) with another key than the one given, or is damaged; give the right key")]
    WrongKey {
        /// The layer.
        what: &'static str,
    },
    /// It is encrypted with a key of another size.
    #[error(
        "the state is encrypted ({what}) with a key of {needed} bits, and the one given has {given}; say the right mode"
    )]
    KeySize {
        /// The layer.
        what: &'static str,
        /// The size in its header.
        needed: usize,
        /// The size given.
        given: usize,
    },
    /// It is not encrypted, but a key was given.
    #[error(
        "a key was given but the state is not encrypted; a plain state is not trusted where an encrypted one is expected"
    )]
    NotEncrypted,
    /// A key is malformed.
    #[error("the key is not usable: {why}")]
    Key {
        /// Why.
        why: String,
    },
    /// Larger than swtpm reads.
    #[error("{what} has {size} bytes, and at most {most} are possible")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Its size.
        size: usize,
        /// The limit.
        most: usize,
    },
    /// Another process has it.
    #[error("the state in {place} is in use by another program (swtpm or vtpmd); end it first")]
    Locked {
        /// Where.
        place: String,
    },
    /// Input or output failed.
    #[error("{what} failed for {place}: {why}")]
    Io {
        /// The file.
        place: String,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        why: String,
    },
    /// No random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyFault),
}

impl SwtpmError {
    pub(super) fn damaged(why: impl Into<String>) -> Self {
        Self::Damaged { why: why.into() }
    }

    pub(super) fn io(place: &std::path::Path, what: &'static str, error: &std::io::Error) -> Self {
        Self::Io { place: place.display().to_string(), what, why: error.to_string() }
    }
}
