//! The handle area: are the entities there (Part 4, ParseHandleBuffer and EntityGetLoadStatus)?

use super::code;
use crate::structures::{HandleKind, NvAttributes, kind, rh};
use crate::table::Entry;
use crate::tpm::Tpm;
use sealwright_core::{Fault, Reader, Wire};

/// Takes the handle area, checks each handle against its type, and returns the bytes.
pub(super) fn parse<'a>(tpm: &mut Tpm<'_>, entry: &Entry, request: &mut Reader<'a>) -> Result<&'a [u8], Fault> {
    (entry.check_handles)(&mut request.clone())?;
    let area = request.bytes(entry.spec.roles.len().saturating_mul(4))?;
    let mut handles = Reader::new(area);
    for _ in entry.spec.roles {
        tpm.command.handles.push(u32::read(&mut handles)?);
    }
    Ok(area)
}

/// Checks that every handle refers to something that is there, in order.
pub(super) fn check_loaded(tpm: &Tpm<'_>) -> Result<(), Fault> {
    for (index, handle) in (0..u8::MAX).zip(&tpm.command.handles) {
        status(tpm, *handle).map_err(|fault| match fault {
            Fault::REFERENCE_H0 => Fault::reference_handle(index),
            other => other.at_handle(index.saturating_add(1)),
        })?;
    }
    Ok(())
}

fn status(tpm: &Tpm<'_>, handle: u32) -> Result<(), Fault> {
    match kind(handle) {
        HandleKind::Permanent => match handle {
            rh::OWNER | rh::ENDORSEMENT | rh::PLATFORM if !tpm.hierarchy_enabled(handle) => Err(Fault::HIERARCHY),
            rh::OWNER | rh::ENDORSEMENT | rh::PLATFORM | rh::LOCKOUT | rh::NULL | rh::PLATFORM_NV => Ok(()),
            _ => Err(Fault::VALUE),
        },
        HandleKind::Transient => tpm.slot(handle).map(|_| ()).ok_or(Fault::REFERENCE_H0),
        HandleKind::Persistent => persistent_status(tpm, handle),
        HandleKind::HmacSession | HandleKind::PolicySession => {
            if !tpm.session_is_loaded(handle) {
                return Err(Fault::REFERENCE_H0);
            }
            let is_policy = tpm.session(handle)?.policy.is_some();
            if is_policy == (kind(handle) == HandleKind::PolicySession) { Ok(()) } else { Err(Fault::HANDLE) }
        }
        HandleKind::Nv => index_status(tpm, handle),
        HandleKind::Pcr => Ok(()),
        HandleKind::Other => Err(Fault::VALUE),
    }
}

/// A persistent object is there unless its hierarchy is off.
fn persistent_status(tpm: &Tpm<'_>, handle: u32) -> Result<(), Fault> {
    let owner = if handle >= rh::PLATFORM_PERSISTENT { rh::PLATFORM } else { rh::OWNER };
    if !tpm.hierarchy_enabled(owner) {
        return Err(Fault::HANDLE);
    }
    let object = tpm.object(handle)?;
    if object.hierarchy == rh::ENDORSEMENT
        && !tpm.hierarchy_enabled(rh::ENDORSEMENT)
        && tpm.command.code != code::EVICT_CONTROL
    {
        return Err(Fault::HANDLE);
    }
    Ok(())
}

/// An Index is there unless the hierarchy that defined it is off (Part 4, NvIndexIsAccessible).
fn index_status(tpm: &Tpm<'_>, handle: u32) -> Result<(), Fault> {
    let index = tpm.defined_index(handle).ok_or(Fault::HANDLE)?;
    let enabled = if index.public.attributes.has(NvAttributes::PLATFORMCREATE) {
        tpm.state.clear.ph_enable_nv
    } else {
        tpm.state.clear.sh_enable
    };
    if enabled { Ok(()) } else { Err(Fault::HANDLE) }
}
