//! Miscellaneous management functions (Part 3, 26).

pub(crate) mod pp_commands;
pub(crate) mod set_algorithm_set;
