//! `TPM2_NV_ReadPublic2` (Part 3, 31.17 of revision 1.83).

use crate::structures::{Name, NvPublic2, RhNvIndex, Sized2b};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// Public area, with the kind of its handle, and Name of an NV Index.
#[derive(Command)]
#[command(code = 0x19E, response = NvReadPublic2Response)]
#[doc(alias = "TPM2_NV_ReadPublic2")]
pub struct NvReadPublic2 {
    /// The Index.
    #[handle]
    pub nv_index: RhNvIndex,
}

/// Answer of [`NvReadPublic2`].
#[derive(Response)]
pub struct NvReadPublic2Response {
    /// Public area.
    pub nv_public: Sized2b<NvPublic2>,
    /// Name.
    pub nv_name: Name,
}

impl Execute for NvReadPublic2 {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<NvReadPublic2Response, Fault> {
        let index = tpm.nv_index(self.nv_index.0)?;
        Ok(NvReadPublic2Response { nv_public: Sized2b(NvPublic2(index.public)), nv_name: index.name(tpm.crypto) })
    }
}
