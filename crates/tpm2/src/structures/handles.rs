//! Handles and their interface types (Part 2, 7 and 9).

use sealwright_core::{Fault, Reader, Wire, Writer};

/// Permanent handles and ranges (Part 2, 7.4 and 7.5).
pub mod rh {
    #![expect(missing_docs, reason = "each is TPM_RH_<name>")]
    pub const OWNER: u32 = 0x4000_0001;
    pub const NULL: u32 = 0x4000_0007;
    pub const UNASSIGNED: u32 = 0x4000_0008;
    pub const RS_PW: u32 = 0x4000_0009;
    pub const LOCKOUT: u32 = 0x4000_000A;
    pub const ENDORSEMENT: u32 = 0x4000_000B;
    pub const PLATFORM: u32 = 0x4000_000C;
    pub const PLATFORM_NV: u32 = 0x4000_000D;
    pub const ACT: core::ops::RangeInclusive<u32> = 0x4000_0110..=0x4000_011F;

    pub const PCR_FIRST: u32 = 0x0000_0000;
    pub const NV_FIRST: u32 = 0x0100_0000;
    pub const NV_LAST: u32 = 0x01FF_FFFF;
    pub const HMAC_SESSION_FIRST: u32 = 0x0200_0000;
    pub const POLICY_SESSION_FIRST: u32 = 0x0300_0000;
    pub const TRANSIENT_FIRST: u32 = 0x8000_0000;
    pub const PERSISTENT_FIRST: u32 = 0x8100_0000;
    pub const PERSISTENT_LAST: u32 = 0x81FF_FFFF;
    pub const PLATFORM_PERSISTENT: u32 = 0x8180_0000;
    pub const NV_EXTERNAL_FIRST: u32 = 0x1100_0000;
}

/// The kind of entity that a handle names: its first byte (TPM_HT, Part 2, 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandleKind {
    /// A PCR.
    Pcr,
    /// An NV Index.
    Nv,
    /// A loaded or saved HMAC session.
    HmacSession,
    /// A loaded or saved policy session.
    PolicySession,
    /// A hierarchy, RS_PW, or another permanent entity.
    Permanent,
    /// A loaded transient object or sequence.
    Transient,
    /// A persistent object.
    Persistent,
    /// Anything else.
    Other,
}

/// The kind of `handle`.
pub const fn kind(handle: u32) -> HandleKind {
    match handle >> 24 {
        0x00 => HandleKind::Pcr,
        0x01 => HandleKind::Nv,
        0x02 => HandleKind::HmacSession,
        0x03 => HandleKind::PolicySession,
        0x40 => HandleKind::Permanent,
        0x80 => HandleKind::Transient,
        0x81 => HandleKind::Persistent,
        _ => HandleKind::Other,
    }
}

macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident: |$h:ident| $ok:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(pub u32);

        impl Wire for $name {
            const MAX_SIZE: usize = 4;
            fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
                let $h = u32::read(r)?;
                if $ok { Ok(Self($h)) } else { Err(Fault::VALUE) }
            }
            fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
                self.0.write(w)
            }
        }

        impl From<$name> for u32 {
            fn from(handle: $name) -> Self {
                handle.0
            }
        }
    )*};
}

/// True for the handles that transient objects can have; others do not unmarshal.
const fn is_transient(h: u32) -> bool {
    matches!(kind(h), HandleKind::Transient) && h & 0x00FF_FFFF < super::MAX_LOADED_OBJECTS as u32
}
const fn is_hmac(h: u32) -> bool {
    matches!(kind(h), HandleKind::HmacSession) && h & 0x00FF_FFFF < super::MAX_ACTIVE_SESSIONS as u32
}
const fn is_policy(h: u32) -> bool {
    matches!(kind(h), HandleKind::PolicySession) && h & 0x00FF_FFFF < super::MAX_ACTIVE_SESSIONS as u32
}
const fn is_object(h: u32) -> bool {
    is_transient(h) || matches!(kind(h), HandleKind::Persistent)
}
const fn is_pcr(h: u32) -> bool {
    h < super::PCR_COUNT as u32
}
const fn is_hierarchy(h: u32) -> bool {
    matches!(h, rh::OWNER | rh::PLATFORM | rh::ENDORSEMENT)
}
/// TPM_RH_AUTH_00 to FF: handles of a manufacturer. They unmarshal, though none of them is here.
const fn is_vendor(h: u32) -> bool {
    matches!(h, 0x4000_0010..=0x4000_010F)
}
const fn is_entity(h: u32) -> bool {
    let permanent = is_hierarchy(h) || h == rh::LOCKOUT || is_vendor(h);
    permanent || is_object(h) || is_pcr(h) || matches!(kind(h), HandleKind::Nv)
}

