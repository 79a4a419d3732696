//! `TPM2_NV_Read` (Part 3, 31.13).

use crate::structures::{MAX_NV_BUFFER, NvBuffer, RhNvAuth, RhNvIndex};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::{Buffer, Fault};
use sealwright_derive::{Command, Response};

/// Reads data of an NV Index.
#[derive(Command)]
#[command(code = 0x14E, response = NvReadResponse)]
#[doc(alias = "TPM2_NV_Read")]
pub struct NvRead {
    /// Source of the authorization.
    #[handle(auth = user)]
    pub auth_handle: RhNvAuth,
    /// The Index.
    #[handle]
    pub nv_index: RhNvIndex,
    /// Bytes to read.
    pub size: u16,
    /// Where they start.
    pub offset: u16,
}

/// Answer of [`NvRead`].
#[derive(Response)]
pub struct NvReadResponse {
    /// The data.
    pub data: NvBuffer,
}

impl Execute for NvRead {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<NvReadResponse, Fault> {
        let index = tpm.nv_index(self.nv_index.0)?;
        tpm.nv_read_access_check(self.auth_handle.0, self.nv_index.0, &index)?;
        if usize::from(self.size) > MAX_NV_BUFFER {
            return Err(Fault::VALUE.at_parameter(1));
        }
        if self.offset > index.public.data_size {
            return Err(Fault::VALUE.at_parameter(2));
        }
        Ok(NvReadResponse { data: Buffer::from_slice(index.slice(self.offset, self.size)?)? })
    }
}
