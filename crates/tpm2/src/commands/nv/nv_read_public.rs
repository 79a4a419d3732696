//! `TPM2_NV_ReadPublic` (Part 3, 31.6).

use crate::structures::{Name, NvPublic, RhNvIndex, Sized2b};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// Public area and Name of an NV Index.
#[derive(Command)]
#[command(code = 0x169, response = NvReadPublicResponse)]
#[doc(alias = "TPM2_NV_ReadPublic")]
pub struct NvReadPublic {
    /// The Index.
    #[handle]
    pub nv_index: RhNvIndex,
}

/// Answer of [`NvReadPublic`].
#[derive(Response)]
pub struct NvReadPublicResponse {
    /// Public area.
    pub nv_public: Sized2b<NvPublic>,
    /// Name.
    pub nv_name: Name,
}

impl Execute for NvReadPublic {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<NvReadPublicResponse, Fault> {
        let index = tpm.nv_index(self.nv_index.0)?;
        Ok(NvReadPublicResponse { nv_public: Sized2b(index.public), nv_name: index.name(tpm.crypto) })
    }
}
