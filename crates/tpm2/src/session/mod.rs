//! Sessions: HMAC, policy and trial (Part 1, 19).

mod command;
mod create;
mod encoding;
mod policy;
mod table;

pub(crate) use command::{CommandSession, CommandSessions, Penalty};
pub(crate) use policy::{BoundHash, Policy};

use alloc::sync::Arc;

use crate::structures::{Auth, Digest, HashAlg, MAX_LOADED_SESSIONS, Nonce, Secret, SymDef};

/// What binds a session to an entity: its Name with its authorization value mixed in (Part 4,
/// SessionComputeBoundEntity).
pub(crate) type BindValue = Secret<68>;

/// A loaded session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// The hash of the session: of its HMACs, its key and its policy digest.
    pub(crate) hash: HashAlg,
    /// How the session encrypts parameters.
    pub(crate) symmetric: SymDef,
    /// The TPM's newest nonce.
    pub(crate) nonce_tpm: Nonce,
    /// The session key; empty if the session is neither bound nor salted.
    pub(crate) key: Auth,
    /// The entity that an HMAC session is bound to; gone once the session is used for audit.
    pub(crate) bound: Option<BindValue>,
    /// The session was made with an entity under dictionary-attack protection.
    pub(crate) da_bound: bool,
    /// That entity was lockout.
    pub(crate) lockout_bound: bool,
    /// The audit digest, once the session is used for audit.
    pub(crate) audit_digest: Option<Digest>,
    /// `None` for an HMAC session.
    pub(crate) policy: Option<Policy>,
}

/// The loaded sessions.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    pub(crate) slots: [Option<Arc<Session>>; MAX_LOADED_SESSIONS],
}

impl Default for Sessions {
    fn default() -> Self {
        Self { slots: [const { None }; MAX_LOADED_SESSIONS] }
    }
}
