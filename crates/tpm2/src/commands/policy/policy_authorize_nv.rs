//! `TPM2_PolicyAuthorizeNV` (Part 3, 23.22).

use crate::structures::{HashValue, RhNvAuth, RhNvIndex, ShPolicy};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::{Fault, Reader, Wire};
use sealwright_derive::Command;

/// Replaces a policy that an Index holds by the policy of that Index.
#[derive(Command)]
#[command(code = 0x192)]
#[doc(alias = "TPM2_PolicyAuthorizeNV")]
pub struct PolicyAuthorizeNv {
    /// Who may read the Index.
    #[handle(auth = user)]
    pub auth_handle: RhNvAuth,
    /// The Index.
    #[handle]
    pub nv_index: RhNvIndex,
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
}

impl Execute for PolicyAuthorizeNv {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let (session, index) = (self.policy_session.0, self.nv_index.0);
        let (hash, policy) = tpm.policy(session)?;
        if !policy.trial {
            let found = tpm.nv_index(index)?;
            tpm.nv_read_access_check(self.auth_handle.0, index, &found)?;
            let approved = HashValue::read(&mut Reader::new(&found.data))?;
            if approved.hash != hash {
                return Err(Fault::HASH);
            }
            if approved.bytes() != policy.digest.as_slice() {
                return Err(Fault::VALUE);
            }
        }
        tpm.clear_policy_digest(session)?;
        let name = tpm.entity_name(index)?;
        tpm.update_policy(session, 0x192, &name, None, &[], 0)
    }
}
