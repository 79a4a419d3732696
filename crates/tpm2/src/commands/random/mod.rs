//! Random number generator (Part 3, 16).

pub mod get_random;
pub mod stir_random;
