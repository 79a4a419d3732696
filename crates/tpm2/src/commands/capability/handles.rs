//! Handles in use, by kind (Part 3, 30.2, table of TPM_CAP_HANDLES).

use crate::structures::{PCR_COUNT, rh};
use crate::tpm::Tpm;
use alloc::vec::Vec;
use sealwright_core::Fault;

/// Permanent handles that always exist, ascending.
const PERMANENT: [u32; 7] =
    [rh::OWNER, rh::NULL, rh::RS_PW, rh::LOCKOUT, rh::ENDORSEMENT, rh::PLATFORM, rh::PLATFORM_NV];

/// Handles of the kind of `first` from it on, ascending. A kind that does not exist is TPM_RC_HANDLE.
pub(super) fn from(tpm: &Tpm<'_>, first: u32) -> Result<Vec<u32>, Fault> {
    let at_least = |handle: &u32| *handle >= first;
    Ok(match first >> 24 {
        0x00 => (first..PCR_COUNT as u32).collect(),
        0x01 => tpm.state.permanent.nv.keys().filter(at_least).collect(),
        0x02 => {
            let number = first & 0x00FF_FFFF;
            tpm.session_handles(true).into_iter().filter(|handle| handle & 0x00FF_FFFF >= number).collect()
        }
        0x03 => {
            // Saved sessions are asked for by a number in the range of policy sessions, whatever kind they are.
            let number = first & 0x00FF_FFFF;
            tpm.session_handles(false).into_iter().filter(|handle| handle & 0x00FF_FFFF >= number).collect()
        }
        0x40 => PERMANENT.into_iter().filter(at_least).collect(),
        0x80 => {
            let slots = tpm.state.volatile.objects.iter().zip(rh::TRANSIENT_FIRST..u32::MAX);
            slots.filter(|(slot, _)| slot.is_some()).map(|(_, handle)| handle).filter(at_least).collect()
        }
        0x81 => tpm.state.permanent.persistent.keys().filter(at_least).collect(),
        _ => return Err(Fault::HANDLE),
    })
}
