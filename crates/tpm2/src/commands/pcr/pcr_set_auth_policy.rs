//! `TPM2_PCR_SetAuthPolicy` (Part 3, 22.6).

use crate::structures::{DhPcr, Digest, HashAlg, RhPlatform};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Sets the policy of a group of PCR.
#[derive(Command)]
#[command(code = 0x12C, nv)]
#[doc(alias = "TPM2_PCR_SetAuthPolicy")]
pub struct PcrSetAuthPolicy {
    /// PLATFORM.
    #[handle(auth = user)]
    pub auth_handle: RhPlatform,
    /// The policy, or empty.
    pub auth_policy: Digest,
    /// Its hash algorithm, or NULL.
    pub hash_alg: Option<HashAlg>,
    /// A PCR of the group.
    pub pcr_num: DhPcr,
}

impl Execute for PcrSetAuthPolicy {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        if self.auth_policy.len() != self.hash_alg.map_or(0, HashAlg::size) {
            return Err(Fault::SIZE.at_parameter(1));
        }
        if !usize::try_from(self.pcr_num.0).is_ok_and(crate::pcr::in_auth_group) {
            return Err(Fault::VALUE.at_parameter(3));
        }
        let permanent = tpm.permanent_mut();
        permanent.pcr_policy_alg = self.hash_alg;
        permanent.pcr_policy = self.auth_policy;
        Ok(())
    }
}
