//! `TPM2_GetCapability` (Part 3, 30.2).

use super::{algorithms, handles, pcr_properties, properties};
use crate::structures::{
    Alg, AskedCapability, Capability, CapabilityData, Curve, Digest, HashAlg, List, PcrSelections, PolicyBytes,
    TaggedPolicy, rh,
};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_core::wire::Accept;
use sealwright_derive::{Command, Response};

/// What the TPM can do and how it is, from `property` on.
#[derive(Command)]
#[command(code = 0x17A, response = GetCapabilityResponse)]
#[doc(alias = "TPM2_GetCapability")]
pub struct GetCapability {
    /// Group of capabilities.
    pub capability: AskedCapability,
    /// The first one wanted.
    pub property: u32,
    /// How many are wanted.
    pub property_count: u32,
}

/// Answer of [`GetCapability`].
#[derive(Response)]
pub struct GetCapabilityResponse {
    /// True if there are more.
    pub more_data: bool,
    /// The capabilities.
    pub capability_data: CapabilityData,
}

/// Takes as many as are wanted and fit, and says whether there are more.
fn take<T: Default + Copy, const N: usize>(all: impl Iterator<Item = T>, count: u32) -> (bool, List<T, N>) {
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(N);
    let mut list = List::new();
    for item in all {
        if list.len() >= count || !list.try_push(item) {
            return (true, list);
        }
    }
    (false, list)
}

impl Execute for GetCapability {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<GetCapabilityResponse, Fault> {
        let capability = self.capability.0.ok_or(Fault::VALUE.at_parameter(1))?;
        let (first, count) = (self.property, self.property_count);
        let limits = tpm.limits();
        let limits = limits.as_deref();
        let commands = || super::commands(limits);
        let permanent = &tpm.state.permanent;
        let (more_data, capability_data) = match capability {
            Capability::Algs => wrap(take(algorithms::from(first & 0xFFFF, limits), count), CapabilityData::Algs),
            Capability::Handles => {
                let all = handles::from(tpm, first).map_err(|e| e.at_parameter(2))?;
                wrap(take(all.into_iter(), count), CapabilityData::Handles)
            }
            Capability::Commands => {
                let all = commands().filter(|spec| spec.code >= first).map(|spec| spec.attributes);
                wrap(take(all, count), CapabilityData::Commands)
            }
            Capability::PpCommands => {
                let all = permanent.pp_commands.keys().filter(|code| *code >= first);
                wrap(take(all, count), CapabilityData::PpCommands)
            }
            Capability::AuditCommands => {
                let all = permanent.audit_commands.keys().filter(|code| *code >= first);
                wrap(take(all, count), CapabilityData::AuditCommands)
            }
            Capability::Pcrs => {
                if first != 0 {
                    return Err(Fault::VALUE.at_parameter(2));
                }
                // The list is whole or, for a count of zero, not there at all.
                let list = if count == 0 { PcrSelections::new() } else { permanent.pcr_allocated };
                (count == 0, CapabilityData::Pcrs(list))
            }
            Capability::TpmProperties => wrap(take(properties::from(tpm, first), count), CapabilityData::TpmProperties),
            Capability::PcrProperties => wrap(take(pcr_properties::from(first), count), CapabilityData::PcrProperties),
            Capability::EccCurves => {
                let all = Curve::ALL.iter().map(|curve| curve.id()).filter(|id| u32::from(*id) >= first & 0xFFFF);
                let all = all.filter(|id| limits.is_none_or(|limits| limits.curve(*id)));
                wrap(take(all, count), CapabilityData::EccCurves)
            }
            Capability::AuthPolicies => {
                if first >> 24 != 0x40 {
                    return Err(Fault::VALUE.at_parameter(2));
                }
                wrap(take(policies(tpm).into_iter().filter(|p| p.handle >= first), count), CapabilityData::AuthPolicies)
            }
            // There is no authenticated countdown timer, but their handles may be asked for.
            Capability::Act => {
                if !rh::ACT.contains(&first) {
                    return Err(Fault::VALUE.at_parameter(2));
                }
                wrap(take(core::iter::empty(), count), CapabilityData::Act)
            }
        };
        Ok(GetCapabilityResponse { more_data, capability_data })
    }
}

fn wrap<T, const N: usize>(
    (more, list): (bool, List<T, N>),
    kind: fn(List<T, N>) -> CapabilityData,
) -> (bool, CapabilityData) {
    (more, kind(list))
}

/// Policies of the hierarchies, ascending by handle: with the NULL algorithm if there is none.
fn policies(tpm: &Tpm<'_>) -> [TaggedPolicy; 4] {
    let p = &tpm.state.permanent;
    let of = |handle, alg: Option<HashAlg>, digest: Digest| TaggedPolicy {
        handle,
        hash: alg.map_or(Alg::NULL, Alg::from),
        digest: PolicyBytes(if alg.is_some() { digest } else { Digest::EMPTY }),
    };
    let platform = &tpm.state.clear.platform;
    [
        of(rh::OWNER, p.owner.policy_alg, p.owner.policy),
        of(rh::LOCKOUT, p.lockout.policy_alg, p.lockout.policy),
        of(rh::ENDORSEMENT, p.endorsement.policy_alg, p.endorsement.policy),
        of(rh::PLATFORM, platform.policy_alg, platform.policy),
    ]
}
