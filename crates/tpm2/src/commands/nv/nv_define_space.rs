//! `TPM2_NV_DefineSpace` (Part 3, 31.3).

use crate::nv::NvIndex;
use crate::structures::{Auth, MAX_NV_BUFFER, MAX_NV_INDEX, NvAttributes, NvPublic, NvType, RhProvision, Sized2b, rh};
use crate::table::Execute;
use crate::tpm::Tpm;
use alloc::vec;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Defines an NV Index.
#[derive(Command)]
#[command(code = 0x12A, nv)]
#[doc(alias = "TPM2_NV_DefineSpace")]
pub struct NvDefineSpace {
    /// OWNER or PLATFORM.
    #[handle(auth = user)]
    pub auth_handle: RhProvision,
    /// Authorization value of the Index.
    pub auth: Auth,
    /// Its public area.
    pub public_info: Sized2b<NvPublic>,
}

impl Execute for NvDefineSpace {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        define(tpm, self.auth_handle, self.auth, self.public_info.0)
    }
}

/// Checks and makes the Index; shared with NV_DefineSpace2.
pub(super) fn define(tpm: &mut Tpm<'_>, auth_handle: RhProvision, auth: Auth, public: NvPublic) -> Result<(), Fault> {
    let digest = public.name_alg.size();
    let attributes = public.attributes;
    let any = |set: NvAttributes| attributes.0 & set.0 != 0;
    let wrong = Err(Fault::ATTRIBUTES.at_parameter(2));
    let platform = auth_handle.0 == rh::PLATFORM;
    if !public.auth_policy.is_empty() && public.auth_policy.len() != digest {
        return Err(Fault::SIZE.at_parameter(2));
    }
    let mut auth = auth;
    auth.trim_trailing_zeros();
    if auth.len() > digest {
        return Err(Fault::SIZE.at_parameter(1));
    }
    if platform && !tpm.state.clear.ph_enable_nv {
        return Err(Fault::HIERARCHY.at_handle(1));
    }
    let size = usize::from(public.data_size);
    let Some(kind) = attributes.nv_type() else { return wrong };
    let fits = match kind {
        NvType::Ordinary => size <= MAX_NV_INDEX,
        NvType::Extend => size == digest,
        NvType::Counter | NvType::Bits | NvType::PinFail | NvType::PinPass => size == 8,
    };
    if !fits {
        return Err(Fault::SIZE.at_parameter(2));
    }
    let contradiction = match kind {
        NvType::Counter => any(NvAttributes::CLEAR_STCLEAR),
        // A PIN Index counts by itself: it may not be written with its own authValue, nor be locked by mistake.
        NvType::PinFail | NvType::PinPass => {
            any(NvAttributes::AUTHWRITE | NvAttributes::GLOBALLOCK | NvAttributes::WRITEDEFINE)
                || (kind == NvType::PinFail && !any(NvAttributes::NO_DA))
        }
        NvType::Ordinary | NvType::Extend | NvType::Bits => false,
    };
    let readers = NvAttributes::OWNERREAD | NvAttributes::PPREAD | NvAttributes::AUTHREAD | NvAttributes::POLICYREAD;
    let writers =
        NvAttributes::OWNERWRITE | NvAttributes::PPWRITE | NvAttributes::AUTHWRITE | NvAttributes::POLICYWRITE;
    if contradiction
        || any(NvAttributes::WRITTEN | NvAttributes::WRITELOCKED | NvAttributes::READLOCKED)
        || !any(readers)
        || !any(writers)
        || (any(NvAttributes::CLEAR_STCLEAR) && any(NvAttributes::WRITEDEFINE))
    {
        return wrong;
    }
    if platform != any(NvAttributes::PLATFORMCREATE) {
        return Err(Fault::ATTRIBUTES.at_handle(1));
    }
    if any(NvAttributes::POLICY_DELETE) && !platform {
        return wrong;
    }
    if any(NvAttributes::WRITEALL) && size > MAX_NV_BUFFER {
        return Err(Fault::SIZE.at_parameter(2));
    }
    if tpm.nv_index(public.index.0).is_ok() {
        return Err(Fault::NV_DEFINED);
    }
    tpm.nv_check_new(size, attributes)?;
    tpm.nv_store_now(NvIndex { public, auth, data: vec![crate::nv::erased(attributes); size] });
    Ok(())
}
