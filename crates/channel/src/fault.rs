//! What can go wrong between a client and a daemon.

use crate::request::Command;
use std::io;

/// A failure of a channel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The address has a form that is not understood.
    #[error("{0}")]
    Address(String),
    /// Nobody answers there.
    #[error("cannot connect to {to}: {source}")]
    Connect {
        /// The address.
        to: String,
        /// The system's reason.
        source: io::Error,
    },
    /// Reading or writing failed, or no answer came in time.
    #[error("Could not execute {}: {source}", .command.name())]
    Channel {
        /// The command that was sent.
        command: Command,
        /// The system's reason.
        source: io::Error,
    },
    /// The daemon answered with another result than success.
    #[error("TPM result from {}: 0x{code:x}", .command.name())]
    Refused {
        /// The command that was sent.
        command: Command,
        /// The result; see [`crate::result`].
        code: u32,
    },
    /// The daemon answered what no daemon answers.
    #[error("{} was answered with bytes that make no sense", .0.name())]
    Nonsense(Command),
    /// The data channel failed.
    #[error("{0}")]
    Data(#[from] io::Error),
    /// A response that ends within its header.
    #[error("Returned packet is too short")]
    Short,
    /// A response whose size field is not its size.
    #[error("Malformed response")]
    Malformed,
}
