//! Dictionary-attack functions (Part 3, 25).

pub(crate) mod dictionary_attack_lock_reset;
pub(crate) mod dictionary_attack_parameters;
