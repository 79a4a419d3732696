//! Hand-made scenarios. Each is a plain function over a TPM that was just powered on; both daemons run the same function.

mod framing;
mod startup;

use crate::tpm::Tpm;

/// Name and script.
pub type Scenario = (&'static str, fn(&mut Tpm));

/// All of them.
pub const ALL: &[Scenario] = &[
    ("startup-order", startup::order),
    ("startup-state", startup::state),
    ("startup-hash-sequence", startup::hash_sequence),
    ("capabilities", startup::capabilities),
    ("properties-of-algorithms", startup::test_parms),
    ("plain-commands", startup::plain_commands),
    ("framing", framing::framing),
    ("empty-bodies", framing::empty_bodies),
    ("any-handles", framing::any_handles),
];
