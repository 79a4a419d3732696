//! `TPM2_EventSequenceComplete` (Part 3, 17.7).

use crate::object::SequenceKind;
use crate::structures::{DhObject, DhPcrOrNull, HASH_COUNT, HashValue, MaxBuffer, rh};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::{Fault, List};
use sealwright_derive::{Command, Response};

/// Adds the last data to an event sequence, extends a PCR with the digests, and flushes the sequence.
#[derive(Command)]
#[command(code = 0x185, response = EventSequenceCompleteResponse, nv, flushed)]
#[doc(alias = "TPM2_EventSequenceComplete")]
pub struct EventSequenceComplete {
    /// The PCR to extend, or NULL for none.
    #[handle(auth = user)]
    pub pcr: DhPcrOrNull,
    /// The sequence.
    #[handle(auth = user)]
    pub sequence: DhObject,
    /// Data.
    pub buffer: MaxBuffer,
}

/// Answer of [`EventSequenceComplete`].
#[derive(Response)]
pub struct EventSequenceCompleteResponse {
    /// A digest for each bank.
    pub results: List<HashValue, HASH_COUNT>,
}

impl Execute for EventSequenceComplete {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<EventSequenceCompleteResponse, Fault> {
        let sequence = tpm.sequence(self.sequence.0).map_err(|fault| fault.at_handle(2))?;
        let mut kind = sequence.kind.clone();
        kind.update(tpm.crypto, &self.buffer)?;
        let SequenceKind::Event { hashers } = kind else { return Err(Fault::MODE.at_handle(2)) };
        let pcr = if self.pcr.0 == rh::NULL { None } else { usize::try_from(self.pcr.0).ok() };
        if let Some(pcr) = pcr {
            tpm.pcr_check_extend(self.pcr.0)?;
            if crate::pcr::attributes(pcr).save {
                tpm.clear_orderly();
            }
        }
        let mut results = List::new();
        for hasher in hashers {
            let hash = hasher.alg();
            let digest = hasher.finish();
            if let Some(pcr) = pcr {
                tpm.pcr_extend(pcr, hash, &digest);
            }
            results.push(HashValue::new(hash, &digest))?;
        }
        tpm.flush_slot(self.sequence.0);
        Ok(EventSequenceCompleteResponse { results })
    }
}
