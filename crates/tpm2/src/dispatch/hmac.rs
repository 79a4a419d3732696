//! cpHash, rpHash and the HMACs over them (Part 1, 18.7, 18.8 and 19.6).

use crate::structures::{Digest, HashAlg};
use crate::tpm::Tpm;
use alloc::vec::Vec;
use sealwright_core::{Buffer, Fault};
use zeroize::Zeroizing;

/// The Names of all handles, one after the other.
pub(super) fn names(tpm: &Tpm<'_>) -> Result<Vec<u8>, Fault> {
    let mut names = Vec::new();
    for handle in &tpm.command.handles {
        names.extend_from_slice(&tpm.entity_name(*handle)?);
    }
    Ok(names)
}

/// cpHash = H(commandCode || Names || parameters), of the parameters as they came; computed once for each algorithm.
pub(super) fn cp_hash(tpm: &mut Tpm<'_>, hash: HashAlg, parameters: &[u8]) -> Result<Digest, Fault> {
    if let Some(digest) = tpm.command.cp_hash(hash) {
        return Ok(*digest);
    }
    let digest = tpm.hash(hash, &[&tpm.command.code.to_be_bytes(), &names(tpm)?, parameters]);
    let digest = Buffer::from_slice(&digest)?;
    tpm.command.cp_hashes.push((hash, digest));
    Ok(digest)
}

/// rpHash = H(responseCode || commandCode || parameters), of the parameters as they go.
pub(super) fn rp_hash(tpm: &Tpm<'_>, hash: HashAlg, parameters: &[u8]) -> Result<Digest, Fault> {
    Buffer::from_slice(&tpm.hash(hash, &[&0u32.to_be_bytes(), &tpm.command.code.to_be_bytes(), parameters]))
}

/// The HMAC that session `index` of the command must have.
pub(super) fn of_command(tpm: &mut Tpm<'_>, index: usize, parameters: &[u8]) -> Result<Digest, Fault> {
    let given = tpm.command.sessions.get(index).ok_or(Fault::FAILURE)?;
    let session = tpm.session(given.handle)?;
    let (hash, nonce_tpm) = (session.hash, session.nonce_tpm);
    let mut key = Zeroizing::new(session.key.to_vec());
    if given.include_auth {
        key.extend_from_slice(&given.auth_value);
    }
    if key.is_empty() && given.given.is_empty() {
        return Ok(Digest::EMPTY);
    }
    let (nonce_caller, attributes) = (given.nonce_caller, given.attributes.0);
    // The first session, if it authorizes, also covers the nonces of the sessions that decrypt and encrypt.
    let first = index == 0 && given.entity.is_some();
    let decrypt = tpm.command.decrypt.filter(|i| first && *i != index);
    let encrypt = tpm.command.encrypt.filter(|i| first && *i != index && Some(*i) != tpm.command.decrypt);
    let nonce_of = |other: Option<usize>| {
        let session = other.and_then(|i| tpm.command.sessions.get(i)).and_then(|s| tpm.session(s.handle).ok());
        session.map_or(Buffer::EMPTY, |session| session.nonce_tpm)
    };
    let (nonce_decrypt, nonce_encrypt) = (nonce_of(decrypt), nonce_of(encrypt));
    let cp_hash = cp_hash(tpm, hash, parameters)?;
    let parts: [&[u8]; 6] = [&cp_hash, &nonce_caller, &nonce_tpm, &nonce_decrypt, &nonce_encrypt, &[attributes]];
    Buffer::from_slice(&tpm.crypto.hash.hmac(hash, &key, &parts))
}

/// The HMAC of the answer by session `index`, with the authorization value that the entity has now.
pub(super) fn of_response(tpm: &Tpm<'_>, index: usize, auth_value: &[u8], parameters: &[u8]) -> Result<Digest, Fault> {
    let given = tpm.command.sessions.get(index).ok_or(Fault::FAILURE)?;
    let session = tpm.session(given.handle)?;
    let mut key = Zeroizing::new(session.key.to_vec());
    if given.include_auth {
        key.extend_from_slice(auth_value);
    }
    if key.is_empty() && given.given.is_empty() {
        return Ok(Digest::EMPTY);
    }
    let rp_hash = rp_hash(tpm, session.hash, parameters)?;
    let parts: [&[u8]; 4] = [&rp_hash, &session.nonce_tpm, &given.nonce_caller, &[given.attributes.0]];
    Buffer::from_slice(&tpm.crypto.hash.hmac(session.hash, &key, &parts))
}
