//! `TPM2_PolicyGetDigest` (Part 3, 23.19).

use crate::structures::{Digest, ShPolicy};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// The digest of a policy session.
#[derive(Command)]
#[command(code = 0x189, response = PolicyGetDigestResponse)]
#[doc(alias = "TPM2_PolicyGetDigest")]
pub struct PolicyGetDigest {
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
}

/// Answer of [`PolicyGetDigest`].
#[derive(Response)]
pub struct PolicyGetDigestResponse {
    /// policyDigest.
    pub policy_digest: Digest,
}

impl Execute for PolicyGetDigest {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<PolicyGetDigestResponse, Fault> {
        Ok(PolicyGetDigestResponse { policy_digest: tpm.policy(self.policy_session.0)?.1.digest })
    }
}
