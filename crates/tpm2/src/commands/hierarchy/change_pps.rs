//! `TPM2_ChangePPS` (Part 3, 24.4).

use crate::structures::{Digest, RhPlatform, rh};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Replaces the platform primary seed: all objects of the platform hierarchy are gone.
#[derive(Command)]
#[command(code = 0x125, nv, extensive)]
#[doc(alias = "TPM2_ChangePPS")]
pub struct ChangePps {
    /// PLATFORM.
    #[handle(auth = user)]
    pub auth_handle: RhPlatform,
}

impl Execute for ChangePps {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let (seed, proof) = (tpm.new_seed()?, tpm.new_secret()?);
        let permanent = tpm.permanent_mut();
        permanent.pp_seed = seed;
        permanent.ph_proof = proof;
        let platform = &mut tpm.clear_mut().platform;
        platform.policy_alg = None;
        platform.policy = Digest::EMPTY;
        tpm.flush_hierarchy(rh::PLATFORM);
        tpm.remove_persistent(rh::PLATFORM);
        tpm.clear_orderly();
        Ok(())
    }
}
