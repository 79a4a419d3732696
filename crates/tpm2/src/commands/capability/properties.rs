//! TPM properties (Part 2, 6.13). The fixed ones are those of libtpms, which guests and tools are used to; see
//! `docs/decisions/0003-capability-values.md`.

use crate::collections::tally;
use crate::structures::{
    Curve, MAX_ACTIVE_SESSIONS, MAX_BUFFER, MAX_LOADED_OBJECTS, MAX_LOADED_SESSIONS, MAX_NV_BUFFER, MAX_NV_INDEX,
    PCR_COUNT, PCR_SELECT, PermanentAttributes, StartupClearAttributes, TaggedProperty,
};
use crate::tpm::Tpm;

/// First tag of the fixed properties.
pub(super) const FIXED: u32 = 0x100;
/// First tag of the variable properties.
pub(super) const VARIABLE: u32 = 0x200;
/// Tags of one group.
pub(super) const GROUP: u32 = 0x100;

const fn text(bytes: [u8; 4]) -> u32 {
    u32::from_be_bytes(bytes)
}

/// Value of a property; `None` if there is no such.
pub(super) fn value(tpm: &Tpm<'_>, tag: u32) -> Option<u32> {
    if tag < VARIABLE { fixed(tpm, tag) } else { variable(tpm, tag) }
}

/// The properties of the group of `first`, from it on.
pub(super) fn from(tpm: &Tpm<'_>, first: u32) -> impl Iterator<Item = TaggedProperty> {
    let first = first.max(FIXED);
    let end = if first < VARIABLE + GROUP { (first / GROUP).saturating_add(1).saturating_mul(GROUP) } else { first };
    (first..end).filter_map(move |property| Some(TaggedProperty { property, value: value(tpm, property)? }))
}

fn fixed(tpm: &Tpm<'_>, tag: u32) -> Option<u32> {
    Some(match tag {
        0x100 | 0x123 => text(*b"2.0\0"),
        0x101 | 0x124 => 0,
        0x102 | 0x125 => 164,
        0x103 | 0x126 => 75,
        0x104 | 0x127 => 2021,
        0x105 => text(*b"IBM\0"),
        0x106 => text(*b"SW  "),
        0x107 => text(*b" TPM"),
        0x108 | 0x109 => 0,
        0x10A => 1,
        0x10B => firmware(tpm).0,
        0x10C => firmware(tpm).1,
        0x10D => MAX_BUFFER as u32,
        0x10E | 0x110 => MAX_LOADED_OBJECTS as u32,
        0x10F => 7,
        0x111 => MAX_ACTIVE_SESSIONS as u32,
        0x112 => PCR_COUNT as u32,
        0x113 => PCR_SELECT as u32,
        0x114 => 0xFFFF,
        0x116 => 0,
        0x117 => MAX_NV_INDEX as u32,
        0x118 => 6,
        0x119 => crate::clock::CLOCK_UPDATE as u32,
        0x11A => u32::from(crate::ticket::CONTEXT_HASH.id()),
        0x11B => 6,
        0x11C => 256,
        0x11D => 0xFF,
        0x11E | 0x11F => tpm.state.volatile.buffer_size,
        0x120 => crate::structures::MAX_DIGEST as u32,
        0x121 => crate::structures::MAX_CONTEXT as u32,
        0x122 => 0x194,
        0x128 => crate::structures::MAX_COMMITS as u32,
        // Drivers ask for so many commands and take any other number for a fault.
        0x129 | 0x12A => tally(super::commands(tpm.limits().as_deref())) as u32,
        0x12B => 0,
        0x12C => MAX_NV_BUFFER as u32,
        0x12D => 0,
        0x12E => 1024,
        _ => return None,
    })
}

fn variable(tpm: &Tpm<'_>, tag: u32) -> Option<u32> {
    let p = &tpm.state.permanent;
    let v = &tpm.state.volatile;
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let loaded = tally(v.objects.iter().flatten());
    let sessions = tally(v.sessions.slots.iter().flatten());
    let active = tally(tpm.state.reset.contexts.iter().filter(|entry| **entry != 0));
    Some(match tag {
        0x200 => permanent_attributes(tpm).0,
        0x201 => startup_clear_attributes(tpm).0,
        0x202 => count(p.nv.len()),
        0x203 => count(sessions),
        0x204 => count(MAX_LOADED_SESSIONS.saturating_sub(sessions)),
        0x205 => count(active),
        0x206 => count(MAX_ACTIVE_SESSIONS.saturating_sub(active)),
        0x207 => count(MAX_LOADED_OBJECTS.saturating_sub(loaded)),
        0x208 => count(p.persistent.len()),
        0x209 => count(tpm.nv_objects_free()),
        0x20A => count(tpm.nv_counters()),
        0x20B => count(tpm.nv_counters_free()),
        0x20C => p.algorithm_set,
        0x20D => count(Curve::ALL.len()),
        0x20E => p.failed_tries,
        0x20F => p.max_tries,
        0x210 => p.recovery_time,
        0x211 => p.lockout_recovery,
        0x212 => 0, // NV writes are never throttled
        0x213 => (p.audit_counter >> 32) as u32,
        0x214 => (p.audit_counter & 0xFFFF_FFFF) as u32,
        _ => return None,
    })
}

fn permanent_attributes(tpm: &Tpm<'_>) -> PermanentAttributes {
    let p = &tpm.state.permanent;
    PermanentAttributes::default()
        .with(PermanentAttributes::OWNER_AUTH_SET, !p.owner.auth.is_empty())
        .with(PermanentAttributes::ENDORSEMENT_AUTH_SET, !p.endorsement.auth.is_empty())
        .with(PermanentAttributes::LOCKOUT_AUTH_SET, !p.lockout.auth.is_empty())
        .with(PermanentAttributes::DISABLE_CLEAR, p.disable_clear)
        .with(PermanentAttributes::IN_LOCKOUT, tpm.in_lockout())
        .with(PermanentAttributes::TPM_GENERATED_EPS, true)
}

fn startup_clear_attributes(tpm: &Tpm<'_>) -> StartupClearAttributes {
    let clear = &tpm.state.clear;
    let orderly = !matches!(
        tpm.state.volatile.previous_orderly,
        crate::state::OrderlyState::None | crate::state::OrderlyState::DaUsed
    );
    StartupClearAttributes::default()
        .with(StartupClearAttributes::PH_ENABLE, tpm.state.volatile.ph_enable)
        .with(StartupClearAttributes::SH_ENABLE, clear.sh_enable)
        .with(StartupClearAttributes::EH_ENABLE, clear.eh_enable)
        .with(StartupClearAttributes::PH_ENABLE_NV, clear.ph_enable_nv)
        .with(StartupClearAttributes::READ_ONLY, clear.read_only)
        .with(StartupClearAttributes::ORDERLY, orderly)
}

fn firmware(tpm: &Tpm<'_>) -> (u32, u32) {
    let [first, second] = tpm.state.permanent.firmware_version;
    (first, second)
}
