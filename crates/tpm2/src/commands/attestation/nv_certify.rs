//! `TPM2_NV_Certify` (Part 3, 31.16).

use super::Attestation;
use crate::structures::{Attested, Data, DhObjectOrNull, Digest, MAX_NV_BUFFER, RhNvAuth, RhNvIndex, SigScheme};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::{Buffer, Fault};
use sealwright_derive::Command;

/// Signs the contents of an NV Index; if size and offset are zero, the digest of all of them.
#[derive(Command)]
#[command(code = 0x184, response = Attestation)]
#[doc(alias = "TPM2_NV_Certify")]
pub struct NvCertify {
    /// The signing key, or NULL.
    #[handle(auth = user)]
    pub sign: DhObjectOrNull,
    /// Who may read the Index.
    #[handle(auth = user)]
    pub auth: RhNvAuth,
    /// The Index.
    #[handle]
    pub index: RhNvIndex,
    /// The caller's data.
    pub qualifying_data: Data,
    /// How to sign; NULL takes the scheme of the key.
    pub scheme: SigScheme,
    /// Bytes to certify.
    pub size: u16,
    /// Where they begin.
    pub offset: u16,
}

impl Execute for NvCertify {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<Attestation, Fault> {
        let signer = tpm.signer(self.sign, 1, self.scheme, 2)?;
        let index = tpm.nv_index(self.index.0)?;
        tpm.nv_read_access_check(self.auth.0, self.index.0, &index)?;
        let (start, size) = (usize::from(self.offset), usize::from(self.size));
        let end = start.saturating_add(size);
        if end > usize::from(index.public.data_size) {
            return Err(Fault::NV_RANGE);
        }
        if size > MAX_NV_BUFFER {
            return Err(Fault::VALUE.at_parameter(3));
        }
        let index_name = tpm.index_name(&index)?;
        let attested = if size == 0 && start == 0 {
            let digest = match signer.hash() {
                Some(hash) => Buffer::from_slice(&tpm.hash(hash, &[&index.data]))?,
                None => Digest::EMPTY,
            };
            Attested::NvDigest { index_name, digest }
        } else {
            let contents = Buffer::from_slice(index.data.get(start..end).ok_or(Fault::NV_RANGE)?)?;
            Attested::Nv { index_name, offset: self.offset, contents }
        };
        tpm.attest(&signer, &self.qualifying_data, attested).map(Into::into)
    }
}
