//! Hierarchy commands (Part 3, 24).

pub mod change_eps;
pub mod change_pps;
pub mod clear;
pub mod clear_control;
pub mod create_primary;
pub mod hierarchy_change_auth;
pub mod hierarchy_control;
pub mod read_only_control;
pub mod set_primary_policy;
