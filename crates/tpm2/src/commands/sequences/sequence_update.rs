//! `TPM2_SequenceUpdate` (Part 3, 17.5).

use crate::object::Slot;
use crate::structures::{DhObject, MaxBuffer};
use crate::table::Execute;
use crate::tpm::Tpm;
use alloc::sync::Arc;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Adds data to a sequence.
#[derive(Command)]
#[command(code = 0x15C, response = ())]
#[doc(alias = "TPM2_SequenceUpdate")]
pub struct SequenceUpdate {
    /// The sequence.
    #[handle(auth = user)]
    pub sequence: DhObject,
    /// Data.
    pub buffer: MaxBuffer,
}

impl Execute for SequenceUpdate {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        // The reference code, and so libtpms, counts the handle as a parameter here.
        let mut sequence = tpm.sequence(self.sequence.0).map_err(|fault| fault.at_parameter(1))?;
        Arc::make_mut(&mut sequence).kind.update(tpm.crypto, &self.buffer)?;
        tpm.replace_slot(self.sequence.0, Slot::Sequence(sequence));
        Ok(())
    }
}
