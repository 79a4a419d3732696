//! The management socket: what runs here, and new keys for its state while it runs.
//!
//! It is beside the control channel, which has room for one client, and that is the hypervisor. One JSON object a line
//! asks, one a line answers; `docs/reference/management.md` is its description. It never changes what the guest sees, and
//! a client that is slow, broken or hostile is dropped: the socket has a thread of its own, which waits for nobody.
//!
//! This process does not talk to key managers once it runs. Whoever asks for a new key does, and hands over the result, with
//! a proof that it could open the present data key: who can only reach the socket changes nothing.

pub(crate) mod client;
mod connection;
mod protocol;
mod serve;
mod service;
#[cfg(test)]
mod tests;

pub(crate) use protocol::{Change, Present};
pub(crate) use serve::start;
pub(crate) use service::Service;
