//! Miscellaneous management functions (Part 3, 26).

pub mod pp_commands;
pub mod set_algorithm_set;
