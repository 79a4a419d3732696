//! Ephemeral elliptic-curve keys (Part 3, 19).

pub(crate) mod commit;
pub(crate) mod ec_ephemeral;
