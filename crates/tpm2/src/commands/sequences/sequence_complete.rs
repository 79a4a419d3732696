//! `TPM2_SequenceComplete` (Part 3, 17.6).

use crate::object::SequenceKind;
use crate::structures::{DhObject, Digest, HashcheckTicket, MaxBuffer, RhHierarchy, rh};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::{Buffer, Fault};
use sealwright_derive::{Command, Response};

/// Adds the last data to a hash or HMAC sequence, returns its result and flushes it.
#[derive(Command)]
#[command(code = 0x13E, response = SequenceCompleteResponse, flushed)]
#[doc(alias = "TPM2_SequenceComplete")]
pub struct SequenceComplete {
    /// The sequence.
    #[handle(auth = user)]
    pub sequence: DhObject,
    /// Data.
    pub buffer: MaxBuffer,
    /// Hierarchy of the ticket; NULL for none.
    pub hierarchy: RhHierarchy,
}

/// Answer of [`SequenceComplete`].
#[derive(Response)]
pub struct SequenceCompleteResponse {
    /// The digest or code.
    pub result: Digest,
    /// Proof that the data did not claim to be made by a TPM; NULL for codes.
    pub validation: HashcheckTicket,
}

impl Execute for SequenceComplete {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<SequenceCompleteResponse, Fault> {
        let sequence = tpm.sequence(self.sequence.0).map_err(|fault| fault.at_handle(1))?;
        let mut kind = sequence.kind.clone();
        if matches!(kind, SequenceKind::Event { .. }) {
            return Err(Fault::MODE.at_handle(1));
        }
        kind.update(tpm.crypto, &self.buffer)?;
        let mut validation = HashcheckTicket::null();
        let result = match kind {
            SequenceKind::Hash { hasher, ticket } => {
                let hash = hasher.alg();
                let digest = hasher.finish();
                if ticket == Some(true) && self.hierarchy.0 != rh::NULL {
                    validation = tpm.hashcheck_ticket(self.hierarchy.0, hash, &digest)?;
                }
                digest
            }
            other => other.finish_code(tpm.crypto)?,
        };
        tpm.flush_slot(self.sequence.0);
        Ok(SequenceCompleteResponse { result: Buffer::from_slice(&result)?, validation })
    }
}
