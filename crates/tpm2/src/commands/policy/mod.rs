//! Policy commands (Part 3, 23).

mod authorization;
mod condition;
pub mod policy_auth_value;
pub mod policy_authorize;
pub mod policy_authorize_nv;
pub mod policy_capability;
pub mod policy_command_code;
pub mod policy_counter_timer;
pub mod policy_cp_hash;
pub mod policy_duplication_select;
pub mod policy_get_digest;
pub mod policy_locality;
pub mod policy_name_hash;
pub mod policy_nv;
pub mod policy_nv_written;
pub mod policy_or;
pub mod policy_parameters;
pub mod policy_password;
pub mod policy_pcr;
pub mod policy_physical_presence;
pub mod policy_secret;
pub mod policy_signed;
pub mod policy_template;
pub mod policy_ticket;
