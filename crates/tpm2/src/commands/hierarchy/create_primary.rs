//! `TPM2_CreatePrimary` (Part 3, 24.1).

use crate::object::{Slot, attributes::check_template, load::Under, protect::adjust_auth};
use crate::structures::{
    AnyHandle, CreationData, CreationTicket, Data, Digest, Name, PcrSelections, Public, PublicWithName, RhHierarchy,
    SensitiveCreate, Sized2b,
};
use crate::table::Execute;
use crate::tpm::Tpm;
use alloc::sync::Arc;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// Derives an object from a primary seed, and loads it.
#[derive(Command)]
#[command(code = 0x131, response = CreatePrimaryResponse)]
#[doc(alias = "TPM2_CreatePrimary")]
pub struct CreatePrimary {
    /// The hierarchy.
    #[handle(auth = user)]
    pub primary_handle: RhHierarchy,
    /// Authorization value, and data that the key depends on.
    pub in_sensitive: Sized2b<SensitiveCreate>,
    /// Template.
    pub in_public: Sized2b<PublicWithName>,
    /// Data for the creation data.
    pub outside_info: Data,
    /// PCR for the creation data.
    pub creation_pcr: PcrSelections,
}

/// Answer of [`CreatePrimary`].
#[derive(Response)]
pub struct CreatePrimaryResponse {
    /// Handle of the new object.
    #[handle]
    pub object_handle: AnyHandle,
    /// The public area.
    pub out_public: Sized2b<Public>,
    /// How it was created.
    pub creation_data: Sized2b<CreationData>,
    /// Digest of `creation_data`.
    pub creation_hash: Digest,
    /// Proof of `creation_data`.
    pub creation_ticket: CreationTicket,
    /// Its Name.
    pub name: Name,
}

impl Execute for CreatePrimary {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<CreatePrimaryResponse, Fault> {
        tpm.check_free_slot()?;
        let (template, mut sensitive) = (self.in_public.0.0, self.in_sensitive.0);
        check_template(None, &template, sensitive.data.len()).map_err(|fault| fault.at_parameter(2))?;
        if !adjust_auth(&mut sensitive.user_auth, template.name_alg) {
            return Err(Fault::SIZE.at_parameter(1));
        }
        let hierarchy = self.primary_handle.0;
        let (parts, compat) = tpm.create_primary(hierarchy, &template, &sensitive)?;
        let (out_public, name) = (Sized2b(parts.public), parts.name);
        let creation = tpm.creation(&name, template.name_alg, hierarchy, None, self.outside_info, self.creation_pcr)?;
        let object = tpm.loaded(parts, Under::Hierarchy(hierarchy), compat)?;
        let handle = tpm.insert_slot(Slot::Object(Arc::new(object)))?;
        Ok(CreatePrimaryResponse {
            object_handle: AnyHandle(handle),
            out_public,
            creation_data: Sized2b(creation.data),
            creation_hash: creation.hash,
            creation_ticket: creation.ticket,
            name,
        })
    }
}
