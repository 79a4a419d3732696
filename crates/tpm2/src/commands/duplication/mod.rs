//! Duplication commands (Part 3, 13).

pub mod duplicate;
pub mod import;
pub mod rewrap;
