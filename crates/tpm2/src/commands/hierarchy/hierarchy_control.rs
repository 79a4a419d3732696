//! `TPM2_HierarchyControl` (Part 3, 24.2).

use crate::structures::{RhBaseHierarchy, RhEnables, rh};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Switches a hierarchy (or platform NV) off or on.
#[derive(Command)]
#[command(code = 0x121, nv, extensive)]
#[doc(alias = "TPM2_HierarchyControl")]
pub struct HierarchyControl {
    /// PLATFORM, or the hierarchy itself.
    #[handle(auth = user)]
    pub auth_handle: RhBaseHierarchy,
    /// What to switch.
    pub enable: RhEnables,
    /// On or off.
    pub state: bool,
}

impl Execute for HierarchyControl {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let (auth, on) = (self.auth_handle.0, self.state);
        let now = match self.enable.0 {
            rh::PLATFORM => tpm.state.volatile.ph_enable,
            rh::PLATFORM_NV => tpm.state.clear.ph_enable_nv,
            rh::OWNER => tpm.state.clear.sh_enable,
            _ => tpm.state.clear.eh_enable,
        };
        let allowed = match self.enable.0 {
            rh::PLATFORM | rh::PLATFORM_NV => auth == rh::PLATFORM,
            // A hierarchy can switch itself off, but only the platform switches it on again.
            own => auth == rh::PLATFORM || (auth == own && (now || !on)),
        };
        if !allowed {
            return Err(Fault::AUTH_TYPE);
        }
        if now == on {
            return Ok(());
        }
        match self.enable.0 {
            rh::PLATFORM => tpm.state.volatile.ph_enable = on,
            rh::PLATFORM_NV => tpm.clear_mut().ph_enable_nv = on,
            rh::OWNER => tpm.clear_mut().sh_enable = on,
            _ => tpm.clear_mut().eh_enable = on,
        }
        if !on && self.enable.0 != rh::PLATFORM_NV {
            tpm.flush_hierarchy(self.enable.0);
        }
        tpm.clear_orderly();
        Ok(())
    }
}
