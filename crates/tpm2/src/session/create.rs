//! Making sessions (Part 4, SessionCreate).

use super::{BindValue, Policy, Session};
use crate::structures::{Auth, HashAlg, Nonce, Se, SymDef, rh};
use crate::tpm::Tpm;
use alloc::vec::Vec;
use sealwright_core::{Buffer, Fault};
use sealwright_crypto::kdf::kdfa;
use zeroize::Zeroizing;

impl Tpm<'_> {
    /// Makes a session and returns its handle and first nonce.
    pub(crate) fn create_session(
        &mut self,
        session_type: Se,
        hash: HashAlg,
        nonce_caller: &Nonce,
        symmetric: SymDef,
        bind: u32,
        salt: &[u8],
    ) -> Result<(u32, Nonce), Fault> {
        self.check_free_session()?;
        let nonce_tpm = Nonce::from_slice(&self.random_bytes(nonce_caller.len()))?;
        let mut key = Auth::default();
        if bind != rh::NULL || !salt.is_empty() {
            let mut secret = Zeroizing::new(Vec::new());
            secret.extend_from_slice(&self.auth_value(bind)?);
            secret.extend_from_slice(salt);
            let bits = u32::try_from(hash.size().saturating_mul(8)).map_err(|_| Fault::FAILURE)?;
            key = Auth::from_slice(&kdfa(self.crypto, hash, &secret, b"ATH", &nonce_tpm, nonce_caller, bits))?;
        }
        let bound = if bind != rh::NULL && session_type == Se::Hmac { Some(self.bind_value(bind)?) } else { None };
        let da_bound = bind != rh::NULL && !self.is_da_exempt(bind);
        let policy = (session_type != Se::Hmac).then(|| Policy {
            trial: session_type == Se::Trial,
            digest: Buffer::zeros(hash.size()),
            start_time: self.state.volatile.time,
            epoch: self.state.permanent.time_epoch,
            ..Policy::default()
        });
        let lockout_bound = da_bound && bind == rh::LOCKOUT;
        let session =
            Session { hash, symmetric, nonce_tpm, key, bound, da_bound, lockout_bound, audit_digest: None, policy };
        Ok((self.insert_session(session)?, nonce_tpm))
    }

    /// The value that a session bound to `entity` keeps (Part 4, SessionComputeBoundEntity): the Name, padded with
    /// zeros, with the authorization value XORed into its end.
    pub(crate) fn bind_value(&self, entity: u32) -> Result<BindValue, Fault> {
        let mut value = BindValue::zeros(68);
        for (to, from) in value.as_mut_slice().iter_mut().zip(self.entity_name(entity)?.iter()) {
            *to = *from;
        }
        for (to, from) in value.as_mut_slice().iter_mut().rev().zip(self.auth_value(entity)?.iter().rev()) {
            *to ^= *from;
        }
        Ok(value)
    }
}
