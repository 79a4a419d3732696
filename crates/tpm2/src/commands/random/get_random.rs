//! `TPM2_GetRandom` (Part 3, 16.1).

use crate::structures::Digest;
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::{Buffer, Fault};
use sealwright_derive::{Command, Response};

/// Random bytes, at most as many as the largest digest has.
#[derive(Command)]
#[command(code = 0x17B, response = GetRandomResponse)]
#[doc(alias = "TPM2_GetRandom")]
pub struct GetRandom {
    /// Bytes wanted.
    pub bytes_requested: u16,
}

/// Answer of [`GetRandom`].
#[derive(Response)]
pub struct GetRandomResponse {
    /// The bytes.
    pub random_bytes: Digest,
}

impl Execute for GetRandom {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<GetRandomResponse, Fault> {
        let n = usize::from(self.bytes_requested).min(crate::structures::MAX_DIGEST);
        Ok(GetRandomResponse { random_bytes: Buffer::from_slice(&tpm.random_bytes(n))? })
    }
}
