//! Finding Indexes and who may use them (Part 4, NV_spt.c).

use super::NvIndex;
use crate::structures::{NvAttributes, rh};
use crate::tpm::Tpm;
use alloc::sync::Arc;
use sealwright_core::Fault;

impl Tpm<'_> {
    /// A defined Index with its live data; TPM_RC_HANDLE if there is none.
    pub(crate) fn nv_index(&self, handle: u32) -> Result<Arc<NvIndex>, Fault> {
        let state = &self.state;
        state.volatile.orderly_nv.get(handle).or_else(|| state.permanent.nv.get(handle)).cloned().ok_or(Fault::HANDLE)
    }

    /// May `auth_handle` write the Index? Locked, or not authorized in this way.
    pub(crate) fn nv_write_access_check(&self, auth_handle: u32, nv_handle: u32, index: &NvIndex) -> Result<(), Fault> {
        if index.has(NvAttributes::WRITELOCKED) {
            return Err(Fault::NV_LOCKED);
        }
        allowed(index, auth_handle, nv_handle, NvAttributes::OWNERWRITE, NvAttributes::PPWRITE)
    }

    /// May `auth_handle` read the Index? Locked, not authorized in this way, or never written.
    pub(crate) fn nv_read_access_check(&self, auth_handle: u32, nv_handle: u32, index: &NvIndex) -> Result<(), Fault> {
        if index.has(NvAttributes::READLOCKED) {
            return Err(Fault::NV_LOCKED);
        }
        allowed(index, auth_handle, nv_handle, NvAttributes::OWNERREAD, NvAttributes::PPREAD)?;
        if index.has(NvAttributes::WRITTEN) { Ok(()) } else { Err(Fault::NV_UNINITIALIZED) }
    }
}

fn allowed(
    index: &NvIndex,
    auth_handle: u32,
    nv_handle: u32,
    owner: NvAttributes,
    platform: NvAttributes,
) -> Result<(), Fault> {
    let allowed = match auth_handle {
        rh::OWNER => index.has(owner),
        rh::PLATFORM => index.has(platform),
        // Whether authValue or policy may be used was decided when the session was checked.
        _ => auth_handle == nv_handle,
    };
    if allowed { Ok(()) } else { Err(Fault::NV_AUTHORIZATION) }
}