handles! {
    /// TPM_HANDLE: any value.
    AnyHandle: |_h| true;
    /// TPMI_DH_OBJECT: a loaded object.
    DhObject: |h| is_object(h);
    /// TPMI_DH_OBJECT+.
    DhObjectOrNull: |h| is_object(h) || h == rh::NULL;
    /// TPMI_DH_PARENT: an object or a hierarchy, NULL included.
    DhParent: |h| is_object(h) || is_hierarchy(h) || h == rh::NULL;
    /// TPMI_DH_PERSISTENT.
    DhPersistent: |h| matches!(kind(h), HandleKind::Persistent);
    /// TPMI_DH_ENTITY: whatever has an authorization value.
    DhEntity: |h| is_entity(h);
    /// TPMI_DH_ENTITY+.
    DhEntityOrNull: |h| is_entity(h) || h == rh::NULL;
    /// TPMI_DH_PCR.
    DhPcr: |h| is_pcr(h);
    /// TPMI_DH_PCR+.
    DhPcrOrNull: |h| is_pcr(h) || h == rh::NULL;
    /// TPMI_SH_AUTH_SESSION: a session or RS_PW.
    ShAuthSession: |h| is_hmac(h) || is_policy(h) || h == rh::RS_PW;
    /// TPMI_SH_HMAC.
    ShHmac: |h| is_hmac(h);
    /// TPMI_SH_POLICY.
    ShPolicy: |h| is_policy(h);
    /// TPMI_DH_CONTEXT: what ContextSave takes.
    DhContext: |h| is_transient(h) || is_hmac(h) || is_policy(h);
    /// TPMI_DH_SAVED: what a saved context says that it was.
    DhSaved: |h| is_hmac(h) || is_policy(h) || matches!(h, 0x8000_0000..=0x8000_0002);
    /// TPMI_RH_HIERARCHY: a hierarchy, NULL included.
    RhHierarchy: |h| is_hierarchy(h) || h == rh::NULL;
    /// TPMI_RH_HIERARCHY_AUTH (and HIERARCHY_POLICY): a hierarchy or LOCKOUT.
    RhHierarchyAuth: |h| is_hierarchy(h) || h == rh::LOCKOUT;
    /// TPMI_RH_BASE_HIERARCHY: owner, platform or endorsement.
    RhBaseHierarchy: |h| is_hierarchy(h);
    /// TPMI_RH_ENABLES: what HierarchyControl switches.
    RhEnables: |h| is_hierarchy(h) || h == rh::PLATFORM_NV;
    /// TPMI_RH_PLATFORM.
    RhPlatform: |h| h == rh::PLATFORM;
    /// TPMI_RH_ENDORSEMENT.
    RhEndorsement: |h| h == rh::ENDORSEMENT;
    /// TPMI_RH_ENDORSEMENT+.
    RhEndorsementOrNull: |h| h == rh::ENDORSEMENT || h == rh::NULL;
    /// TPMI_RH_PROVISION: owner or platform.
    RhProvision: |h| matches!(h, rh::OWNER | rh::PLATFORM);
    /// TPMI_RH_CLEAR: lockout or platform.
    RhClear: |h| matches!(h, rh::LOCKOUT | rh::PLATFORM);
    /// TPMI_RH_LOCKOUT.
    RhLockout: |h| h == rh::LOCKOUT;
    /// TPMI_RH_NV_AUTH: platform, owner or an NV Index.
    RhNvAuth: |h| matches!(h, rh::OWNER | rh::PLATFORM) || matches!(kind(h), HandleKind::Nv);
    /// TPMI_RH_NV_INDEX.
    RhNvIndex: |h| matches!(kind(h), HandleKind::Nv);
}
