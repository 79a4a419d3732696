//! `TPM2_EncryptDecrypt2` (Part 3, 15.3).

use super::encrypt_decrypt::{EncryptDecryptResponse, EncryptionMode, Iv, Positions, encrypt_decrypt};
use crate::structures::{DhObject, MaxBuffer};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// As EncryptDecrypt, but with the data first, so that sessions can encrypt them.
#[derive(Command)]
#[command(code = 0x193, response = EncryptDecryptResponse)]
#[doc(alias = "TPM2_EncryptDecrypt2")]
pub struct EncryptDecrypt2 {
    /// The key.
    #[handle(auth = user)]
    pub key: DhObject,
    /// Data.
    pub in_data: MaxBuffer,
    /// Decrypt, or encrypt.
    pub decrypt: bool,
    /// Mode, if the key does not say it.
    pub mode: Option<EncryptionMode>,
    /// Initial value.
    pub iv_in: Iv,
}

impl Execute for EncryptDecrypt2 {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<EncryptDecryptResponse, Fault> {
        let at = Positions { mode: 3, iv: 4, data: 1 };
        encrypt_decrypt(tpm, self.key, self.decrypt, self.mode, self.iv_in, self.in_data, &at)
    }
}
