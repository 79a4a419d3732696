//! `TPM2_NV_Extend` (Part 3, 31.9).

use crate::structures::{NvAttributes, NvBuffer, NvType, RhNvAuth, RhNvIndex};
use crate::table::Execute;
use crate::tpm::Tpm;
use alloc::vec;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Extends an NV Index as a PCR is.
#[derive(Command)]
#[command(code = 0x136, nv)]
#[doc(alias = "TPM2_NV_Extend")]
pub struct NvExtend {
    /// Source of the authorization.
    #[handle(auth = user)]
    pub auth_handle: RhNvAuth,
    /// The Index.
    #[handle]
    pub nv_index: RhNvIndex,
    /// What to extend it with.
    pub data: NvBuffer,
}

impl Execute for NvExtend {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let index = tpm.nv_index(self.nv_index.0)?;
        tpm.nv_write_access_check(self.auth_handle.0, self.nv_index.0, &index)?;
        if !index.is(NvType::Extend) {
            return Err(Fault::ATTRIBUTES.at_handle(2));
        }
        let mut next = (*index).clone();
        if !next.has(NvAttributes::WRITTEN) {
            next.data = vec![0; next.public.name_alg.size()];
        }
        next.data = tpm.hash(next.public.name_alg, &[&next.data, &self.data]).to_vec();
        next.set(NvAttributes::WRITTEN, true);
        tpm.nv_store(next);
        Ok(())
    }
}
