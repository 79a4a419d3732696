//! The control channel: power, locality, state, and the data socket. Requests have no length field; the size of each
//! is known by its command.

mod handle;
mod request;

pub(crate) use handle::{Control, Outcome, answer_shutdown};
