//! `TPM2_ReadPublic` (Part 3, 12.4).

use crate::object::Slot;
use crate::structures::{DhObject, Name, Public, Sized2b};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// Reads the public area of a loaded object.
#[derive(Command)]
#[command(code = 0x173, response = ReadPublicResponse)]
#[doc(alias = "TPM2_ReadPublic")]
pub struct ReadPublic {
    /// The object.
    #[handle]
    pub object_handle: DhObject,
}

/// Answer of [`ReadPublic`].
#[derive(Response)]
pub struct ReadPublicResponse {
    /// The public area.
    pub out_public: Sized2b<Public>,
    /// Name.
    pub name: Name,
    /// Qualified Name.
    pub qualified_name: Name,
}

impl Execute for ReadPublic {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<ReadPublicResponse, Fault> {
        let handle = self.object_handle.0;
        if matches!(tpm.slot(handle), Some(Slot::Sequence(_))) {
            return Err(Fault::SEQUENCE);
        }
        let object = tpm.object(handle)?;
        Ok(ReadPublicResponse {
            out_public: Sized2b(object.public),
            name: object.name,
            qualified_name: object.qualified_name,
        })
    }
}
