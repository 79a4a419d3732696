//! `TPM2_HashSequenceStart` (Part 3, 17.4).

use crate::object::{Sequence, SequenceKind, Slot};
use crate::structures::{AnyHandle, Auth, HashAlg};
use crate::table::Execute;
use crate::tpm::Tpm;
use alloc::sync::Arc;
use sealwright_core::Fault;
use sealwright_crypto::hash::Hasher;
use sealwright_derive::{Command, Response};

/// Starts a hash sequence, or an event sequence over all banks if the algorithm is NULL.
#[derive(Command)]
#[command(code = 0x186, response = HashSequenceStartResponse)]
#[doc(alias = "TPM2_HashSequenceStart")]
pub struct HashSequenceStart {
    /// Authorization value of the sequence.
    pub auth: Auth,
    /// Algorithm.
    pub hash: Option<HashAlg>,
}

/// Answer of [`HashSequenceStart`].
#[derive(Response)]
pub struct HashSequenceStartResponse {
    /// Handle of the sequence.
    #[handle]
    pub sequence: AnyHandle,
}

/// Makes a sequence and returns its handle.
pub(super) fn start(tpm: &mut Tpm<'_>, mut auth: Auth, kind: SequenceKind) -> Result<AnyHandle, Fault> {
    auth.trim_trailing_zeros();
    tpm.insert_slot(Slot::Sequence(Arc::new(Sequence { auth, kind }))).map(AnyHandle)
}

impl Execute for HashSequenceStart {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<HashSequenceStartResponse, Fault> {
        let kind = match self.hash {
            Some(hash) => SequenceKind::Hash { hasher: Hasher::new(hash), ticket: None },
            None => SequenceKind::Event { hashers: crate::object::hashers() },
        };
        Ok(HashSequenceStartResponse { sequence: start(tpm, self.auth, kind)? })
    }
}
