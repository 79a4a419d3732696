//! The state of a policy session and the steps that all policy commands share (Part 4, Policy_spt.c).

use super::Session;
use crate::structures::{Digest, HashAlg, Name};
use crate::tpm::Tpm;
use sealwright_core::{Buffer, Fault};

/// A digest of the command that a policy allows, and of what in it.
#[derive(Clone, Debug)]
pub(crate) enum BoundHash {
    /// Code, Names and parameters (TPM2_PolicyCpHash and the like).
    Command(Digest),
    /// The Names of the handles (TPM2_PolicyNameHash, TPM2_PolicyDuplicationSelect).
    Names(Digest),
    /// Code and parameters (TPM2_PolicyParameters).
    Parameters(Digest),
    /// The template of a creation (TPM2_PolicyTemplate).
    Template(Digest),
}

impl BoundHash {
    /// The digest, whatever it is of.
    pub(crate) const fn digest(&self) -> &Digest {
        match self {
            Self::Command(digest) | Self::Names(digest) | Self::Parameters(digest) | Self::Template(digest) => digest,
        }
    }
}

/// What a policy session has gathered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    /// A trial session: computes a digest and authorizes nothing.
    pub(crate) trial: bool,
    /// policyDigest.
    pub(crate) digest: Digest,
    /// Time at which the session was started or reset.
    pub(crate) start_time: u64,
    /// Epoch of `start_time`.
    pub(crate) epoch: u32,
    /// Time at which the policy ends; 0 for never.
    pub(crate) timeout: u64,
    /// The command that the policy is for; 0 for any.
    pub(crate) command_code: u32,
    /// TPMA_LOCALITY; 0 for any.
    pub(crate) locality: u8,
    /// What the command must contain.
    pub(crate) bound: Option<BoundHash>,
    /// PCR update counter at TPM2_PolicyPCR; 0 if there was none.
    pub(crate) pcr_counter: u32,
    /// TPM2_PolicyPhysicalPresence.
    pub(crate) pp_required: bool,
    /// TPM2_PolicyAuthValue.
    pub(crate) auth_value_needed: bool,
    /// TPM2_PolicyPassword.
    pub(crate) password_needed: bool,
    /// TPM2_PolicyNvWritten.
    pub(crate) nv_written: Option<bool>,
}

impl Session {
    /// The policy; TPM_RC_HANDLE if this is an HMAC session.
    pub(crate) fn policy(&self) -> Result<&Policy, Fault> {
        self.policy.as_ref().ok_or(Fault::HANDLE)
    }
}

impl Tpm<'_> {
    /// The hash algorithm and the policy of a policy session.
    pub(crate) fn policy(&self, handle: u32) -> Result<(HashAlg, &Policy), Fault> {
        let session = self.session(handle)?;
        Ok((session.hash, session.policy()?))
    }

    /// The policy of a policy session, for changes.
    pub(crate) fn policy_mut(&mut self, handle: u32) -> Result<&mut Policy, Fault> {
        self.session_mut(handle)?.policy.as_mut().ok_or(Fault::HANDLE)
    }

    /// policyDigest = H(policyDigest || parts).
    pub(crate) fn extend_policy(&mut self, handle: u32, parts: &[&[u8]]) -> Result<(), Fault> {
        let (hash, policy) = self.policy(handle)?;
        let mut all = alloc::vec![policy.digest.as_slice()];
        all.extend_from_slice(parts);
        let digest = Buffer::from_slice(&self.hash(hash, &all))?;
        self.policy_mut(handle)?.digest = digest;
        Ok(())
    }

    /// policyDigest = zeros, as before the first assertion.
    pub(crate) fn clear_policy_digest(&mut self, handle: u32) -> Result<(), Fault> {
        let size = self.session(handle)?.hash.size();
        self.policy_mut(handle)?.digest = Buffer::zeros(size);
        Ok(())
    }

    /// Forgets all assertions and takes the time as the new start (TPM2_PolicyRestart; after a use of the session).
    pub(crate) fn restart_policy(&mut self, handle: u32) -> Result<(), Fault> {
        let (start_time, epoch) = (self.state.volatile.time, self.state.permanent.time_epoch);
        let session = self.session_mut(handle)?;
        let trial = session.policy()?.trial;
        let digest = Buffer::zeros(session.hash.size());
        session.policy = Some(Policy { trial, digest, start_time, epoch, ..Policy::default() });
        Ok(())
    }

    /// The time at which an authorization of `expiration` seconds ends; 0 for never (Part 4, ComputeAuthTimeout).
    pub(crate) fn auth_timeout(&self, handle: u32, expiration: i32, has_nonce: bool) -> Result<u64, Fault> {
        let (_, policy) = self.policy(handle)?;
        if expiration == 0 {
            return Ok(0);
        }
        // The most negative number counts as the one next to it.
        let seconds = u64::from(expiration.unsigned_abs().min(i32::MAX.unsigned_abs()));
        let base = if has_nonce { policy.start_time } else { self.state.volatile.time % 1000 };
        Ok(seconds.saturating_mul(1000).saturating_add(base))
    }

    /// Checks nonce, timeout and cpHash of an authorization (Part 4, PolicyParameterChecks). The numbers are the
    /// parameters to blame.
    pub(crate) fn check_policy_parameters(
        &self,
        handle: u32,
        timeout: u64,
        (nonce, nonce_parameter): (&[u8], u8),
        (cp_hash, cp_hash_parameter): (&[u8], u8),
        timeout_parameter: u8,
    ) -> Result<(), Fault> {
        let session = self.session(handle)?;
        let policy = session.policy()?;
        if !nonce.is_empty() && nonce != session.nonce_tpm.as_slice() {
            return Err(Fault::NONCE.at_parameter(nonce_parameter));
        }
        if timeout != 0 && (timeout < self.state.volatile.time || policy.epoch != self.state.permanent.time_epoch) {
            return Err(Fault::EXPIRED.at_parameter(timeout_parameter));
        }
        if !cp_hash.is_empty() {
            if cp_hash.len() != policy.digest.len() {
                return Err(Fault::SIZE.at_parameter(cp_hash_parameter));
            }
            if policy.bound.as_ref().is_some_and(|bound| bound.digest().as_slice() != cp_hash) {
                return Err(Fault::CPHASH);
            }
        }
        Ok(())
    }

    /// Adds an authorization to a policy (Part 4, PolicyContextUpdate): code and Name, then policyRef if the command
    /// has one, and what the authorization is limited to.
    pub(crate) fn update_policy(
        &mut self,
        handle: u32,
        code: u32,
        name: &Name,
        policy_ref: Option<&[u8]>,
        cp_hash: &[u8],
        timeout: u64,
    ) -> Result<(), Fault> {
        self.extend_policy(handle, &[&code.to_be_bytes(), name])?;
        if let Some(policy_ref) = policy_ref {
            self.extend_policy(handle, &[policy_ref])?;
        }
        let policy = self.policy_mut(handle)?;
        if !cp_hash.is_empty() {
            policy.bound = Some(BoundHash::Command(Buffer::from_slice(cp_hash)?));
        }
        if timeout != 0 && (policy.timeout == 0 || policy.timeout > timeout) {
            policy.timeout = timeout;
        }
        Ok(())
    }
}
