//! `TPM2_Create` (Part 3, 12.1).

use crate::object::{attributes::check_template, protect::adjust_auth};
use crate::structures::{
    CreationData, CreationTicket, Data, DhObject, Digest, PcrSelections, Private, Public, PublicWithName,
    SensitiveCreate, Sized2b,
};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// Makes an object that its parent can load.
#[derive(Command)]
#[command(code = 0x153, response = CreateResponse)]
#[doc(alias = "TPM2_Create")]
pub struct Create {
    /// The parent.
    #[handle(auth = user)]
    pub parent_handle: DhObject,
    /// Authorization value, and data to seal or a key.
    pub in_sensitive: Sized2b<SensitiveCreate>,
    /// Template.
    pub in_public: Sized2b<PublicWithName>,
    /// Data for the creation data.
    pub outside_info: Data,
    /// PCR for the creation data.
    pub creation_pcr: PcrSelections,
}

/// Answer of [`Create`].
#[derive(Response)]
pub struct CreateResponse {
    /// The sensitive area, for the parent only.
    pub out_private: Private,
    /// The public area.
    pub out_public: Sized2b<Public>,
    /// How it was created.
    pub creation_data: Sized2b<CreationData>,
    /// Digest of `creation_data`.
    pub creation_hash: Digest,
    /// Proof of `creation_data`.
    pub creation_ticket: CreationTicket,
}

impl Execute for Create {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<CreateResponse, Fault> {
        let parent = tpm.object(self.parent_handle.0).map_err(|_| Fault::TYPE.at_handle(1))?;
        if !parent.is_parent() {
            return Err(Fault::TYPE.at_handle(1));
        }
        tpm.check_free_slot()?;
        let (template, mut sensitive) = (self.in_public.0.0, self.in_sensitive.0);
        check_template(Some(&parent), &template, sensitive.data.len()).map_err(|fault| fault.at_parameter(2))?;
        if !adjust_auth(&mut sensitive.user_auth, template.name_alg) {
            return Err(Fault::SIZE.at_parameter(1));
        }
        let new = tpm.create_ordinary(&template, &sensitive)?;
        let name_alg = new.public.name_alg;
        let parent_handle = self.parent_handle.0;
        let creation =
            tpm.creation(&new.name, name_alg, parent_handle, Some(&parent), self.outside_info, self.creation_pcr)?;
        let secret = new.sensitive.as_ref().ok_or(Fault::FAILURE)?;
        Ok(CreateResponse {
            out_private: tpm.sensitive_to_private(secret, &new.name, &parent, name_alg)?,
            out_public: Sized2b(new.public),
            creation_data: Sized2b(creation.data),
            creation_hash: creation.hash,
            creation_ticket: creation.ticket,
        })
    }
}
