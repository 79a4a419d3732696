//! `TPM2_NV_DefineSpace2` (Part 3, 31.16 of revision 1.83).

use crate::structures::{Auth, NvPublic2, RhProvision, Sized2b};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Defines an NV Index by a public area that says which kind of handle it has. There is no external NV here.
#[derive(Command)]
#[command(code = 0x19D, nv)]
#[doc(alias = "TPM2_NV_DefineSpace2")]
pub struct NvDefineSpace2 {
    /// OWNER or PLATFORM.
    #[handle(auth = user)]
    pub auth_handle: RhProvision,
    /// Authorization value of the Index.
    pub auth: Auth,
    /// Its public area.
    pub public_info: Sized2b<NvPublic2>,
}

impl Execute for NvDefineSpace2 {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        super::nv_define_space::define(tpm, self.auth_handle, self.auth, self.public_info.0.0)
    }
}
