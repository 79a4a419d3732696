//! Capability commands (Part 3, 30).

mod algorithms;
pub mod get_capability;
mod handles;
mod pcr_properties;
mod properties;
pub mod test_parms;

pub(crate) use algorithms::is_implemented;
