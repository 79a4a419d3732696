//! `TPM2_RSA_Encrypt` (Part 3, 14.2).

use crate::object::Object;
use crate::signing::rsa::public_parts;
use crate::structures::{
    Data, DhObject, ObjectAttributes, ObjectType, Parameters, RsaDecryptScheme, RsaModulus, RsaScheme,
};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::{Buffer, Fault};
use sealwright_crypto::{CryptoError, rsa};
use sealwright_derive::{Command, Response};

/// Encrypts with a public RSA key.
#[derive(Command)]
#[command(code = 0x174, response = RsaEncryptResponse)]
#[doc(alias = "TPM2_RSA_Encrypt")]
pub struct RsaEncrypt {
    /// The key; its public part is enough.
    #[handle]
    pub key: DhObject,
    /// What to encrypt.
    pub message: RsaModulus,
    /// The padding, if the key does not say it.
    pub scheme: RsaDecryptScheme,
    /// Label of OAEP, with a zero at its end, or empty.
    pub label: Data,
}

/// Answer of [`RsaEncrypt`].
#[derive(Response)]
pub struct RsaEncryptResponse {
    /// As long as the modulus.
    pub out_data: RsaModulus,
}

/// True if a label is empty or ends with a zero.
pub(super) fn is_label(label: &[u8]) -> bool {
    label.last().is_none_or(|last| *last == 0)
}

/// The padding of a key and a caller together (Part 4, CryptRsaSelectScheme), as a scheme of keys: the caller may
/// give none, or the key's. TPM_RC_SCHEME if they differ.
pub(super) fn select_padding(key: &Object, asked: RsaDecryptScheme) -> Result<RsaScheme, Fault> {
    let Parameters::Rsa(parameters) = &key.public.parameters else { return Err(Fault::KEY) };
    let asked = match asked {
        RsaDecryptScheme::Null => RsaScheme::Null,
        RsaDecryptScheme::Rsaes => RsaScheme::Rsaes,
        RsaDecryptScheme::Oaep(hash) => RsaScheme::Oaep(hash),
    };
    match (parameters.scheme, asked) {
        (RsaScheme::Null, asked) => Ok(asked),
        (key, RsaScheme::Null) => Ok(key),
        (key, asked) if key == asked => Ok(asked),
        _ => Err(Fault::SCHEME),
    }
}

impl Execute for RsaEncrypt {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<RsaEncryptResponse, Fault> {
        let key = tpm.object(self.key.0).map_err(|_| Fault::KEY.at_handle(1))?;
        if key.public.object_type() != ObjectType::Rsa {
            return Err(Fault::KEY.at_handle(1));
        }
        if !key.has(ObjectAttributes::DECRYPT) {
            return Err(Fault::ATTRIBUTES.at_handle(1));
        }
        if !is_label(&self.label) {
            return Err(Fault::VALUE.at_parameter(3));
        }
        let padding = select_padding(&key, self.scheme).map_err(|fault| fault.at_parameter(2))?;
        if padding == RsaScheme::Null && tpm.has_attribute(crate::profile::attribute::NO_UNPADDED_ENCRYPTION) {
            return Err(Fault::SCHEME);
        }
        let (n, e) = public_parts(&key)?;
        let encrypted = match padding {
            RsaScheme::Null => rsa::encrypt_raw(tpm.crypto, n, e, &self.message),
            RsaScheme::Rsaes => rsa::pkcs1::encrypt(tpm.crypto, n, e, &self.message, &mut tpm.state.drbg),
            RsaScheme::Oaep(hash) => {
                rsa::oaep::encrypt(tpm.crypto, n, e, hash, &self.label, &self.message, &mut tpm.state.drbg)
            }
            RsaScheme::Rsassa(_) | RsaScheme::Rsapss(_) => return Err(Fault::SCHEME),
        };
        let encrypted = encrypted.map_err(|error| match error {
            // The modulus has no room for two digests of this hash.
            CryptoError::Unsupported => Fault::HASH,
            _ => Fault::VALUE,
        })?;
        Ok(RsaEncryptResponse { out_data: Buffer::from_slice(&encrypted)? })
    }
}
