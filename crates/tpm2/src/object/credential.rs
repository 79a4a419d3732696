//! Credentials that only one object in one TPM can open (Part 1, 24).

use super::{Object, protect::OuterWrap};
use crate::structures::{Digest, IdObject};
use crate::tpm::Tpm;
use sealwright_core::{Buffer, Fault, Reader, Wire};

impl Tpm<'_> {
    /// TPM2B_ID_OBJECT: `secret` for the object with this Name, under a seed shared with `protector`.
    pub(crate) fn secret_to_credential(
        &self,
        secret: &Digest,
        name: &[u8],
        seed: &[u8],
        protector: &Object,
    ) -> Result<IdObject, Fault> {
        let data = super::encoding::marshalled(secret)?;
        Buffer::from_slice(&OuterWrap::new(self.crypto, protector, seed, name)?.wrap(None, &data)?)
    }

    /// The secret of a credential; the reverse of [`Tpm::secret_to_credential`].
    pub(crate) fn credential_to_secret(
        &self,
        credential: &IdObject,
        name: &[u8],
        seed: &[u8],
        protector: &Object,
    ) -> Result<Digest, Fault> {
        let data = OuterWrap::new(self.crypto, protector, seed, name)?.unwrap(false, credential)?;
        let mut r = Reader::new(&data);
        let secret = Digest::read(&mut r)?;
        if r.is_empty() { Ok(secret) } else { Err(Fault::SIZE) }
    }
}
