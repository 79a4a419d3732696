//! Integrity collection: PCR (Part 3, 22).

pub(crate) mod pcr_allocate;
pub(crate) mod pcr_event;
pub(crate) mod pcr_extend;
pub(crate) mod pcr_read;
pub(crate) mod pcr_reset;
pub(crate) mod pcr_set_auth_policy;
pub(crate) mod pcr_set_auth_value;
