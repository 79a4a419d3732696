//! Session commands (Part 3, 11).

pub(crate) mod policy_restart;
pub(crate) mod start_auth_session;
