//! `TPM2_RSA_Decrypt` (Part 3, 14.3).

use super::rsa_encrypt::{is_label, select_padding};
use crate::signing::rsa::private_part;
use crate::structures::{
    Data, DhObject, MAX_RSA, ObjectAttributes, ObjectType, RsaDecryptScheme, RsaModulus, RsaScheme, Secret,
};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_crypto::rsa;
use sealwright_derive::{Command, Response};

/// Decrypts with a private RSA key.
#[derive(Command)]
#[command(code = 0x159, response = RsaDecryptResponse)]
#[doc(alias = "TPM2_RSA_Decrypt")]
pub struct RsaDecrypt {
    /// The key.
    #[handle(auth = user)]
    pub key: DhObject,
    /// As long as the modulus.
    pub cipher_text: RsaModulus,
    /// The padding, if the key does not say it.
    pub scheme: RsaDecryptScheme,
    /// Label of OAEP, with a zero at its end, or empty.
    pub label: Data,
}

/// Answer of [`RsaDecrypt`].
#[derive(Response)]
pub struct RsaDecryptResponse {
    /// What was encrypted.
    pub message: Secret<MAX_RSA>,
}

impl Execute for RsaDecrypt {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<RsaDecryptResponse, Fault> {
        let key = tpm.object(self.key.0).map_err(|_| Fault::KEY.at_handle(1))?;
        if key.public.object_type() != ObjectType::Rsa {
            return Err(Fault::KEY.at_handle(1));
        }
        if key.has(ObjectAttributes::RESTRICTED) || !key.has(ObjectAttributes::DECRYPT) {
            return Err(Fault::ATTRIBUTES.at_handle(1));
        }
        if !is_label(&self.label) {
            return Err(Fault::VALUE.at_parameter(3));
        }
        let padding = select_padding(&key, self.scheme).map_err(|fault| fault.at_parameter(2))?;
        if padding == RsaScheme::Null && tpm.has_attribute(crate::profile::attribute::NO_UNPADDED_ENCRYPTION) {
            return Err(Fault::SCHEME);
        }
        let private = private_part(&key)?;
        if self.cipher_text.len() != private.n.len() {
            return Err(Fault::SIZE);
        }
        let message = match padding {
            RsaScheme::Null => rsa::decrypt_raw(tpm.crypto, private, &self.cipher_text),
            RsaScheme::Rsaes => rsa::pkcs1::decrypt(tpm.crypto, private, &self.cipher_text),
            RsaScheme::Oaep(hash) => rsa::oaep::decrypt(tpm.crypto, private, hash, &self.label, &self.cipher_text),
            RsaScheme::Rsassa(_) | RsaScheme::Rsapss(_) => return Err(Fault::SCHEME),
        };
        // Whatever is wrong, the answer is the same: it must not tell where the padding broke.
        let message = message.map_err(|_| Fault::VALUE)?;
        Ok(RsaDecryptResponse { message: Secret::from_slice(&message)? })
    }
}
