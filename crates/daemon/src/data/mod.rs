//! The data channel: TPM commands in, responses out.

mod frame;
mod serve;

pub(crate) use serve::{Origin, start_acceptor, start_client};
