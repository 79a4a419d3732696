//! The TPM as a command sees it.

use crate::profile::Limits;
use crate::state::{ClearData, Permanent, ResetData, State};
use crate::structures::{HashAlg, rh};
use alloc::{sync::Arc, vec, vec::Vec};
use sealwright_core::{Fault, Platform};
use sealwright_crypto::{Crypto, CryptoError, Random};
use zeroize::Zeroizing;

/// State, crypto and platform for the time of one command. `state` is a working copy: the dispatcher keeps the one
/// before and puts it back on any fault and when the commit fails.
pub(crate) struct Tpm<'a> {
    pub(crate) crypto: &'static Crypto,
    pub(crate) platform: &'a mut dyn Platform,
    pub(crate) state: &'a mut State,
    /// Locality of the running command.
    pub(crate) locality: u8,
    /// Sessions, handles and code of the running command.
    pub(crate) command: crate::session::CommandSessions,
}

impl Tpm<'_> {
    /// The permanent state, for changes. A change is committed before the answer leaves.
    pub(crate) fn permanent_mut(&mut self) -> &mut Permanent {
        Arc::make_mut(&mut self.state.permanent)
    }

    /// State until TPM Reset, for changes.
    pub(crate) fn reset_mut(&mut self) -> &mut ResetData {
        Arc::make_mut(&mut self.state.reset)
    }

    /// State until TPM Restart, for changes.
    pub(crate) fn clear_mut(&mut self) -> &mut ClearData {
        Arc::make_mut(&mut self.state.clear)
    }

    /// `n` random bytes, wiped when dropped.
    pub(crate) fn random_bytes(&mut self, n: usize) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(vec![0; n]);
        self.state.drbg.fill(&mut bytes);
        bytes
    }

    /// Hash of the concatenated parts.
    pub(crate) fn hash(&self, alg: HashAlg, parts: &[&[u8]]) -> sealwright_crypto::Digest {
        self.crypto.hash.digest(alg, parts)
    }

    /// What the profile of the TPM allows; everything if `None`.
    pub(crate) fn limits(&self) -> Option<Arc<Limits>> {
        self.state.permanent.profile.limits()
    }

    /// True if the TPM has a command: one of the table that its profile does not leave out.
    pub(crate) fn has_command(&self, code: u32) -> bool {
        crate::commands::TABLE.iter().any(|entry| entry.spec.code == code)
            && self.limits().is_none_or(|limits| limits.command(code))
    }

    /// True if the profile has an attribute.
    pub(crate) fn has_attribute(&self, attribute: u16) -> bool {
        self.limits().is_some_and(|limits| limits.has(attribute))
    }

    /// True if a hierarchy is switched on. NULL always is.
    pub(crate) fn hierarchy_enabled(&self, hierarchy: u32) -> bool {
        match hierarchy {
            rh::OWNER => self.state.clear.sh_enable,
            rh::ENDORSEMENT => self.state.clear.eh_enable,
            rh::PLATFORM => self.state.volatile.ph_enable,
            _ => true,
        }
    }
}

/// The response code for a refusal by the crypto provider where the command has no better one.
pub(crate) fn fault_of(error: CryptoError) -> Fault {
    match error {
        CryptoError::Cancelled => Fault::CANCELED,
        CryptoError::NoResult => Fault::NO_RESULT,
        CryptoError::Mismatch => Fault::SIGNATURE,
        CryptoError::InvalidInput | CryptoError::TooLarge | CryptoError::Unsupported => Fault::VALUE,
        _ => Fault::FAILURE,
    }
}
