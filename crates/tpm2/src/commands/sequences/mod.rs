//! Hash, HMAC and event sequences (Part 3, 17).

pub(crate) mod event_sequence_complete;
pub(crate) mod hash_sequence_start;
pub(crate) mod mac_start;
pub(crate) mod sequence_complete;
pub(crate) mod sequence_update;
