//! What a guest may do to a TPM that is not its own: each command of TPM 2.0 Part 3 with the built-in decision.
//!
//! The host keeps its keys, its counters and its settings in that TPM, and goes on with it after the VM is gone. A
//! command is denied if it can destroy what the host has there, change what the host relies on for good, lock the host
//! out, or act on the platform. What a command does for its caller alone is allowed. A command that is not in the table
//! is denied.

/// What becomes of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The device gets it.
    Allow,
    /// It is answered with TPM_RC_DISABLED.
    Deny,
    /// It is answered with success, and the device does not hear of it.
    Answer,
}

/// Where the handle is that a command changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changes {
    /// Nothing that has a protected handle.
    Nothing,
    /// The handle with this position in the handle area.
    Handle(usize),
    /// That one, and the first parameter, a handle.
    HandleAndParameter(usize),
    /// The Index of the public area that is the second parameter.
    NewIndex,
}

/// One command.
#[derive(Debug)]
pub(crate) struct Row {
    /// TPM_CC.
    pub(crate) code: u32,
    /// Name without `TPM2_`.
    pub(crate) name: &'static str,
    /// Handles in the handle area.
    pub(crate) handles: usize,
    /// What it changes.
    pub(crate) changes: Changes,
    /// The built-in decision.
    pub(crate) action: Action,
    /// Why it is not allowed.
    pub(crate) why: &'static str,
}

const fn allow(code: u32, name: &'static str, handles: usize) -> Row {
    Row { code, name, handles, changes: Changes::Nothing, action: Action::Allow, why: "" }
}

const fn change(code: u32, name: &'static str, handles: usize, changes: Changes) -> Row {
    Row { code, name, handles, changes, action: Action::Allow, why: "" }
}

const fn deny(code: u32, name: &'static str, handles: usize, why: &'static str) -> Row {
    Row { code, name, handles, changes: Changes::Nothing, action: Action::Deny, why }
}

const fn answer(code: u32, name: &'static str, handles: usize, why: &'static str) -> Row {
    Row { code, name, handles, changes: Changes::Nothing, action: Action::Answer, why }
}

use Changes::{Handle, HandleAndParameter, NewIndex};

const FIRMWARE: &str = "it replaces or reads the firmware of the device";
const LOCKOUT: &str = "it changes how the device resists guessing, for the host too";
const PLATFORM: &str = "it is the platform's, and the guest's platform is not the device's";
const CLOCK: &str = "the clock of the device is the host's too, and never goes back";
const HARDWARE: &str = "it reaches hardware beside the TPM";

