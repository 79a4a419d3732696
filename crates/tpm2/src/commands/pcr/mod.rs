//! Integrity collection: PCR (Part 3, 22).

pub mod pcr_allocate;
pub mod pcr_event;
pub mod pcr_extend;
pub mod pcr_read;
pub mod pcr_reset;
pub mod pcr_set_auth_policy;
pub mod pcr_set_auth_value;
