//! `TPM2_EvictControl` (Part 3, 28.5).

use crate::object::Object;
use crate::structures::{DhObject, DhPersistent, RhProvision, rh};
use crate::table::Execute;
use crate::tpm::Tpm;
use alloc::sync::Arc;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Makes a loaded object persistent, or removes a persistent object.
#[derive(Command)]
#[command(code = 0x120, nv)]
#[doc(alias = "TPM2_EvictControl")]
pub struct EvictControl {
    /// Owner or platform.
    #[handle(auth = user)]
    pub auth: RhProvision,
    /// The object; to remove it, by its persistent handle.
    #[handle]
    pub object_handle: DhObject,
    /// Its persistent handle.
    pub persistent_handle: DhPersistent,
}

/// What the authorization may make persistent, and where.
fn check_auth(auth: u32, object: &Object, handle: u32) -> Result<(), Fault> {
    let (platform, persistent) = (object.hierarchy == rh::PLATFORM, object.evict.is_some());
    let platform_range = handle >= rh::PLATFORM_PERSISTENT;
    // The platform may remove any persistent object.
    if auth == rh::PLATFORM && persistent {
        return Ok(());
    }
    if platform != (auth == rh::PLATFORM) {
        return Err(Fault::HIERARCHY.at_handle(2));
    }
    if !persistent && platform_range != platform { Err(Fault::RANGE.at_parameter(1)) } else { Ok(()) }
}

impl Execute for EvictControl {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let object = tpm.object(self.object_handle.0).map_err(|_| Fault::ATTRIBUTES.at_handle(2))?;
        if object.temporary || object.st_clear || object.sensitive.is_none() {
            return Err(Fault::ATTRIBUTES.at_handle(2));
        }
        let handle = self.persistent_handle.0;
        if object.evict.is_some_and(|evict| evict != handle) {
            return Err(Fault::HANDLE.at_handle(2));
        }
        check_auth(self.auth.0, &object, handle)?;
        if object.evict.is_some() {
            tpm.permanent_mut().persistent.remove(handle);
            return Ok(());
        }
        if tpm.state.permanent.persistent.contains(handle) {
            return Err(Fault::NV_DEFINED);
        }
        tpm.nv_check_new_object()?;
        let persistent = Object { evict: Some(handle), ..(*object).clone() };
        tpm.permanent_mut().persistent.insert(handle, Arc::new(persistent));
        Ok(())
    }
}
