//! Encryption of the first parameter by a session (Part 1, 21).

use crate::structures::{BlockCipher, Nonce, SymDef};
use crate::tpm::{Tpm, fault_of};
use alloc::vec::Vec;
use sealwright_core::{Fault, Reader, Wire};
use sealwright_crypto::symmetric::{parameter_cfb, xor_obfuscation};
use zeroize::Zeroizing;

/// The parameters with the first one decrypted, if a session does that.
pub(super) fn decrypt(tpm: &Tpm<'_>, parameters: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
    let Some(index) = tpm.command.decrypt else { return Ok(None) };
    let number = u8::try_from(index).unwrap_or(u8::MAX).saturating_add(1);
    let given = tpm.command.sessions.get(index).ok_or(Fault::FAILURE)?;
    let mut plain = Zeroizing::new(parameters.to_vec());
    let nonce_tpm = tpm.session(given.handle)?.nonce_tpm;
    let extra: &[u8] = if given.entity.is_some() { &given.auth_value } else { &[] };
    crypt_first(tpm, false, given.handle, extra, &given.nonce_caller, &nonce_tpm, &mut plain)
        .map_err(|fault| fault.at_session(number))?;
    Ok(Some(plain))
}

/// Encrypts the first of the response parameters in place, if a session does that. The session has its new nonce.
pub(super) fn encrypt(tpm: &Tpm<'_>, auth_value: &[u8], parameters: &mut [u8]) -> Result<(), Fault> {
    let Some(index) = tpm.command.encrypt else { return Ok(()) };
    let given = tpm.command.sessions.get(index).ok_or(Fault::FAILURE)?;
    let nonce_tpm = tpm.session(given.handle)?.nonce_tpm;
    crypt_first(tpm, true, given.handle, auth_value, &nonce_tpm, &given.nonce_caller, parameters)
}

fn crypt_first(
    tpm: &Tpm<'_>,
    encrypt: bool,
    handle: u32,
    extra: &[u8],
    newer: &Nonce,
    older: &Nonce,
    parameters: &mut [u8],
) -> Result<(), Fault> {
    let size = usize::from(u16::read(&mut Reader::new(parameters))?);
    let data = parameters.get_mut(2..).and_then(|rest| rest.get_mut(..size)).ok_or(Fault::SIZE)?;
    let session = tpm.session(handle)?;
    let mut key = Zeroizing::new(session.key.to_vec());
    key.extend_from_slice(extra);
    match session.symmetric {
        SymDef::Null => Err(Fault::SYMMETRIC),
        SymDef::Xor(_) => xor_obfuscation(tpm.crypto, session.hash, &key, newer, older, data).map_err(fault_of),
        SymDef::Cipher(cipher) => {
            let block: BlockCipher = cipher.cipher;
            parameter_cfb(tpm.crypto, session.hash, block, cipher.bits, encrypt, &key, newer, older, data)
                .map_err(fault_of)
        }
    }
}
