//! `TPM2_StartAuthSession` (Part 3, 11.1).

use crate::structures::{
    DhEntityOrNull, DhObjectOrNull, EncryptedSecret, HandleKind, HashAlg, Nonce, NvType, ObjectAttributes, ObjectType,
    Se, ShAuthSession, SymDef, SymMode, kind, rh,
};
use crate::table::Execute;
use crate::tpm::Tpm;
use alloc::vec::Vec;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};
use zeroize::Zeroizing;

/// Starts an HMAC, policy or trial session.
#[derive(Command)]
#[command(code = 0x176, response = StartAuthSessionResponse)]
#[doc(alias = "TPM2_StartAuthSession")]
pub struct StartAuthSession {
    /// Key that decrypts the salt, or NULL.
    #[handle]
    pub tpm_key: DhObjectOrNull,
    /// Entity that the session is bound to, or NULL.
    #[handle]
    pub bind: DhEntityOrNull,
    /// The caller's first nonce.
    pub nonce_caller: Nonce,
    /// The salt, or empty.
    pub encrypted_salt: EncryptedSecret,
    /// Kind of session.
    pub session_type: Se,
    /// How parameters are encrypted.
    pub symmetric: SymDef,
    /// Hash of the session.
    pub auth_hash: HashAlg,
}

/// Answer of [`StartAuthSession`].
#[derive(Response)]
pub struct StartAuthSessionResponse {
    /// Handle of the session.
    #[handle]
    pub session_handle: ShAuthSession,
    /// The TPM's first nonce.
    pub nonce_tpm: Nonce,
}

impl StartAuthSession {
    /// The salt of the session; empty if there is no key.
    fn salt(&self, tpm: &Tpm<'_>) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let no_salt = self.encrypted_salt.is_empty();
        if self.tpm_key.0 == rh::NULL {
            return if no_salt { Ok(Zeroizing::new(Vec::new())) } else { Err(Fault::VALUE.at_parameter(2)) };
        }
        let key = tpm.object(self.tpm_key.0).map_err(|_| Fault::KEY.at_handle(1))?;
        if !matches!(key.public.object_type(), ObjectType::Rsa | ObjectType::Ecc) {
            return Err(Fault::KEY.at_handle(1));
        }
        if no_salt {
            return Err(Fault::VALUE.at_parameter(2));
        }
        if key.sensitive.is_none() {
            return Err(Fault::HANDLE.at_handle(1));
        }
        if !key.has(ObjectAttributes::DECRYPT) {
            return Err(Fault::ATTRIBUTES.at_handle(1));
        }
        let salt = tpm.secret_decrypt(&key, &self.nonce_caller, b"SECRET", &self.encrypted_salt);
        Ok(Zeroizing::new(salt.map_err(|_| Fault::VALUE.at_parameter(2))?.to_vec()))
    }

    /// TPM_RC_HANDLE if a session cannot be bound to the entity.
    fn check_bind(&self, tpm: &Tpm<'_>) -> Result<(), Fault> {
        let usable = match kind(self.bind.0) {
            // The authorization value of a public area alone is not there; that of a sequence is.
            HandleKind::Transient | HandleKind::Persistent => {
                tpm.object(self.bind.0).map_or(true, |object| object.sensitive.is_some())
            }
            HandleKind::Nv => !tpm.defined_index(self.bind.0).is_some_and(|index| {
                matches!(index.public.attributes.nv_type(), Some(NvType::PinPass | NvType::PinFail))
            }),
            _ => true,
        };
        if usable { Ok(()) } else { Err(Fault::HANDLE.at_handle(2)) }
    }
}

impl Execute for StartAuthSession {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<StartAuthSessionResponse, Fault> {
        if !(16..=self.auth_hash.size()).contains(&self.nonce_caller.len()) {
            return Err(Fault::SIZE.at_parameter(1));
        }
        let salt = self.salt(tpm)?;
        self.check_bind(tpm)?;
        if let SymDef::Cipher(cipher) = self.symmetric
            && cipher.mode != Some(SymMode::Cfb)
        {
            return Err(Fault::MODE.at_parameter(4));
        }
        let (handle, nonce_tpm) = tpm.create_session(
            self.session_type,
            self.auth_hash,
            &self.nonce_caller,
            self.symmetric,
            self.bind.0,
            &salt,
        )?;
        Ok(StartAuthSessionResponse { session_handle: ShAuthSession(handle), nonce_tpm })
    }
}
