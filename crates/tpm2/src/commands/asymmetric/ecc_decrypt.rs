//! `TPM2_ECC_Decrypt` (Part 3, 14.9).

use super::ecc_encrypt::{apply_stream, check_value, curve_and_hash};
use crate::signing::ecc::point_of;
use crate::structures::{DhObject, Digest, EccPoint, KdfScheme, MaxBuffer, ObjectAttributes, ObjectType, Sized2b};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};
use subtle::ConstantTimeEq as _;

/// Decrypts what ECC_Encrypt made.
#[derive(Command)]
#[command(code = 0x19A, response = EccDecryptResponse)]
#[doc(alias = "TPM2_ECC_Decrypt")]
pub struct EccDecrypt {
    /// The key.
    #[handle(auth = user)]
    pub key: DhObject,
    /// The ephemeral public point.
    pub c1: Sized2b<EccPoint>,
    /// The encrypted text.
    pub c2: MaxBuffer,
    /// Digest of the shared point and the text.
    pub c3: Digest,
    /// The KDF, if the key does not say it; only KDF2 can be used.
    pub scheme: KdfScheme,
}

/// Answer of [`EccDecrypt`].
#[derive(Response)]
pub struct EccDecryptResponse {
    /// What was encrypted.
    pub plain_text: MaxBuffer,
}

impl Execute for EccDecrypt {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<EccDecryptResponse, Fault> {
        let key = tpm.object(self.key.0).map_err(|_| Fault::KEY.at_handle(1))?;
        if key.public.object_type() != ObjectType::Ecc {
            return Err(Fault::KEY.at_handle(1));
        }
        if key.has(ObjectAttributes::RESTRICTED) || !key.has(ObjectAttributes::DECRYPT) {
            return Err(Fault::ATTRIBUTES.at_handle(1));
        }
        let (curve, hash) = curve_and_hash(&key, self.scheme, 4)?;
        let sensitive = key.sensitive.as_ref().ok_or(Fault::KEY.at_handle(1))?;
        // A point that is not on the curve opens nothing; the answer is that of a wrong check value.
        let z = tpm.crypto.ecc.mul(curve, &sensitive.value, &point_of(&self.c1.0)).map_err(|_| Fault::VALUE)?;
        let mut plain_text = self.c2;
        apply_stream(tpm.crypto, hash, &z, &mut plain_text)?;
        let expected = check_value(tpm.crypto, hash, &z, &plain_text)?;
        if !bool::from(expected.ct_eq(&self.c3)) {
            return Err(Fault::VALUE);
        }
        Ok(EccDecryptResponse { plain_text })
    }
}
