//! Capability commands (Part 3, 30).

pub(crate) mod test_parms;