/// The commands in the order of their codes.
pub(crate) const COMMANDS: &[Row] = &[
    deny(0x11f, "NV_UndefineSpaceSpecial", 2, PLATFORM),
    change(0x120, "EvictControl", 2, HandleAndParameter(1)),
    deny(0x121, "HierarchyControl", 1, "it switches off a hierarchy until the host restarts"),
    change(0x122, "NV_UndefineSpace", 2, Handle(1)),
    deny(0x124, "ChangeEPS", 1, "it destroys the identity of the device"),
    deny(0x125, "ChangePPS", 1, "it destroys the platform's keys"),
    deny(0x126, "Clear", 1, "it destroys all keys that the host has in the device"),
    deny(0x127, "ClearControl", 1, "it decides whether the host can clear the device"),
    deny(0x128, "ClockSet", 1, CLOCK),
    answer(
        0x129,
        "HierarchyChangeAuth",
        1,
        "a new authorization would lock out the host; nobody in the guest can use the platform hierarchy anyway",
    ),
    change(0x12a, "NV_DefineSpace", 1, NewIndex),
    deny(0x12b, "PCR_Allocate", 1, "it changes the PCR banks at the next start of the host"),
    deny(0x12c, "PCR_SetAuthPolicy", 1, PLATFORM),
    deny(0x12d, "PP_Commands", 1, PLATFORM),
    deny(0x12e, "SetPrimaryPolicy", 1, "a new policy of a hierarchy gives it away"),
    deny(0x12f, "FieldUpgradeStart", 2, FIRMWARE),
    deny(0x130, "ClockRateAdjust", 1, CLOCK),
    allow(0x131, "CreatePrimary", 1),
    deny(0x132, "NV_GlobalWriteLock", 1, "it locks the host's NV Indexes too"),
    allow(0x133, "GetCommandAuditDigest", 2),
    change(0x134, "NV_Increment", 2, Handle(1)),
    change(0x135, "NV_SetBits", 2, Handle(1)),
    change(0x136, "NV_Extend", 2, Handle(1)),
    change(0x137, "NV_Write", 2, Handle(1)),
    change(0x138, "NV_WriteLock", 2, Handle(1)),
    deny(0x139, "DictionaryAttackLockReset", 1, LOCKOUT),
    deny(0x13a, "DictionaryAttackParameters", 1, LOCKOUT),
    change(0x13b, "NV_ChangeAuth", 1, Handle(0)),
    change(0x13c, "PCR_Event", 1, Handle(0)),
    change(0x13d, "PCR_Reset", 1, Handle(0)),
    allow(0x13e, "SequenceComplete", 1),
    deny(0x13f, "SetAlgorithmSet", 1, PLATFORM),
    deny(0x140, "SetCommandCodeAuditStatus", 1, "it changes what the device audits, for good"),
    deny(0x141, "FieldUpgradeData", 0, FIRMWARE),
    allow(0x142, "IncrementalSelfTest", 0),
    allow(0x143, "SelfTest", 0),
    answer(0x144, "Startup", 0, "the device was started by the host"),
    answer(0x145, "Shutdown", 0, "the device runs on when the guest is off"),
    allow(0x146, "StirRandom", 0),
    allow(0x147, "ActivateCredential", 2),
    allow(0x148, "Certify", 2),
    allow(0x149, "PolicyNV", 3),
    allow(0x14a, "CertifyCreation", 2),
    allow(0x14b, "Duplicate", 2),
    allow(0x14c, "GetTime", 2),
    allow(0x14d, "GetSessionAuditDigest", 3),
    allow(0x14e, "NV_Read", 2),
    change(0x14f, "NV_ReadLock", 2, Handle(1)),
    allow(0x150, "ObjectChangeAuth", 2),
    allow(0x151, "PolicySecret", 2),
    allow(0x152, "Rewrap", 2),
    allow(0x153, "Create", 1),
    allow(0x154, "ECDH_ZGen", 1),
    allow(0x155, "MAC", 1),
    allow(0x156, "Import", 1),
    allow(0x157, "Load", 1),
    allow(0x158, "Quote", 1),
    allow(0x159, "RSA_Decrypt", 1),
    allow(0x15b, "MAC_Start", 1),
    allow(0x15c, "SequenceUpdate", 1),
    allow(0x15d, "Sign", 1),
    allow(0x15e, "Unseal", 1),
    allow(0x160, "PolicySigned", 2),
    allow(0x161, "ContextLoad", 0),
    allow(0x162, "ContextSave", 1),
    allow(0x163, "ECDH_KeyGen", 1),
    allow(0x164, "EncryptDecrypt", 1),
    allow(0x165, "FlushContext", 0),
    allow(0x167, "LoadExternal", 0),
    allow(0x168, "MakeCredential", 1),
    allow(0x169, "NV_ReadPublic", 1),
    allow(0x16a, "PolicyAuthorize", 1),
    allow(0x16b, "PolicyAuthValue", 1),
    allow(0x16c, "PolicyCommandCode", 1),
    allow(0x16d, "PolicyCounterTimer", 1),
    allow(0x16e, "PolicyCpHash", 1),
    allow(0x16f, "PolicyLocality", 1),
    allow(0x170, "PolicyNameHash", 1),
    allow(0x171, "PolicyOR", 1),
    allow(0x172, "PolicyTicket", 1),
    allow(0x173, "ReadPublic", 1),
    allow(0x174, "RSA_Encrypt", 1),
    allow(0x176, "StartAuthSession", 2),
    allow(0x177, "VerifySignature", 1),
    allow(0x178, "ECC_Parameters", 0),
    deny(0x179, "FirmwareRead", 0, FIRMWARE),
    allow(0x17a, "GetCapability", 0),
    allow(0x17b, "GetRandom", 0),
    allow(0x17c, "GetTestResult", 0),
    allow(0x17d, "Hash", 0),
    allow(0x17e, "PCR_Read", 0),
    allow(0x17f, "PolicyPCR", 1),
    allow(0x180, "PolicyRestart", 1),
    allow(0x181, "ReadClock", 0),
    change(0x182, "PCR_Extend", 1, Handle(0)),
    deny(0x183, "PCR_SetAuthValue", 1, "the host does not know the new authorization"),
    allow(0x184, "NV_Certify", 3),
    change(0x185, "EventSequenceComplete", 2, Handle(0)),
    allow(0x186, "HashSequenceStart", 0),
    allow(0x187, "PolicyPhysicalPresence", 1),
    allow(0x188, "PolicyDuplicationSelect", 1),
    allow(0x189, "PolicyGetDigest", 1),
    allow(0x18a, "TestParms", 0),
    allow(0x18b, "Commit", 1),
    allow(0x18c, "PolicyPassword", 1),
    allow(0x18d, "ZGen_2Phase", 1),
    allow(0x18e, "EC_Ephemeral", 0),
    allow(0x18f, "PolicyNvWritten", 1),
    allow(0x190, "PolicyTemplate", 1),
    allow(0x191, "CreateLoaded", 1),
    allow(0x192, "PolicyAuthorizeNV", 3),
    allow(0x193, "EncryptDecrypt2", 1),
    deny(0x194, "AC_GetCapability", 1, HARDWARE),
    deny(0x195, "AC_Send", 3, HARDWARE),
    deny(0x196, "Policy_AC_SendSelect", 1, HARDWARE),
    allow(0x197, "CertifyX509", 2),
    deny(0x198, "ACT_SetTimeout", 1, "it can restart the host"),
    allow(0x199, "ECC_Encrypt", 1),
    allow(0x19a, "ECC_Decrypt", 1),
    allow(0x19b, "PolicyCapability", 1),
    allow(0x19c, "PolicyParameters", 1),
    // Public areas of this one may be of other forms, which are not looked into.
    deny(0x19d, "NV_DefineSpace2", 1, "whether the Index is protected cannot be seen"),
    allow(0x19e, "NV_ReadPublic2", 1),
    deny(0x19f, "SetCapability", 1, "it changes settings of the device"),
    deny(0x1a0, "ReadOnlyControl", 1, "it makes the device read-only for the host too"),
];

