//! `TPM2_Clear` (Part 3, 24.6).

use crate::state::Hierarchy;
use crate::structures::{Auth, NvAttributes, RhClear, rh};
use crate::table::Execute;
use crate::tpm::Tpm;
use alloc::vec::Vec;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Takes the TPM from its owner: storage and endorsement objects, owner NV and their authorizations are gone.
#[derive(Command)]
#[command(code = 0x126, nv, extensive)]
#[doc(alias = "TPM2_Clear")]
pub struct Clear {
    /// LOCKOUT or PLATFORM.
    #[handle(auth = user)]
    pub auth_handle: RhClear,
}

impl Execute for Clear {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        if tpm.state.permanent.disable_clear {
            return Err(Fault::DISABLED);
        }
        let (seed, sh_proof, eh_proof) = (tpm.new_seed()?, tpm.new_secret()?, tpm.new_secret()?);
        let owned: Vec<u32> = {
            let nv = tpm.state.permanent.nv.iter();
            nv.filter(|(_, index)| !index.has(NvAttributes::PLATFORMCREATE)).map(|(handle, _)| handle).collect()
        };
        for handle in owned {
            tpm.nv_delete(handle);
        }
        let permanent = tpm.permanent_mut();
        permanent.sp_seed = seed;
        permanent.sh_proof = sh_proof;
        permanent.eh_proof = eh_proof;
        permanent.owner = Hierarchy::default();
        permanent.endorsement = Hierarchy::default();
        permanent.lockout = Hierarchy::default();
        permanent.reset_count = 0;
        permanent.clock = 0;
        permanent.clock_safe = true;
        permanent.audit_counter = 0;
        tpm.state.volatile.clock = 0;
        let clear = tpm.clear_mut();
        clear.sh_enable = true;
        clear.eh_enable = true;
        clear.pcr_auth = Auth::default();
        let reset = tpm.reset_mut();
        reset.restart_count = 0;
        reset.clear_count = 0;
        tpm.lockout_defaults();
        for hierarchy in [rh::OWNER, rh::ENDORSEMENT] {
            tpm.flush_hierarchy(hierarchy);
            tpm.remove_persistent(hierarchy);
        }
        tpm.pcr_changed(0);
        tpm.clear_orderly();
        Ok(())
    }
}
