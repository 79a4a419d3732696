//! One generation of a state: what it is, without its content.

use crate::identity::{DataKeyId, Digest, Kind, VmId};

/// What the content of a record is. The number is that of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A whole state: what survives power-off.
    State = 1,
    /// What a running TPM holds besides; belongs to the state before it.
    Volatile = 2,
    /// Nothing: the volatile state before it is gone.
    NoVolatile = 3,
}

impl Content {
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Self::State, Self::Volatile, Self::NoVolatile].into_iter().find(|content| *content as u8 == number)
    }
}

/// One link of the chain. Everything that is snapshotted, exported or restored is one of these, never "the current state".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Whose it is.
    pub vm: VmId,
    /// What is kept.
    pub kind: Kind,
    /// What its content is.
    pub content: Content,
    /// Which writer made it: each that opens the state for writing counts one up.
    pub epoch: u64,
    /// Counts up along the chain. There may be gaps, after an accepted rollback.
    pub sequence: u64,
    /// When, in milliseconds since 1970, by the clock of the host that wrote it.
    pub time: u64,
    /// The digest of the generation before it, [`Digest::NONE`] for the first.
    pub parent: Digest,
    /// Its own digest.
    pub digest: Digest,
    /// The digest that it had before the data key was changed, else [`Digest::NONE`].
    pub was: Digest,
    /// The data key that seals it, [`DataKeyId::NONE`] if it is not sealed.
    pub key: DataKeyId,
    /// Bytes of the content, before sealing.
    pub size: u64,
    /// Why it was made, for all but an ordinary commit; at most 1024 bytes.
    pub reason: String,
}
