//! `TPM2_NV_Increment` (Part 3, 31.8).

use crate::structures::{NvAttributes, NvType, RhNvAuth, RhNvIndex};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Adds one to a counter Index.
#[derive(Command)]
#[command(code = 0x134, nv)]
#[doc(alias = "TPM2_NV_Increment")]
pub struct NvIncrement {
    /// Source of the authorization.
    #[handle(auth = user)]
    pub auth_handle: RhNvAuth,
    /// The Index.
    #[handle]
    pub nv_index: RhNvIndex,
}

impl Execute for NvIncrement {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let index = tpm.nv_index(self.nv_index.0)?;
        tpm.nv_write_access_check(self.auth_handle.0, self.nv_index.0, &index)?;
        if !index.is(NvType::Counter) {
            return Err(Fault::ATTRIBUTES.at_handle(2));
        }
        let first = !index.has(NvAttributes::WRITTEN);
        // A new counter starts above every value that any counter ever had.
        let value = if first { tpm.nv_max_counter() } else { index.value() }.wrapping_add(1);
        let mut next = (*index).clone();
        next.set_value(value);
        if first || crate::nv::orderly_counter_after_loss(value) == value || value & 0xFF == 0 {
            // The value in NV must stay so near that a loss of power cannot make the counter go back.
            tpm.nv_store_now(next);
        } else {
            tpm.nv_store(next);
        }
        Ok(())
    }
}
