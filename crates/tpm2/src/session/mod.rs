//! Sessions: HMAC, policy and trial (Part 1, 19).

use crate::structures::MAX_LOADED_SESSIONS;

/// A loaded session.
#[derive(Clone, Debug)]
pub(crate) struct Session {}

/// The loaded sessions.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    pub(crate) slots: [Option<Session>; MAX_LOADED_SESSIONS],
}

impl Default for Sessions {
    fn default() -> Self {
        Self { slots: [const { None }; MAX_LOADED_SESSIONS] }
    }
}

/// What the dispatcher knows of the running command and its sessions.
#[derive(Clone, Debug, Default)]
pub(crate) struct CommandSessions {
    /// Command code.
    pub(crate) code: u32,
    /// Handles of the command.
    pub(crate) handles: alloc::vec::Vec<u32>,
}
