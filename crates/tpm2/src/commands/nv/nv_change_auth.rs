//! `TPM2_NV_ChangeAuth` (Part 3, 31.15).

use crate::structures::{Auth, RhNvIndex};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Changes the authorization value of an NV Index.
#[derive(Command)]
#[command(code = 0x13B, nv)]
#[doc(alias = "TPM2_NV_ChangeAuth")]
pub struct NvChangeAuth {
    /// The Index.
    #[handle(auth = admin)]
    pub nv_index: RhNvIndex,
    /// The new value.
    pub new_auth: Auth,
}

impl Execute for NvChangeAuth {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let index = tpm.nv_index(self.nv_index.0)?;
        let mut auth = self.new_auth;
        auth.trim_trailing_zeros();
        if auth.len() > index.public.name_alg.size() {
            return Err(Fault::SIZE.at_parameter(1));
        }
        let mut next = (*index).clone();
        next.auth = auth;
        tpm.nv_store_now(next);
        Ok(())
    }
}
