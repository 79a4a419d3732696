//! `TPM2_HierarchyChangeAuth` (Part 3, 24.8).

use crate::structures::{Auth, RhHierarchyAuth, rh};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Sets the authorization value of a hierarchy or of lockout.
#[derive(Command)]
#[command(code = 0x129, nv)]
#[doc(alias = "TPM2_HierarchyChangeAuth")]
pub struct HierarchyChangeAuth {
    /// The hierarchy, or LOCKOUT.
    #[handle(auth = user)]
    pub auth_handle: RhHierarchyAuth,
    /// The new value.
    pub new_auth: Auth,
}

impl Execute for HierarchyChangeAuth {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let mut auth = self.new_auth;
        auth.trim_trailing_zeros();
        if auth.len() > crate::ticket::CONTEXT_HASH.size() {
            return Err(Fault::SIZE.at_parameter(1));
        }
        tpm.hierarchy_mut(self.auth_handle.0).auth = auth;
        if self.auth_handle.0 == rh::PLATFORM {
            tpm.clear_orderly();
        }
        Ok(())
    }
}
