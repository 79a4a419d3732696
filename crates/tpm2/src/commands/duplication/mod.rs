//! Duplication commands (Part 3, 13).

pub(crate) mod duplicate;
pub(crate) mod import;
pub(crate) mod rewrap;
