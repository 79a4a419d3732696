//! Attestation (Part 3, 18).

pub mod certify;
pub mod certify_creation;
pub mod certify_x509;
pub mod get_command_audit_digest;
pub mod get_session_audit_digest;
pub mod get_time;
pub mod nv_certify;
pub mod quote;

use crate::structures::{AttestBuffer, Signature};
use sealwright_derive::Response;

/// Answer of all commands that make a TPMS_ATTEST.
#[derive(Response)]
pub struct Attestation {
    /// The structure that was signed.
    pub attest: AttestBuffer,
    /// The signature; NULL if no key was given.
    pub signature: Signature,
}

impl From<(AttestBuffer, Signature)> for Attestation {
    fn from((attest, signature): (AttestBuffer, Signature)) -> Self {
        Self { attest, signature }
    }
}
