//! What the dispatcher knows of the running command: its handles, and the sessions in its authorization area.

use crate::structures::{Auth, Digest, HashAlg, Nonce, SessionAttributes, rh};
use alloc::vec::Vec;

/// One session of the authorization area (TPMS_AUTH_COMMAND) and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct CommandSession {
    /// Handle of the session, or RS_PW.
    pub(crate) handle: u32,
    /// The handle that it authorizes.
    pub(crate) entity: Option<u32>,
    /// The caller's nonce.
    pub(crate) nonce_caller: Nonce,
    /// Attributes; in the answer they may differ.
    pub(crate) attributes: SessionAttributes,
    /// Password or HMAC of the caller.
    pub(crate) given: Auth,
    /// The authorization value of the entity is part of the HMAC key.
    pub(crate) include_auth: bool,
    /// Authorization value of the entity when the command came: what the answer is computed with if the command
    /// ends the life of the entity, as TPM2_SequenceComplete does.
    pub(crate) auth_value: Auth,
}

impl CommandSession {
    /// True for a password.
    pub(crate) const fn is_password(&self) -> bool {
        self.handle == rh::RS_PW
    }

    /// True if `attribute` is set.
    pub(crate) const fn has(&self, attribute: SessionAttributes) -> bool {
        self.attributes.has(attribute)
    }
}

/// What authorizations cost, even if the command changes nothing else.
#[derive(Clone, Debug, Default)]
pub(crate) struct Penalty {
    /// A dictionary-attack failure of this handle (LOCKOUT or any other).
    pub(crate) lockout: Option<u32>,
    /// Counts of pin Indexes after their use, right or wrong.
    pub(crate) pins: Vec<(u32, u32)>,
}

impl Penalty {
    /// True if there is one.
    pub(crate) const fn is_due(&self) -> bool {
        self.lockout.is_some() || !self.pins.is_empty()
    }
}

/// What the dispatcher knows of the running command and its sessions.
#[derive(Clone, Debug, Default)]
pub(crate) struct CommandSessions {
    /// Command code.
    pub(crate) code: u32,
    /// Handles of the command.
    pub(crate) handles: Vec<u32>,
    /// Sessions in the order of the authorization area.
    pub(crate) sessions: Vec<CommandSession>,
    /// Index of the session that decrypts the first parameter.
    pub(crate) decrypt: Option<usize>,
    /// Index of the session that encrypts the first response parameter.
    pub(crate) encrypt: Option<usize>,
    /// cpHash values computed so far, of the parameters as they came.
    pub(crate) cp_hashes: Vec<(HashAlg, Digest)>,
    /// What the authorizations cost.
    pub(crate) penalty: Penalty,
}

impl CommandSessions {
    /// Of a command without sessions yet.
    pub(crate) fn new(code: u32) -> Self {
        Self { code, ..Self::default() }
    }

    /// The cpHash, if it was computed.
    pub(crate) fn cp_hash(&self, hash: HashAlg) -> Option<&Digest> {
        self.cp_hashes.iter().find(|(alg, _)| *alg == hash).map(|(_, digest)| digest)
    }
}
