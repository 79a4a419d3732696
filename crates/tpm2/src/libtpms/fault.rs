//! Why a state cannot be taken over, or given away.

use core::fmt;

/// Why bytes were not taken over as a state of libtpms. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportFault {
    /// The bytes end inside this structure.
    Truncated {
        /// The structure.
        part: &'static str,
    },
    /// Another structure than this one is there: the bytes are damaged or no state of libtpms.
    Magic {
        /// The structure that should be there.
        part: &'static str,
        /// What was found in place of its magic number.
        found: u32,
    },
    /// A newer libtpms wrote this structure and says that older ones cannot read it.
    Version {
        /// The structure.
        part: &'static str,
        /// The oldest version of the format that can be read as this one.
        needed: u16,
        /// The newest version that is known here.
        known: u16,
    },
    /// A field has a value that it cannot have.
    Value {
        /// The structure.
        part: &'static str,
        /// The field.
        field: &'static str,
    },
    /// The TPM that wrote the state was built with another value of a constant that the state depends on.
    Constant {
        /// Number of the constant in the list, from 0.
        number: usize,
        /// The value found.
        found: u32,
        /// The value needed.
        needed: u32,
    },
    /// The profile has a state format level above the newest that is known here.
    FormatLevel {
        /// The level of the state.
        found: u32,
        /// The newest that is known.
        known: u32,
    },
    /// A persistent or loaded object is not one that this engine can use.
    Object {
        /// Its handle.
        handle: u32,
    },
    /// The digest at the end of a volatile state is wrong: it is damaged.
    Digest,
    /// The volatile state is of another TPM than the permanent one.
    Mismatch,
    /// A running computation whose state is not in the bytes (libtpms does not save CMAC sequences).
    Sequence {
        /// Its handle.
        handle: u32,
    },
    /// The platform gave no entropy.
    Entropy,
}

impl fmt::Display for ImportFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { part } => write!(f, "the state ends inside {part}: it is not complete"),
            Self::Magic { part, found } => {
                write!(f, "no {part} where one should be (found {found:#010x}): not a state of libtpms, or damaged")
            }
            Self::Version { part, needed, known } => {
                write!(f, "{part} needs version {needed} of the format, known is {known}: written by a newer libtpms")
            }
            Self::Value { part, field } => write!(f, "{part}: the value of {field} is not possible"),
            Self::Constant { number, found, needed } => write!(
                f,
                "the libtpms that wrote the state was built otherwise: constant {number} is {found} instead of {needed}"
            ),
            Self::FormatLevel { found, known } => {
                write!(f, "the profile has StateFormatLevel {found}, known is {known}: made by a newer libtpms")
            }
            Self::Object { handle } => write!(f, "the object {handle:#010x} is of a kind that is not known"),
            Self::Digest => f.write_str("the digest of the volatile state is wrong: it is damaged"),
            Self::Mismatch => f.write_str("the volatile state does not belong to this permanent state"),
            Self::Sequence { handle } => {
                write!(f, "the state of the running sequence {handle:#010x} was not saved with it")
            }
            Self::Entropy => f.write_str("the platform gave no entropy"),
        }
    }
}

impl core::error::Error for ImportFault {}

/// Why a state cannot be given away in libtpms's format.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportFault {
    /// A list of commands has one that the profile of the state does not know.
    Command {
        /// The command code.
        code: u32,
    },
    /// An object has an algorithm or a key size that the profile of the state does not have.
    Object {
        /// Its handle.
        handle: u32,
    },
    /// TPM2_ReadOnlyControl is on, which libtpms does not know.
    ReadOnly,
    /// libtpms cannot save this running computation (CMAC).
    Sequence {
        /// Its handle.
        handle: u32,
    },
    /// A `_TPM_Hash` sequence of the interface is running, which libtpms does not save.
    HashSequence,
    /// The context of a saved session is too old for the counters of the format.
    Context {
        /// Number of the session.
        number: usize,
    },
    /// A part is longer than its length field can say.
    Room,
}

impl fmt::Display for ExportFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command { code } => {
                write!(f, "a list of commands has {code:#x}, which the profile of this state does not know")
            }
            Self::Object { handle } => {
                write!(f, "the object {handle:#010x} has an algorithm that the profile of this state does not have")
            }
            Self::ReadOnly => f.write_str("TPM2_ReadOnlyControl is on, which libtpms does not know"),
            Self::Sequence { handle } => write!(f, "libtpms cannot save the running CMAC sequence {handle:#010x}"),
            Self::HashSequence => {
                f.write_str("a hash sequence of the interface is running, which libtpms does not save")
            }
            Self::Context { number } => write!(f, "the saved session {number} is too old for the format"),
            Self::Room => f.write_str("a part of the state is too long for the format"),
        }
    }
}

impl core::error::Error for ExportFault {}
