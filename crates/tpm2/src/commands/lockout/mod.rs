//! Dictionary-attack functions (Part 3, 25).

pub mod dictionary_attack_lock_reset;
pub mod dictionary_attack_parameters;
