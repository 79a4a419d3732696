//! Everything that has a handle: its Name, authorization value, policy and hierarchy (Part 4, Entity.c).

use crate::nv::NvIndex;
use crate::object::Slot;
use crate::structures::{
    Auth, Digest, HandleKind, HashAlg, Name, NvAttributes, NvType, ObjectAttributes, PinCounter, kind, rh,
};
use crate::tpm::Tpm;
use alloc::sync::Arc;
use sealwright_core::{Buffer, Fault, Reader, Wire, Writer};

/// True for the PCR that have an authorization value and a policy of their own: 20 to 22.
pub(crate) const fn pcr_has_auth(handle: u32) -> bool {
    crate::pcr::in_auth_group(handle as usize)
}

impl Tpm<'_> {
    /// A defined Index with its current contents: the live copy of an orderly Index, else the one in NV.
    pub(crate) fn defined_index(&self, handle: u32) -> Option<&Arc<NvIndex>> {
        self.state.volatile.orderly_nv.get(handle).or_else(|| self.state.permanent.nv.get(handle))
    }

    fn index(&self, handle: u32) -> Result<&Arc<NvIndex>, Fault> {
        self.defined_index(handle).ok_or(Fault::HANDLE)
    }

    /// The Name of an entity.
    pub(crate) fn entity_name(&self, handle: u32) -> Result<Name, Fault> {
        match kind(handle) {
            HandleKind::Transient => match self.slot(handle) {
                Some(Slot::Object(object)) => Ok(object.name),
                Some(Slot::Sequence(_)) => Ok(Name::EMPTY),
                None => Err(Fault::HANDLE),
            },
            HandleKind::Persistent => Ok(self.object(handle)?.name),
            HandleKind::Nv => self.index_name(&Arc::clone(self.index(handle)?)),
            _ => Buffer::from_slice(&handle.to_be_bytes()),
        }
    }

    /// The Name of an Index: algorithm and digest of its public area.
    pub(crate) fn index_name(&self, index: &NvIndex) -> Result<Name, Fault> {
        let mut room = [0u8; 128];
        let mut public = Writer::new(&mut room);
        index.public.write(&mut public)?;
        let hash = index.public.name_alg;
        let digest = self.hash(hash, &[public.written()]);
        let mut name = [0u8; 66];
        let mut w = Writer::new(&mut name);
        hash.write(&mut w)?;
        w.bytes(&digest)?;
        Buffer::from_slice(w.written())
    }

    /// The authorization value of an entity without trailing zeros; empty for NULL.
    pub(crate) fn auth_value(&self, handle: u32) -> Result<Auth, Fault> {
        let state = &self.state;
        let mut auth = match kind(handle) {
            HandleKind::Permanent => match handle {
                rh::OWNER => state.permanent.owner.auth.clone(),
                rh::ENDORSEMENT => state.permanent.endorsement.auth.clone(),
                rh::PLATFORM => state.clear.platform.auth.clone(),
                rh::LOCKOUT => state.permanent.lockout.auth.clone(),
                rh::NULL => Auth::default(),
                _ => return Err(Fault::HANDLE),
            },
            HandleKind::Transient | HandleKind::Persistent => match self.slot(handle) {
                Some(Slot::Sequence(sequence)) => sequence.auth.clone(),
                _ => match &self.object(handle)?.sensitive {
                    Some(sensitive) => sensitive.auth.clone(),
                    None => Auth::default(),
                },
            },
            HandleKind::Nv => self.index(handle)?.auth.clone(),
            HandleKind::Pcr if pcr_has_auth(handle) => state.clear.pcr_auth.clone(),
            HandleKind::Pcr => Auth::default(),
            _ => return Err(Fault::HANDLE),
        };
        auth.trim_trailing_zeros();
        Ok(auth)
    }

    /// The policy of an entity and the hash algorithm that it is for.
    pub(crate) fn auth_policy(&self, handle: u32) -> Result<(Option<HashAlg>, Digest), Fault> {
        let of = |hierarchy: &crate::state::Hierarchy| (hierarchy.policy_alg, hierarchy.policy);
        let permanent = &self.state.permanent;
        Ok(match kind(handle) {
            HandleKind::Permanent => match handle {
                rh::OWNER => of(&permanent.owner),
                rh::ENDORSEMENT => of(&permanent.endorsement),
                rh::PLATFORM => of(&self.state.clear.platform),
                rh::LOCKOUT => of(&permanent.lockout),
                _ => (None, Digest::EMPTY),
            },
            HandleKind::Transient | HandleKind::Persistent => {
                let object = self.object(handle)?;
                (object.public.name_alg, object.public.auth_policy)
            }
            HandleKind::Nv => {
                let public = &self.index(handle)?.public;
                (Some(public.name_alg), public.auth_policy)
            }
            HandleKind::Pcr if pcr_has_auth(handle) => (permanent.pcr_policy_alg, permanent.pcr_policy),
            _ => (None, Digest::EMPTY),
        })
    }

    /// The hierarchy of an entity, for the proof of its tickets (Part 4, EntityGetHierarchy).
    pub(crate) fn entity_hierarchy(&self, handle: u32) -> u32 {
        match kind(handle) {
            HandleKind::Permanent => match handle {
                rh::PLATFORM | rh::ENDORSEMENT | rh::NULL => handle,
                _ => rh::OWNER,
            },
            HandleKind::Nv => match self.defined_index(handle) {
                Some(index) if index.public.attributes.has(NvAttributes::PLATFORMCREATE) => rh::PLATFORM,
                _ => rh::OWNER,
            },
            HandleKind::Transient | HandleKind::Persistent => {
                self.object(handle).map_or(rh::NULL, |object| object.hierarchy)
            }
            HandleKind::Pcr => rh::OWNER,
            _ => rh::NULL,
        }
    }

    /// True if failed authorizations of the entity do not count for dictionary-attack protection.
    pub(crate) fn is_da_exempt(&self, handle: u32) -> bool {
        match kind(handle) {
            HandleKind::Permanent => handle != rh::LOCKOUT,
            HandleKind::Transient | HandleKind::Persistent => {
                // A sequence is exempt.
                self.object(handle).map_or(true, |object| object.has(ObjectAttributes::NO_DA))
            }
            HandleKind::Nv => {
                self.defined_index(handle).is_none_or(|index| index.public.attributes.has(NvAttributes::NO_DA))
            }
            _ => true,
        }
    }

    /// Count and limit of a written pin-pass or pin-fail Index, and which of both it is.
    pub(crate) fn pin_counter(&self, handle: u32) -> Option<(NvType, PinCounter)> {
        let index = self.defined_index(handle).filter(|_| kind(handle) == HandleKind::Nv)?;
        let nv_type = index.public.attributes.nv_type()?;
        if !matches!(nv_type, NvType::PinPass | NvType::PinFail) || !index.public.attributes.has(NvAttributes::WRITTEN)
        {
            return None;
        }
        Some((nv_type, PinCounter::read(&mut Reader::new(&index.data)).ok()?))
    }

    /// Writes the count of a pin Index.
    pub(crate) fn set_pin_count(&mut self, handle: u32, count: u32) {
        let Some((_, counter)) = self.pin_counter(handle) else { return };
        let mut data = [0; 8];
        if (PinCounter { count, ..counter }).write(&mut Writer::new(&mut data)).is_err() {
            return;
        }
        let place = if self.state.volatile.orderly_nv.contains(handle) {
            self.state.volatile.orderly_nv.get_mut(handle)
        } else {
            self.permanent_mut().nv.get_mut(handle)
        };
        if let Some(index) = place {
            for (to, from) in Arc::make_mut(index).data.iter_mut().zip(data) {
                *to = from;
            }
        }
    }
}
