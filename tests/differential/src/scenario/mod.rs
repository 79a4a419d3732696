//! Hand-made scenarios. Each is a plain function over a TPM that was just powered on; both daemons run the same function.

mod admin;
mod areas;
mod attest;
mod common;
mod framing;
mod keys;
mod nv;
mod objects;
mod pcr;
mod policy;
mod sessions;
mod startup;

pub use sessions::salt_for;

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
    ("codes", areas::codes),
    ("sizes", areas::sizes),
    ("present-handles", areas::present_handles),
    ("parameters-of-all-lengths", areas::parameters_of_all_lengths),
    ("authorizations", areas::authorizations),
    ("pcr", pcr::pcr),
    ("pcr-allocate", pcr::allocate),
    ("sequences", pcr::sequences),
    ("nv-define", nv::define_all),
    ("nv-kinds", nv::kinds),
    ("nv-locks", nv::locks),
    ("nv-space", nv::space),
    ("nv-room", nv::room),
    ("nv-pin", nv::pin),
    ("templates", objects::templates),
    ("rsa-keys", objects::rsa_keys),
    ("loading", objects::loading),
    ("external-keys", objects::external_keys),
    ("derivation", objects::derivation),
    ("rsa", keys::rsa),
    ("ecc", keys::ecc_keys),
    ("ciphers", keys::ciphers),
    ("keyed-hash", keys::keyed_hash_signatures),
    ("sessions", sessions::hmac),
    ("sessions-salted", sessions::salted),
    ("session-parameters", sessions::parameters),
    ("contexts", sessions::contexts),
    ("policy-commands", policy::commands),
    ("policy-use", policy::use_of_objects),
    ("policy-authorize", policy::authorize),
    ("attestation", attest::attestation),
    ("credentials", attest::credentials),
    ("duplication", attest::duplication),
    ("audits", attest::audits),
    ("hierarchies", admin::hierarchies),
    ("clear", admin::clear),
    ("dictionary-attack", admin::dictionary_attack),
    ("presence", admin::presence),
];
