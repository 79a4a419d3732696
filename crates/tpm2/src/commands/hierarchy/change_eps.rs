//! `TPM2_ChangeEPS` (Part 3, 24.5).

use crate::state::Hierarchy;
use crate::structures::{RhPlatform, rh};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Replaces the endorsement primary seed: all objects of the endorsement hierarchy are gone.
#[derive(Command)]
#[command(code = 0x124, nv, extensive)]
#[doc(alias = "TPM2_ChangeEPS")]
pub struct ChangeEps {
    /// PLATFORM.
    #[handle(auth = user)]
    pub auth_handle: RhPlatform,
}

impl Execute for ChangeEps {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let (seed, proof) = (tpm.new_seed()?, tpm.new_secret()?);
        let permanent = tpm.permanent_mut();
        permanent.ep_seed = seed;
        permanent.eh_proof = proof;
        permanent.endorsement = Hierarchy::default();
        tpm.clear_mut().eh_enable = true;
        tpm.flush_hierarchy(rh::ENDORSEMENT);
        tpm.remove_persistent(rh::ENDORSEMENT);
        tpm.clear_orderly();
        Ok(())
    }
}
