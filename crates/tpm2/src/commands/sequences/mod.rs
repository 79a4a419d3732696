//! Hash, HMAC and event sequences (Part 3, 17).

pub mod event_sequence_complete;
pub mod hash_sequence_start;
pub mod mac_start;
pub mod sequence_complete;
pub mod sequence_update;
