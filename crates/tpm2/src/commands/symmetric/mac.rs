//! `TPM2_MAC`, which is also `TPM2_HMAC` (Part 3, 15.5 and 15.6).

use crate::object::Object;
use crate::structures::{
    Alg, BlockCipher, DhObject, Digest, HashAlg, KeyedHashScheme, MaxBuffer, ObjectAttributes, Parameters,
    SensitiveValue, SymMode,
};
use crate::table::Execute;
use crate::tpm::{Tpm, fault_of};
use sealwright_core::{Algorithm, Buffer, Fault, Reader, Wire, Writer};
use sealwright_derive::{Command, Response};

/// TPMI_ALG_MAC_SCHEME: a hash for HMAC, or CMAC; anything else is TPM_RC_SYMMETRIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacScheme {
    /// HMAC with this hash.
    Hmac(HashAlg),
    /// CMAC with the block cipher of the key.
    Cmac,
}

impl Wire for MacScheme {
    const MAX_SIZE: usize = 2;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        match Alg::read(r)? {
            Alg(id) if !r.accepts(id) => Err(Fault::SYMMETRIC),
            Alg::CMAC => Ok(Self::Cmac),
            Alg(id) => HashAlg::from_id(id).map(Self::Hmac).ok_or(Fault::SYMMETRIC),
        }
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        match self {
            Self::Hmac(hash) => hash.write(w),
            Self::Cmac => Alg::CMAC.write(w),
        }
    }
}

/// TPMI_ALG_MAC_SCHEME+.
impl Algorithm for MacScheme {}

/// The code to compute, with its key.
pub(crate) enum SelectedMac<'a> {
    /// HMAC.
    Hmac(HashAlg, &'a SensitiveValue),
    /// CMAC.
    Cmac(BlockCipher, &'a SensitiveValue),
}

impl SelectedMac<'_> {
    /// TPM_RC_HASH if the profile allows no HMAC with SHA-1.
    pub(crate) fn check(&self, tpm: &Tpm<'_>) -> Result<(), Fault> {
        let is_sha1 = matches!(self, Self::Hmac(HashAlg::Sha1, _));
        if is_sha1 && tpm.has_attribute(crate::profile::attribute::NO_SHA1_HMAC_CREATION) {
            return Err(Fault::HASH.at_parameter(2));
        }
        Ok(())
    }
}

/// The scheme of a key and a caller together (Part 4, CryptSelectMac), and whether the key may be used for it.
/// Response codes are those of MAC and MAC_Start: the key is handle 1, the scheme is parameter 2.
pub(crate) fn select_mac(key: &Object, asked: Option<MacScheme>) -> Result<SelectedMac<'_>, Fault> {
    let at_scheme = |fault: Fault| fault.at_parameter(2);
    // What the key prescribes; `Err` holds a mode that no code has.
    let default = match &key.public.parameters {
        Parameters::KeyedHash(KeyedHashScheme::Hmac(hash) | KeyedHashScheme::Xor(hash, _)) => {
            Some(Ok(MacScheme::Hmac(*hash)))
        }
        Parameters::KeyedHash(KeyedHashScheme::Null) => None,
        Parameters::SymCipher(sym) => match sym.mode {
            None => None,
            Some(SymMode::Cmac) => Some(Ok(MacScheme::Cmac)),
            Some(_) => Some(Err(Fault::SCHEME)),
        },
        Parameters::Rsa(_) | Parameters::Ecc(_) => return Err(Fault::TYPE.at_handle(1)),
    };
    let scheme = match (default, asked) {
        (None, None) => return Err(at_scheme(Fault::VALUE)),
        (None, Some(asked)) => asked,
        (Some(default), None) => default.map_err(at_scheme)?,
        (Some(default), Some(asked)) if default == Ok(asked) => asked,
        (Some(_), Some(_)) => return Err(at_scheme(Fault::VALUE)),
    };
    let secret = key.sensitive.as_ref().map(|sensitive| &sensitive.value);
    let mac = match (&key.public.parameters, scheme, secret) {
        (Parameters::KeyedHash(_), MacScheme::Hmac(hash), Some(secret)) => SelectedMac::Hmac(hash, secret),
        (Parameters::SymCipher(sym), MacScheme::Cmac, Some(secret)) => SelectedMac::Cmac(sym.cipher, secret),
        _ => return Err(at_scheme(Fault::SCHEME)),
    };
    if key.has(ObjectAttributes::RESTRICTED) {
        return Err(Fault::ATTRIBUTES.at_handle(1));
    }
    if !key.has(ObjectAttributes::SIGN) {
        return Err(Fault::KEY.at_handle(1));
    }
    Ok(mac)
}

/// Computes a message authentication code over data in one command.
#[derive(Command)]
#[command(code = 0x155, response = MacResponse)]
#[doc(alias = "TPM2_MAC")]
#[doc(alias = "TPM2_HMAC")]
pub struct Mac {
    /// The key.
    #[handle(auth = user)]
    pub key: DhObject,
    /// Data.
    pub buffer: MaxBuffer,
    /// The code, if the key does not say it.
    pub scheme: Option<MacScheme>,
}

/// Answer of [`Mac`].
#[derive(Response)]
pub struct MacResponse {
    /// The code.
    pub out_mac: Digest,
}

impl Execute for Mac {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<MacResponse, Fault> {
        let key = tpm.object(self.key.0).map_err(|_| Fault::TYPE.at_handle(1))?;
        let mac = select_mac(&key, self.scheme)?;
        mac.check(tpm)?;
        let code = match mac {
            SelectedMac::Hmac(hash, secret) => tpm.crypto.hash.hmac(hash, secret, &[&self.buffer]),
            SelectedMac::Cmac(cipher, secret) => {
                tpm.crypto.cipher.cmac(cipher, secret, &[&self.buffer]).map_err(fault_of)?
            }
        };
        Ok(MacResponse { out_mac: Buffer::from_slice(&code)? })
    }
}
