//! `TPM2_Hash` (Part 3, 15.4).

use crate::structures::{Digest, GENERATED_VALUE, HashAlg, HashcheckTicket, MaxBuffer, RhHierarchy, rh};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::{Buffer, Fault};
use sealwright_derive::{Command, Response};

/// Hashes data.
#[derive(Command)]
#[command(code = 0x17D, response = HashResponse)]
#[doc(alias = "TPM2_Hash")]
pub struct Hash {
    /// Data.
    pub data: MaxBuffer,
    /// Algorithm.
    pub hash: HashAlg,
    /// Hierarchy of the ticket; NULL for none.
    pub hierarchy: RhHierarchy,
}

/// Answer of [`Hash`].
#[derive(Response)]
pub struct HashResponse {
    /// The digest.
    pub out_hash: Digest,
    /// Proof that the data did not claim to be made by a TPM.
    pub validation: HashcheckTicket,
}

impl Execute for Hash {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<HashResponse, Fault> {
        let out_hash: Digest = Buffer::from_slice(&tpm.hash(self.hash, &[&self.data]))?;
        let unsafe_data = self.data.starts_with(&GENERATED_VALUE.to_be_bytes());
        let validation = if self.hierarchy.0 == rh::NULL || unsafe_data {
            HashcheckTicket::null()
        } else {
            tpm.hashcheck_ticket(self.hierarchy.0, self.hash, &out_hash)?
        };
        Ok(HashResponse { out_hash, validation })
    }
}
