//! The data that say how and where an object was created (Part 1, 25.2.6; Part 4, FillInCreationData).

use super::Object;
use crate::structures::{Alg, CreationData, CreationTicket, Data, Digest, HashAlg, Name, PcrSelections, alg_of_hash};
use crate::tpm::Tpm;
use sealwright_core::{Buffer, Fault};

/// What proves how an object was created.
#[derive(Clone, Debug)]
pub(crate) struct Creation {
    pub(crate) data: CreationData,
    pub(crate) hash: Digest,
    pub(crate) ticket: CreationTicket,
}

impl Tpm<'_> {
    /// Creation data, their digest, and the ticket that binds them to the new object. `parent` is `None` if
    /// `parent_handle` is a hierarchy.
    pub(crate) fn creation(
        &self,
        name: &Name,
        name_alg: Option<HashAlg>,
        parent_handle: u32,
        parent: Option<&Object>,
        outside_info: Data,
        mut pcr_select: PcrSelections,
    ) -> Result<Creation, Fault> {
        let hash = name_alg.ok_or(Fault::HASH)?;
        let pcr_digest = self.pcr_digest(hash, &mut pcr_select);
        let handle_name = Name::from_slice(&parent_handle.to_be_bytes())?;
        let data = CreationData {
            pcr_select,
            pcr_digest,
            locality: if self.locality < 5 { 1 << self.locality } else { self.locality },
            parent_name_alg: parent.map_or(Alg::NULL, |parent| alg_of_hash(parent.public.name_alg)),
            parent_name: parent.map_or(handle_name, |parent| parent.name),
            parent_qualified_name: parent.map_or(handle_name, |parent| parent.qualified_name),
            outside_info,
        };
        let digest = self.hash(hash, &[&super::encoding::marshalled(&data)?]);
        let ticket = self.creation_ticket(parent.map_or(parent_handle, |parent| parent.hierarchy), name, &digest)?;
        Ok(Creation { data, hash: Buffer::from_slice(&digest)?, ticket })
    }
}
