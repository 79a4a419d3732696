//! Random number generator (Part 3, 16).

pub(crate) mod get_random;
