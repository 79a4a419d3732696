//! `TPM2_GetCommandAuditDigest` (Part 3, 18.6).

use super::Attestation;
use crate::structures::{Attested, Data, DhObjectOrNull, Digest, RhEndorsement, SigScheme, alg_of_hash};
use crate::table::Execute;
use crate::tpm::Tpm;
use alloc::vec::Vec;
use sealwright_core::{Buffer, Fault};
use sealwright_derive::Command;

/// Signs the digest of audited commands and starts a new one.
#[derive(Command)]
#[command(code = 0x133, response = Attestation, nv)]
#[doc(alias = "TPM2_GetCommandAuditDigest")]
pub struct GetCommandAuditDigest {
    /// The endorsement hierarchy.
    #[handle(auth = user)]
    pub privacy: RhEndorsement,
    /// The signing key, or NULL.
    #[handle(auth = user)]
    pub sign: DhObjectOrNull,
    /// The caller's data.
    pub qualifying_data: Data,
    /// How to sign; NULL takes the scheme of the key.
    pub scheme: SigScheme,
}

impl Execute for GetCommandAuditDigest {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<Attestation, Fault> {
        let signer = tpm.signer(self.sign, 2, self.scheme, 2)?;
        let permanent = &tpm.state.permanent;
        let codes: Vec<[u8; 4]> = permanent.audit_commands.keys().map(|code| code.to_be_bytes()).collect();
        let parts: Vec<&[u8]> = codes.iter().map(<[u8; 4]>::as_slice).collect();
        let command_digest = match permanent.audit_hash {
            Some(hash) => Buffer::from_slice(&tpm.hash(hash, &parts))?,
            None => Digest::EMPTY,
        };
        let attested = Attested::CommandAudit {
            counter: permanent.audit_counter,
            hash: alg_of_hash(permanent.audit_hash),
            audit_digest: tpm.state.reset.command_audit_digest,
            command_digest,
        };
        let answer = tpm.attest(&signer, &self.qualifying_data, attested)?;
        if signer.key.is_some() {
            tpm.reset_mut().command_audit_digest = Digest::EMPTY;
        }
        Ok(answer.into())
    }
}
