//! Why a state cannot be read or written: each with its own name, what was expected, what was found, and what to do.

use crate::identity::{DataKeyId, Digest, Kind};
use crate::key::{EntropyFault, KeyError};

/// A point on the line of generations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The sequence number.
    pub sequence: u64,
    /// The generation's digest.
    pub digest: Digest,
    /// The epoch of its writer; 0 where that is not known.
    pub epoch: u64,
}

/// The first eight bytes of the digest tell generations apart well enough for people.
impl core::fmt::Display for Mark {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let short: String = self.digest.to_string().chars().take(16).collect();
        write!(f, "{} ({short})", self.sequence)
    }
}

/// Why a state was refused, or could not be written. After any of these nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// There is none.
    #[error("there is no {kind} state in {place}{}; {}", .trace.as_deref().map(|t| format!(", but {t}")).unwrap_or_default(), missing_advice(.trace))]
    Missing {
        /// Where.
        place: String,
        /// What was looked for.
        kind: Kind,
        /// What shows that there has been one.
        trace: Option<String>,
    },
    /// There is none, but another program's.
    #[error(
        "there is no {kind} state in {place}, but {other} holds the state of another program; a TPM is not replaced by a new one behind its owner's back: take the state over (vtpmd state convert), move it away, or ask for a new one (--create)"
    )]
    OtherState {
        /// Where.
        place: String,
        /// What was looked for.
        kind: Kind,
        /// The file of the other program.
        other: String,
    },
    /// A file is there with nothing in it.
    #[error(
        "the state in {place} is empty, as a file is that lost its content in a power cut; restore it from a backup, or remove it and ask for a new one (--create)"
    )]
    Empty {
        /// Where.
        place: String,
    },
    /// It ends before it should.
    #[error(
        "the state in {place} is cut off: {why}; it is an incomplete copy. Copy it again, or restore it from a backup"
    )]
    Torn {
        /// Where.
        place: String,
        /// What is missing.
        why: String,
    },
    /// It is something else, or of something else.
    #[error("{place} holds {found}, not {expected}; give the right place, or move what is there away")]
    Foreign {
        /// Where.
        place: String,
        /// What was looked for.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A newer version of this software wrote it.
    #[error(
        "the state in {place} has the format version {found}, and this program reads up to version {known}; run the newer program"
    )]
    Version {
        /// Where.
        place: String,
        /// Its version.
        found: u16,
        /// Ours.
        known: u16,
    },
    /// It is older than what is known to have been stored.
    #[error(
        "the state in {place} is older than the last one known: it is generation {found}, but {anchor} has recorded generation {expected}. Restore the newer state; to go on with this one all the same, accept the rollback and say why (--accept-rollback REASON)"
    )]
    RolledBack {
        /// Where.
        place: String,
        /// Who remembers.
        anchor: String,
        /// The newest there.
        found: Box<Mark>,
        /// The newest known.
        expected: Box<Mark>,
    },
    /// It is not the continuation of what is known to have been stored.
    #[error(
        "the state in {place} is not the one that {anchor} knows: its generation {found} should be {expected}; two copies of this state were run. Restore the right one; to go on with this one all the same, accept it and say why (--accept-rollback REASON)"
    )]
    Forked {
        /// Where.
        place: String,
        /// Who remembers.
        anchor: String,
        /// What is there with that number.
        found: Box<Mark>,
        /// What is known.
        expected: Box<Mark>,
    },
    /// What is remembered elsewhere says nothing about it.
    #[error(
        "the state in {place} cannot be held against {anchor}: {why}. If it is the right one, say so and why (--accept-rollback REASON)"
    )]
    Unanchored {
        /// Where.
        place: String,
        /// Who should remember it.
        anchor: String,
        /// What is not known.
        why: String,
    },
    /// What is remembered elsewhere cannot be read or written.
    #[error("{anchor} cannot be used: {why}")]
    Anchor {
        /// Which.
        anchor: String,
        /// What happened, and what to do.
        why: String,
    },
    /// An order stands that it must not be used.
    #[error("the state in {place} must not be used: {why}")]
    Ordered {
        /// Where.
        place: String,
        /// What the order says.
        why: String,
    },
    /// The key given is not the state's.
    #[error(
        "the state in {place} is encrypted with another key than the one given ({why}); give the key that it was made with"
    )]
    WrongKey {
        /// Where.
        place: String,
        /// What did not fit.
        why: String,
    },
    /// It was sealed with a new data key by somebody else, and that one cannot be had.
    #[error(
        "the data key of the state in {place} was changed from {before} to {now} by another program, and the new one cannot be opened: {why}. Start this program again, with the key manager or key that the state has now"
    )]
    KeyChanged {
        /// Where.
        place: String,
        /// The data key that is known here.
        before: DataKeyId,
        /// The one that the state has.
        now: DataKeyId,
        /// What kept it from being opened.
        why: Box<StateError>,
    },
    /// What was given is for another data key than the present one.
    #[error(
        "the state in {place} has the data key {found}, and what was given is for {expected}; its key was changed meanwhile: look at it again, and try again"
    )]
    OtherDataKey {
        /// Where.
        place: String,
        /// The data key that was meant.
        expected: DataKeyId,
        /// The data key that the state has; zeros if it is not sealed.
        found: DataKeyId,
    },
    /// It is sealed, and no key was given.
    #[error(
        "the state in {place} is encrypted by the key manager {manager}, and no key was given; give the key (--key)"
    )]
    KeyMissing {
        /// Where.
        place: String,
        /// Who wrapped the data key.
        manager: String,
    },
    /// A key was given, and it is not sealed.
    #[error(
        "a key was given but the state in {place} is not encrypted: a plain state is not trusted where an encrypted one is expected. Encrypt it first, or start without the key"
    )]
    NotSealed {
        /// Where.
        place: String,
    },
    /// Its bytes changed behind our back.
    #[error("the state in {place} is damaged: {why}; restore it from a backup or an older generation")]
    Damaged {
        /// Where.
        place: String,
        /// What does not fit.
        why: String,
    },
    /// Somebody else has it.
    #[error("the state in {place} is in use by {holder}; end that program, or wait until it lets go")]
    Locked {
        /// Where.
        place: String,
        /// Who.
        holder: String,
    },
    /// This writer is no longer the one.
    #[error(
        "the state in {place} was taken over: this program writes with epoch {mine}, and epoch {found} was found ({holder}); this program must not write any more"
    )]
    Fenced {
        /// Where.
        place: String,
        /// Ours.
        mine: u64,
        /// The newer one.
        found: u64,
        /// Who has it.
        holder: String,
    },
    /// It changed while the lock was released.
    #[error(
        "the state in {place} was changed by another program while this one had released it: generation {expected} was left, {found} is there; this program must not go on with its older content"
    )]
    Changed {
        /// Where.
        place: String,
        /// What was left.
        expected: Box<Mark>,
        /// What is there.
        found: Box<Mark>,
    },
    /// No room.
    #[error("there is no room for the state in {place}: {why}; make room, the next command tries again")]
    Full {
        /// Where.
        place: String,
        /// What the system said.
        why: String,
    },
    /// It may not be written.
    #[error("the state in {place} cannot be written: {why}; make it writable, the next command tries again")]
    ReadOnly {
        /// Where.
        place: String,
        /// What the system said.
        why: String,
    },
    /// Input or output failed.
    #[error("{what} failed for the state in {place}: {why}; see to the disk, the next command tries again")]
    Io {
        /// Where.
        place: String,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        why: String,
    },
    /// There is one where a new one was to be made.
    #[error("there is already a {kind} state in {place}; remove it first if a new one is wanted")]
    Exists {
        /// Where.
        place: String,
        /// Of what.
        kind: Kind,
    },
    /// The store was not opened, or not locked, before it was used.
    #[error("the state in {place} was not opened for this ({what})")]
    NotOpen {
        /// Where.
        place: String,
        /// What was tried.
        what: &'static str,
    },
    /// There is no such generation any more.
    #[error("there is no generation {sequence} in {place}: {kept} are kept")]
    NoGeneration {
        /// Where.
        place: String,
        /// What was asked for.
        sequence: u64,
        /// What there is, as `from to to`.
        kept: String,
    },
    /// It is larger than the format allows.
    #[error("{what} of {size} bytes is too large (at most {most})")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Its size.
        size: usize,
        /// The limit.
        most: usize,
    },
    /// A key manager did not do its part.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyFault),
}

fn missing_advice(trace: &Option<String>) -> &'static str {
    match trace {
        None => "check the place, or ask for a new one (--create)",
        Some(_) => {
            "a TPM is not replaced by a new one behind its owner's back: restore the state from a backup, or ask for a \
             new one (--create)"
        }
    }
}

impl StateError {
    /// The fault of a system call.
    pub(crate) fn io(place: &str, what: &'static str, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let (place, why) = (place.to_owned(), format!("{what}: {error}"));
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Self::Full { place, why },
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Self::ReadOnly { place, why },
            _ => Self::Io { place, what, why: error.to_string() },
        }
    }
}
