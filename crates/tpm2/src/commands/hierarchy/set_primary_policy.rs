//! `TPM2_SetPrimaryPolicy` (Part 3, 24.3).

use crate::structures::{Digest, HashAlg, RhHierarchyAuth, rh};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Sets the policy of a hierarchy or of lockout.
#[derive(Command)]
#[command(code = 0x12E, nv)]
#[doc(alias = "TPM2_SetPrimaryPolicy")]
pub struct SetPrimaryPolicy {
    /// The hierarchy, or LOCKOUT.
    #[handle(auth = user)]
    pub auth_handle: RhHierarchyAuth,
    /// The policy, or empty.
    pub auth_policy: Digest,
    /// Its hash algorithm, or NULL.
    pub hash_alg: Option<HashAlg>,
}

impl Execute for SetPrimaryPolicy {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        if self.auth_policy.len() != self.hash_alg.map_or(0, HashAlg::size) {
            return Err(Fault::SIZE.at_parameter(1));
        }
        let hierarchy = tpm.hierarchy_mut(self.auth_handle.0);
        hierarchy.policy_alg = self.hash_alg;
        hierarchy.policy = self.auth_policy;
        if self.auth_handle.0 == rh::PLATFORM {
            tpm.clear_orderly();
        }
        Ok(())
    }
}
