//! Ephemeral elliptic-curve keys (Part 3, 19).

pub mod commit;
pub mod ec_ephemeral;
