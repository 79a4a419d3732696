//! `TPM2_GetSessionAuditDigest` (Part 3, 18.5).

use super::Attestation;
use crate::structures::{Attested, Data, DhObjectOrNull, RhEndorsement, ShHmac, SigScheme};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Signs the audit digest of a session.
#[derive(Command)]
#[command(code = 0x14D, response = Attestation)]
#[doc(alias = "TPM2_GetSessionAuditDigest")]
pub struct GetSessionAuditDigest {
    /// The endorsement hierarchy.
    #[handle(auth = user)]
    pub privacy_admin: RhEndorsement,
    /// The signing key, or NULL.
    #[handle(auth = user)]
    pub sign: DhObjectOrNull,
    /// The audit session.
    #[handle]
    pub session: ShHmac,
    /// The caller's data.
    pub qualifying_data: Data,
    /// How to sign; NULL takes the scheme of the key.
    pub scheme: SigScheme,
}

impl Execute for GetSessionAuditDigest {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<Attestation, Fault> {
        let signer = tpm.signer(self.sign, 2, self.scheme, 2)?;
        let digest = tpm.session(self.session.0)?.audit_digest.ok_or(Fault::TYPE.at_handle(3))?;
        let exclusive = tpm.state.volatile.exclusive_audit == self.session.0;
        tpm.attest(&signer, &self.qualifying_data, Attested::SessionAudit { exclusive, digest }).map(Into::into)
    }
}
