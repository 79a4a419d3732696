//! `TPM2_PCR_SetAuthValue` (Part 3, 22.7).

use crate::structures::{Auth, DhPcr};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Sets the authorization value of a group of PCR.
#[derive(Command)]
#[command(code = 0x183)]
#[doc(alias = "TPM2_PCR_SetAuthValue")]
pub struct PcrSetAuthValue {
    /// A PCR of the group.
    #[handle(auth = user)]
    pub pcr_handle: DhPcr,
    /// The new value.
    pub auth: Auth,
}

impl Execute for PcrSetAuthValue {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        if !usize::try_from(self.pcr_handle.0).is_ok_and(crate::pcr::in_auth_group) {
            return Err(Fault::VALUE);
        }
        tpm.clear_orderly();
        let mut auth = self.auth;
        auth.trim_trailing_zeros();
        tpm.clear_mut().pcr_auth = auth;
        Ok(())
    }
}
