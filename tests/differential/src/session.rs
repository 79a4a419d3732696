//! Authorization sessions from the caller's side (Part 1, 17 to 21): HMACs, rolling nonces, parameter encryption.

use crate::codes::*;
use crate::crypto::{self, Symmetric};
use crate::wire::{In, Out};
use std::collections::BTreeMap;

/// What a policy session has learned that changes its HMAC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PolicyAuth {
    /// HMAC without the object's authValue.
    #[default]
    None,
    /// TPM2_PolicyAuthValue: authValue is part of the key.
    AuthValue,
    /// TPM2_PolicyPassword: authValue goes in the clear.
    Password,
}

/// One open session.
#[derive(Clone, Debug)]
pub struct Session {
    /// authHash.
    pub hash: u16,
    /// Parameter encryption.
    pub symmetric: Symmetric,
    /// The session key; empty when neither salted nor bound.
    pub key: Vec<u8>,
    /// The newest nonce of the TPM.
    pub nonce_tpm: Vec<u8>,
    /// True for TPM_SE_POLICY.
    pub policy: bool,
    /// Name and authValue of the entity it is bound to.
    pub bound: Option<(Vec<u8>, Vec<u8>)>,
    /// See [`PolicyAuth`].
    pub policy_auth: PolicyAuth,
}

/// How one handle of a command is authorized, or an extra session of the command.
#[derive(Clone, Debug)]
pub struct Use {
    /// Session handle, or TPM_RS_PW.
    pub session: u32,
    /// TPMA_SESSION.
    pub attributes: u8,
    /// The authValue of the entity as the caller knows it.
    pub auth: Vec<u8>,
}

/// A password.
pub fn password(auth: &[u8]) -> Use {
    Use { session: RS_PW, attributes: CONTINUE, auth: auth.to_vec() }
}

/// A session that continues.
pub fn with(session: u32, auth: &[u8]) -> Use {
    Use { session, attributes: CONTINUE, auth: auth.to_vec() }
}

/// A session with these attributes.
pub fn attributed(session: u32, attributes: u8, auth: &[u8]) -> Use {
    Use { session, attributes, auth: auth.to_vec() }
}

fn trimmed(auth: &[u8]) -> &[u8] {
    let end = auth.iter().rposition(|b| *b != 0).map_or(0, |i| i + 1);
    &auth[..end]
}

/// A command being authorized: what is needed to check the response.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    nonces: Vec<Vec<u8>>,
    uses: Vec<Use>,
    authorized: usize,
    entities: Vec<Vec<u8>>,
}

impl Pending {
    /// The authValue of the first handle from now on.
    pub fn set_auth(&mut self, auth: &[u8]) {
        if let Some(usage) = self.uses.first_mut() {
            usage.auth = auth.to_vec();
        }
    }
}

impl Session {
    fn hmac_key(&self, usage: &Use, entity: Option<&Vec<u8>>) -> Vec<u8> {
        let auth = trimmed(&usage.auth);
        let include = match (entity, self.policy) {
            (None, _) => false,
            (Some(_), true) => self.policy_auth == PolicyAuth::AuthValue,
            (Some(name), false) => !self.bound.as_ref().is_some_and(|b| b.0 == *name && trimmed(&b.1) == auth),
        };
        if include { [&self.key[..], auth].concat() } else { self.key.clone() }
    }

    fn cipher_key(&self, usage: &Use, entity: Option<&Vec<u8>>) -> Vec<u8> {
        if entity.is_some() { [&self.key[..], trimmed(&usage.auth)].concat() } else { self.key.clone() }
    }
}

