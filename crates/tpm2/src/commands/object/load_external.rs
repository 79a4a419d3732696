//! `TPM2_LoadExternal` (Part 3, 12.3).

use crate::object::{
    Slot,
    load::{Blame, Parts, Under, check_object},
};
use crate::structures::{AnyHandle, Name, ObjectAttributes as A, OptionalSensitive, Public, RhHierarchy, Sized2b, rh};
use crate::table::Execute;
use crate::tpm::Tpm;
use alloc::sync::Arc;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// Loads an object that is not protected: a public area, or both areas into the NULL hierarchy.
#[derive(Command)]
#[command(code = 0x167, response = LoadExternalResponse)]
#[doc(alias = "TPM2_LoadExternal")]
pub struct LoadExternal {
    /// The sensitive area, or none.
    pub in_private: OptionalSensitive,
    /// The public area.
    pub in_public: Sized2b<Public>,
    /// The hierarchy whose proof its tickets use.
    pub hierarchy: RhHierarchy,
}

/// Answer of [`LoadExternal`].
#[derive(Response)]
pub struct LoadExternalResponse {
    /// Handle of the loaded object.
    #[handle]
    pub object_handle: AnyHandle,
    /// Its Name; empty without a name algorithm.
    pub name: Name,
}

impl Execute for LoadExternal {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<LoadExternalResponse, Fault> {
        tpm.check_free_slot()?;
        let (public, sensitive, hierarchy) = (self.in_public.0, self.in_private.0, self.hierarchy.0);
        if !tpm.hierarchy_enabled(hierarchy) {
            return Err(Fault::HIERARCHY.at_parameter(3));
        }
        if sensitive.is_some() {
            if hierarchy != rh::NULL {
                return Err(Fault::HIERARCHY.at_parameter(3));
            }
            // Such attributes would promise what nobody has protected.
            if [A::FIXED_TPM, A::FIXED_PARENT, A::RESTRICTED].into_iter().any(|a| public.has(a)) {
                return Err(Fault::ATTRIBUTES.at_parameter(2));
            }
        }
        let name = tpm.public_name(&public)?;
        let blame = Blame { public: 2, sensitive: 1 };
        let rsa = check_object(tpm.crypto, None, &public, sensitive.as_ref(), blame)?;
        let parts = Parts { public, sensitive, name, rsa };
        let object = tpm.loaded(parts, Under::External(hierarchy), 0)?;
        let handle = tpm.insert_slot(Slot::Object(Arc::new(object)))?;
        Ok(LoadExternalResponse { object_handle: AnyHandle(handle), name })
    }
}
