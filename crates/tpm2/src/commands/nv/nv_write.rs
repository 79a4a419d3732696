//! `TPM2_NV_Write` (Part 3, 31.7).

use crate::structures::{NvAttributes, NvBuffer, NvType, RhNvAuth, RhNvIndex};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Writes data into an NV Index at an offset.
#[derive(Command)]
#[command(code = 0x137, nv)]
#[doc(alias = "TPM2_NV_Write")]
pub struct NvWrite {
    /// Source of the authorization.
    #[handle(auth = user)]
    pub auth_handle: RhNvAuth,
    /// The Index.
    #[handle]
    pub nv_index: RhNvIndex,
    /// The data.
    pub data: NvBuffer,
    /// Where they go.
    pub offset: u16,
}

impl Execute for NvWrite {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let index = tpm.nv_index(self.nv_index.0)?;
        tpm.nv_write_access_check(self.auth_handle.0, self.nv_index.0, &index)?;
        if index.is(NvType::Counter) || index.is(NvType::Bits) || index.is(NvType::Extend) {
            return Err(Fault::ATTRIBUTES);
        }
        let (offset, size) = (usize::from(self.offset), usize::from(index.public.data_size));
        if offset > size {
            return Err(Fault::VALUE.at_parameter(2));
        }
        let end = offset.saturating_add(self.data.len());
        if end > size || (index.has(NvAttributes::WRITEALL) && self.data.len() < size) {
            return Err(Fault::NV_RANGE);
        }
        let mut next = (*index).clone();
        // The counts of a PIN Index stay what they were, wherever the first write begins.
        if !next.has(NvAttributes::WRITTEN) && next.is(NvType::Ordinary) {
            next.data = alloc::vec![crate::nv::erased(next.public.attributes); size];
        }
        next.data.get_mut(offset..end).ok_or(Fault::NV_RANGE)?.copy_from_slice(&self.data);
        let first = !next.has(NvAttributes::WRITTEN);
        if !first && next.data == index.data && next.public == index.public {
            return Ok(());
        }
        next.set(NvAttributes::WRITTEN, true);
        tpm.nv_store(next);
        Ok(())
    }
}