/// Encrypts the first parameter if a session asks for it and writes the authorization area. `nonce` makes caller nonces.
pub fn authorize(
    sessions: &BTreeMap<u32, Session>,
    code: u32,
    names: &[Vec<u8>],
    authorized: usize,
    uses: &[Use],
    parameters: &mut [u8],
    mut nonce: impl FnMut(usize) -> Vec<u8>,
) -> (Vec<u8>, Pending) {
    let nonces: Vec<Vec<u8>> =
        uses.iter().map(|u| sessions.get(&u.session).map_or_else(Vec::new, |s| nonce(s.nonce_tpm.len()))).collect();
    let entities: Vec<Vec<u8>> = names.iter().take(authorized).cloned().collect();
    let find = |bit: u8| uses.iter().position(|u| u.attributes & bit != 0 && sessions.contains_key(&u.session));
    let (decrypter, encrypter) = (find(DECRYPT), find(ENCRYPT));
    if let Some(i) = decrypter
        && let Some(s) = sessions.get(&uses[i].session)
        && let Some(n) = In(parameters).u16()
        && let Some(body) = parameters.get_mut(2..2 + usize::from(n))
    {
        let key = s.cipher_key(&uses[i], entities.get(i));
        crypto::parameter(s.symmetric, s.hash, &key, &nonces[i], &s.nonce_tpm, body, false);
    }
    let mut area = Out::new();
    for (i, usage) in uses.iter().enumerate() {
        let Some(s) = sessions.get(&usage.session) else {
            area = area.u32(usage.session).sized(&[]).u8(usage.attributes).sized(&usage.auth);
            continue;
        };
        let cp_hash = crypto::hash(s.hash, &[&code.to_be_bytes(), &names.concat(), parameters]);
        let extra = |at: Option<usize>| at.filter(|_| i == 0).filter(|at| *at != 0).map(|at| uses[at].session);
        let decrypt_nonce = extra(decrypter);
        let encrypt_nonce = extra(encrypter).filter(|e| Some(*e) != decrypt_nonce);
        let nonce_of = |h: Option<u32>| h.and_then(|h| sessions.get(&h)).map_or_else(Vec::new, |s| s.nonce_tpm.clone());
        let entity = entities.get(i);
        let mac = match s.policy_auth {
            PolicyAuth::Password if s.policy && entity.is_some() => usage.auth.clone(),
            _ => {
                let key = s.hmac_key(usage, entity);
                // A policy session without key and secret needs no HMAC.
                if s.policy && key.is_empty() {
                    Vec::new()
                } else {
                    crypto::hmac(
                        s.hash,
                        &key,
                        &[
                            &cp_hash,
                            &nonces[i],
                            &s.nonce_tpm,
                            &nonce_of(decrypt_nonce),
                            &nonce_of(encrypt_nonce),
                            &[usage.attributes],
                        ],
                    )
                }
            }
        };
        area = area.u32(usage.session).sized(&nonces[i]).u8(usage.attributes).sized(&mac);
    }
    (area.0, Pending { nonces, uses: uses.to_vec(), authorized, entities })
}

/// Checks the response's authorization area, decrypts its first parameter, rolls the nonces. Gives what was wrong.
pub fn check(
    sessions: &mut BTreeMap<u32, Session>,
    pending: &Pending,
    code: u32,
    parameters: &mut [u8],
    area: &[u8],
) -> Vec<String> {
    let mut faults = Vec::new();
    let encrypted = parameters.to_vec();
    let mut input = In(area);
    for (i, usage) in pending.uses.iter().enumerate() {
        let (Some(nonce), Some(attributes), Some(mac)) = (input.sized(), input.u8(), input.sized()) else {
            faults.push(format!("session {} of the response is cut short", i + 1));
            return faults;
        };
        let Some(s) = sessions.get_mut(&usage.session) else {
            if !nonce.is_empty() || !mac.is_empty() || attributes != CONTINUE {
                faults.push(format!("password session {} answers with nonce, HMAC or attributes", i + 1));
            }
            continue;
        };
        let expected_attributes = usage.attributes;
        if attributes & !AUDIT_EXCLUSIVE != expected_attributes & !AUDIT_EXCLUSIVE {
            faults.push(format!("session {} attributes {attributes:#04x}, sent {expected_attributes:#04x}", i + 1));
        }
        if nonce.len() != s.nonce_tpm.len() {
            faults.push(format!("session {} nonce has {} bytes instead of {}", i + 1, nonce.len(), s.nonce_tpm.len()));
        }
        s.nonce_tpm = nonce.to_vec();
        let rp_hash = crypto::hash(s.hash, &[&0u32.to_be_bytes(), &code.to_be_bytes(), &encrypted]);
        let entity = pending.entities.get(i).filter(|_| i < pending.authorized);
        let key = s.hmac_key(usage, entity);
        let password = s.policy && s.policy_auth == PolicyAuth::Password && entity.is_some();
        let expected = if password || (s.policy && key.is_empty()) {
            Vec::new()
        } else {
            crypto::hmac(s.hash, &key, &[&rp_hash, &s.nonce_tpm, &pending.nonces[i], &[attributes]])
        };
        if expected != mac {
            faults.push(format!("session {} HMAC of the response is wrong", i + 1));
        }
        if attributes & ENCRYPT != 0
            && let Some(n) = In(parameters).u16()
            && let Some(body) = parameters.get_mut(2..2 + usize::from(n))
        {
            let key = s.cipher_key(usage, entity);
            crypto::parameter(s.symmetric, s.hash, &key, &s.nonce_tpm, &pending.nonces[i], body, true);
        }
        if attributes & CONTINUE == 0 {
            sessions.remove(&usage.session);
        }
    }
    if !input.is_empty() {
        faults.push("bytes after the last session of the response".into());
    }
    faults
}
