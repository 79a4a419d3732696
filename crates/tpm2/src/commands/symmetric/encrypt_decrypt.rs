//! `TPM2_EncryptDecrypt` (Part 3, 15.2), and the work that it shares with EncryptDecrypt2.

use crate::structures::{CipherMode, DhObject, MaxBuffer, ObjectAttributes, Parameters, SymMode};
use crate::table::Execute;
use crate::tpm::{Tpm, fault_of};
use sealwright_core::{Algorithm, Buffer, Fault, Reader, Wire, Writer};
use sealwright_derive::{Command, Response};

/// TPM2B_IV.
pub type Iv = Buffer<16>;

/// TPMI_ALG_CIPHER_MODE: a mode that encrypts; anything else is TPM_RC_MODE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncryptionMode(pub SymMode);

impl Wire for EncryptionMode {
    const MAX_SIZE: usize = 2;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        match SymMode::read(r)? {
            SymMode::Cmac => Err(Fault::MODE),
            mode => Ok(Self(mode)),
        }
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        self.0.write(w)
    }
}

/// TPMI_ALG_CIPHER_MODE+.
impl Algorithm for EncryptionMode {}

/// Encrypts or decrypts with a loaded symmetric key; the data are not protected by parameter encryption.
#[derive(Command)]
#[command(code = 0x164, response = EncryptDecryptResponse)]
#[doc(alias = "TPM2_EncryptDecrypt")]
pub struct EncryptDecrypt {
    /// The key.
    #[handle(auth = user)]
    pub key: DhObject,
    /// Decrypt, or encrypt.
    pub decrypt: bool,
    /// Mode, if the key does not say it.
    pub mode: Option<EncryptionMode>,
    /// Initial value.
    pub iv_in: Iv,
    /// Data.
    pub in_data: MaxBuffer,
}

/// Answer of [`EncryptDecrypt`] and of EncryptDecrypt2.
#[derive(Response)]
pub struct EncryptDecryptResponse {
    /// Data.
    pub out_data: MaxBuffer,
    /// Chaining value for the next call.
    pub iv_out: Iv,
}

/// Numbers of the parameters in response codes, which differ between the two commands.
pub(super) struct Positions {
    pub(super) mode: u8,
    pub(super) iv: u8,
    pub(super) data: u8,
}

/// What both commands do (Part 4, EncryptDecryptShared).
pub(super) fn encrypt_decrypt(
    tpm: &Tpm<'_>,
    handle: DhObject,
    decrypt: bool,
    asked: Option<EncryptionMode>,
    iv: Iv,
    data: MaxBuffer,
    at: &Positions,
) -> Result<EncryptDecryptResponse, Fault> {
    let key = tpm.object(handle.0).map_err(|_| Fault::KEY.at_handle(1))?;
    let Parameters::SymCipher(sym) = &key.public.parameters else { return Err(Fault::KEY.at_handle(1)) };
    let needed = if decrypt { ObjectAttributes::DECRYPT } else { ObjectAttributes::SIGN };
    if key.has(ObjectAttributes::RESTRICTED) || !key.has(needed) {
        return Err(Fault::ATTRIBUTES.at_handle(1));
    }
    let mode = match (sym.mode, asked.map(|mode| mode.0)) {
        (Some(SymMode::Cmac), _) => return Err(Fault::MODE.at_handle(1)),
        (Some(mode), None) => mode,
        (Some(mode), Some(asked)) if mode == asked => mode,
        (None, Some(asked)) => asked,
        _ => return Err(Fault::MODE.at_parameter(at.mode)),
    };
    let mode = mode.cipher_mode().ok_or(Fault::MODE.at_handle(1))?;
    let block = sym.cipher.block();
    if iv.len() != if mode == CipherMode::Ecb { 0 } else { block } {
        return Err(Fault::SIZE.at_parameter(at.iv));
    }
    if matches!(mode, CipherMode::Cbc | CipherMode::Ecb) && !data.len().is_multiple_of(block) {
        return Err(Fault::SIZE.at_parameter(at.data));
    }
    let secret = &key.sensitive.as_ref().ok_or(Fault::KEY.at_handle(1))?.value;
    let (mut out_data, mut iv_out) = (data, iv);
    tpm.crypto
        .cipher
        .crypt(sym.cipher, mode, !decrypt, secret, iv_out.as_mut_slice(), out_data.as_mut_slice())
        .map_err(fault_of)?;
    Ok(EncryptDecryptResponse { out_data, iv_out })
}

impl Execute for EncryptDecrypt {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<EncryptDecryptResponse, Fault> {
        let at = Positions { mode: 2, iv: 3, data: 4 };
        encrypt_decrypt(tpm, self.key, self.decrypt, self.mode, self.iv_in, self.in_data, &at)
    }
}
