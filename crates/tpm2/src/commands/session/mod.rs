//! Session commands (Part 3, 11).

pub mod policy_restart;
pub mod start_auth_session;
