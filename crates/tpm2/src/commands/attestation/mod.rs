//! Attestation (Part 3, 18).

pub(crate) mod certify_x509;
