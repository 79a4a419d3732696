//! `TPM2_MAC_Start`, which is also `TPM2_HMAC_Start` (Part 3, 17.2 and 17.3).

use super::hash_sequence_start::start;
use crate::commands::symmetric::mac::{MacScheme, SelectedMac, select_mac};
use crate::object::SequenceKind;
use crate::structures::{AnyHandle, Auth, DhObject};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_crypto::hash::HmacState;
use sealwright_derive::{Command, Response};

/// Starts a sequence that computes a message authentication code.
#[derive(Command)]
#[command(code = 0x15B, response = MacStartResponse)]
#[doc(alias = "TPM2_MAC_Start")]
#[doc(alias = "TPM2_HMAC_Start")]
pub struct MacStart {
    /// The key.
    #[handle(auth = user)]
    pub key: DhObject,
    /// Authorization value of the sequence.
    pub auth: Auth,
    /// The code, if the key does not say it.
    pub scheme: Option<MacScheme>,
}

/// Answer of [`MacStart`].
#[derive(Response)]
pub struct MacStartResponse {
    /// Handle of the sequence.
    #[handle]
    pub sequence: AnyHandle,
}

impl Execute for MacStart {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<MacStartResponse, Fault> {
        let key = tpm.object(self.key.0).map_err(|_| Fault::TYPE.at_handle(1))?;
        let mac = select_mac(&key, self.scheme)?;
        mac.check(tpm)?;
        let kind = match mac {
            SelectedMac::Hmac(hash, secret) => SequenceKind::Hmac { hmac: HmacState::new(hash, secret) },
            SelectedMac::Cmac(cipher, secret) => {
                SequenceKind::Cmac { cipher, key: secret.clone(), chain: [0; 16], pending: alloc::vec::Vec::new() }
            }
        };
        Ok(MacStartResponse { sequence: start(tpm, self.auth, kind)? })
    }
}
