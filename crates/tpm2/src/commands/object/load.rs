//! `TPM2_Load` (Part 3, 12.2).

use crate::object::{
    Slot,
    load::{Blame, Parts, Under, check_object},
};
use crate::structures::{AnyHandle, DhObject, Name, Private, PublicWithName, Sized2b};
use crate::table::Execute;
use crate::tpm::Tpm;
use alloc::sync::Arc;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// Loads an object that [`super::create::Create`] or [`crate::commands::duplication::import::Import`] made.
#[derive(Command)]
#[command(code = 0x157, response = LoadResponse)]
#[doc(alias = "TPM2_Load")]
pub struct Load {
    /// The parent.
    #[handle(auth = user)]
    pub parent_handle: DhObject,
    /// The sensitive area as the parent protects it.
    pub in_private: Private,
    /// The public area.
    pub in_public: Sized2b<PublicWithName>,
}

/// Answer of [`Load`].
#[derive(Response)]
pub struct LoadResponse {
    /// Handle of the loaded object.
    #[handle]
    pub object_handle: AnyHandle,
    /// Its Name.
    pub name: Name,
}

impl Execute for Load {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<LoadResponse, Fault> {
        tpm.check_free_slot()?;
        if self.in_private.is_empty() {
            return Err(Fault::SIZE.at_parameter(1));
        }
        let parent = tpm.object(self.parent_handle.0).map_err(|_| Fault::TYPE.at_handle(1))?;
        if !parent.is_parent() {
            return Err(Fault::TYPE.at_handle(1));
        }
        let public = self.in_public.0.0;
        let name = tpm.public_name(&public)?;
        let sensitive =
            tpm.private_to_sensitive(&self.in_private, &name, &parent).map_err(|fault| fault.at_parameter(1))?;
        let blame = Blame { public: 2, sensitive: 1 };
        let rsa = check_object(tpm.crypto, Some(&parent), &public, Some(&sensitive), blame)?;
        let parts = Parts { public, sensitive: Some(sensitive), name, rsa };
        let object = tpm.loaded(parts, Under::Parent(&parent), parent.seed_compat)?;
        let handle = tpm.insert_slot(Slot::Object(Arc::new(object)))?;
        Ok(LoadResponse { object_handle: AnyHandle(handle), name })
    }
}