/// The row of a command.
pub(crate) fn row(code: u32) -> Option<&'static Row> {
    COMMANDS.binary_search_by_key(&code, |row| row.code).ok().and_then(|at| COMMANDS.get(at))
}

/// The row of a name, with or without `TPM2_`.
pub(crate) fn named(name: &str) -> Option<&'static Row> {
    let short = name.strip_prefix("TPM2_").unwrap_or(name);
    // Two commands have two names.
    let short = short.strip_prefix("H").filter(|rest| rest.starts_with("MAC")).unwrap_or(short);
    COMMANDS.iter().find(|row| row.name == short)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command of the engine, typed from the specification.
    const TYPED: &str = include_str!("../../../../tests/conformance/commands.csv");

    #[test]
    fn names_and_handles_are_those_of_the_specification() {
        let mut seen = 0;
        for line in TYPED.lines().filter(|line| line.starts_with('1')) {
            let fields: Vec<_> = line.split(',').collect();
            let code = u32::from_str_radix(fields[0], 16).unwrap();
            let row = row(code).unwrap_or_else(|| panic!("{} is missing", fields[1]));
            assert_eq!(row.name, fields[1]);
            assert_eq!(row.handles, fields[2].split(';').filter(|h| !h.is_empty()).count(), "{}", row.name);
            seen += 1;
        }
        assert!(seen > 100);
    }

    #[test]
    fn each_decision_against_a_command_has_a_reason_and_codes_ascend() {
        assert!(COMMANDS.is_sorted_by(|a, b| a.code < b.code));
        for row in COMMANDS {
            assert_eq!(row.why.is_empty(), row.action == Action::Allow, "{}", row.name);
        }
        assert_eq!(named("TPM2_Clear").unwrap().code, named("Clear").unwrap().code);
        assert_eq!(named("HMAC_Start").unwrap().code, 0x15b);
        assert!(row(0x97).is_none() && row(0x2000_1000).is_none() && named("Init").is_none());
    }
}
