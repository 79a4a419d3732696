use super::*;

/// A command with these handles; with a password session if one is given.
fn command(code: u32, handles: &[u32], password: Option<&[u8]>, rest: &[u8]) -> Vec<u8> {
    let mut body: Vec<u8> = handles.iter().flat_map(|handle| handle.to_be_bytes()).collect();
    if let Some(password) = password {
        let size = u32::try_from(9 + password.len()).unwrap();
        body.extend([size, TPM_RS_PW].iter().flat_map(|word| word.to_be_bytes()));
        body.extend([0, 0, 1]);
        body.extend(u16::try_from(password.len()).unwrap().to_be_bytes());
        body.extend(password);
    }
    body.extend(rest);
    let size = u32::try_from(10 + body.len()).unwrap();
    let tag = if password.is_some() { 2 } else { 1 };
    [&[0x80, tag][..], &size.to_be_bytes(), &code.to_be_bytes(), &body].concat()
}

fn decide(policy: &Policy, code: u32, handles: &[u32], rest: &[u8]) -> Verdict {
    policy.decide(code, &command(code, handles, Some(&[]), rest))
}

fn refused(verdict: &Verdict, part: &str) -> bool {
    matches!(verdict, Verdict::Refuse(why) if why.contains(part))
}

const OWNER: u32 = 0x4000_0001;
const LOCKOUT: u32 = 0x4000_000a;

#[test]
fn what_would_harm_the_host_is_refused() {
    let policy = Policy::default();
    for code in [0x11f, 0x121, 0x124, 0x125, 0x126, 0x127, 0x128, 0x12b, 0x12e, 0x132, 0x139, 0x13a, 0x13f, 0x140] {
        for authority in [OWNER, LOCKOUT, PLATFORM] {
            assert!(refused(&decide(&policy, code, &[authority, 0], &[0; 8]), "TPM2_"), "0x{code:x}");
        }
    }
    // TPM_Init of TPM 1.2, the locality command of the kernel's vTPM, a vendor's command.
    for code in [0x97, 0x2000_1000, 0x2000_0001, 0, u32::MAX] {
        assert!(refused(&policy.decide(code, &command(code, &[], None, &[])), "unknown"), "0x{code:x}");
    }
}

#[test]
fn no_command_acts_for_the_platform() {
    let policy = Policy::default();
    // CreatePrimary, NV_Write, NV_DefineSpace, EvictControl, PolicySecret, StartAuthSession bound to it.
    for (code, handles) in [
        (0x131, &[PLATFORM][..]),
        (0x137, &[PLATFORM, 0x0150_0000]),
        (0x12a, &[PLATFORM]),
        (0x120, &[PLATFORM, 0x8000_0000]),
        (0x151, &[PLATFORM, 0x0300_0000]),
        (0x176, &[0x4000_0007, PLATFORM]),
    ] {
        assert!(refused(&decide(&policy, code, handles, &[0; 16]), "platform"), "0x{code:x}");
    }
    let open = Policy::parse(r#"{"platform": "allow"}"#).unwrap();
    assert_eq!(decide(&open, 0x131, &[PLATFORM], &[]), Verdict::Pass);
}

#[test]
fn the_firmware_of_the_guest_may_think_that_it_closed_its_platform() {
    let policy = Policy::default();
    let change = |handle, password: &[u8]| policy.decide(0x129, &command(0x129, &[handle], Some(password), &[0, 0]));
    assert_eq!(change(PLATFORM, &[]), Verdict::Success { session: true });
    assert_eq!(change(PLATFORM, b"secret"), Verdict::Success { session: true });
    assert!(refused(&change(OWNER, &[]), "lock out"));
    let allowed = Policy::parse(r#"{"commands": {"HierarchyChangeAuth": "allow"}}"#).unwrap();
    assert_eq!(decide(&allowed, 0x129, &[PLATFORM], &[0, 0]), Verdict::Success { session: true });
    assert_eq!(decide(&allowed, 0x129, &[OWNER], &[0, 0]), Verdict::Pass);
    // An HMAC session: only the device has the key for the answer.
    let mut hmac = command(0x129, &[PLATFORM], Some(&[]), &[0, 0]);
    hmac[18] = 0x02;
    assert!(refused(&policy.decide(0x129, &hmac), "session"));
    // A session area that says more than there is.
    let mut cut = command(0x129, &[PLATFORM], Some(&[]), &[0, 0]);
    cut[17] = 0xff;
    assert!(refused(&policy.decide(0x129, &cut), "session"));
}

#[test]
fn protected_handles_are_read_and_not_changed() {
    let policy = Policy::default();
    let (certificate, own) = (0x01c0_0002, 0x0150_0001);
    for code in [0x134, 0x135, 0x136, 0x137, 0x138, 0x14f] {
        assert!(refused(&decide(&policy, code, &[OWNER, certificate], &[]), "protected"), "0x{code:x}");
        assert_eq!(decide(&policy, code, &[OWNER, own], &[]), Verdict::Pass);
    }
    assert!(refused(&decide(&policy, 0x122, &[OWNER, certificate], &[]), "protected"));
    assert!(refused(&decide(&policy, 0x13b, &[certificate], &[]), "protected"));
    assert_eq!(decide(&policy, 0x14e, &[OWNER, certificate], &[0; 4]), Verdict::Pass, "NV_Read");
    // EvictControl: the key that is there, and the place of a new one.
    assert!(refused(&decide(&policy, 0x120, &[OWNER, 0x8101_0001], &[0x81, 1, 0, 1]), "0x81010001"));
    assert!(refused(&decide(&policy, 0x120, &[OWNER, 0x8000_0000], &[0x81, 1, 0, 9]), "0x81010009"));
    assert_eq!(decide(&policy, 0x120, &[OWNER, 0x8000_0000], &[0x81, 0, 0, 1]), Verdict::Pass);
    // NV_DefineSpace: an authorization of two bytes, the size of the public area, the Index.
    let define = |index: u32| {
        let public = [&[0, 2, 7, 7, 0, 14][..], &index.to_be_bytes(), &[0, 0x0b, 0, 0, 0, 0, 0, 0, 0, 8]].concat();
        decide(&policy, 0x12a, &[OWNER], &public)
    };
    assert!(refused(&define(certificate), "protected"));
    assert_eq!(define(own), Verdict::Pass);
    assert!(refused(&decide(&policy, 0x12a, &[OWNER], &[0, 200]), "too short"));
}

#[test]
fn ordinary_commands_pass_and_torn_ones_do_no_harm() {
    let policy = Policy::default();
    for code in [0x131, 0x153, 0x157, 0x158, 0x15d, 0x15e, 0x161, 0x165, 0x17a, 0x17b, 0x17e, 0x182] {
        assert_eq!(decide(&policy, code, &[OWNER, OWNER, OWNER], &[]), Verdict::Pass, "0x{code:x}");
    }
    let whole = command(0x12a, &[OWNER], Some(b"abc"), &[0; 30]);
    for length in 10..whole.len() {
        for row in COMMANDS {
            policy.decide(row.code, &whole[..length]);
        }
    }
}

#[test]
fn a_file_changes_the_table_and_protects_other_handles() {
    let text = r#"{
        "about": "the TPM of this host belongs to the VM",
        "platform": "allow",
        "protect": ["0x81000001", "0x00000000-0x00000007"],
        "commands": { "TPM2_Clear": "allow", "GetRandom": "deny", "DictionaryAttackLockReset": "answer" }
    }"#;
    let policy = Policy::parse(text).unwrap();
    assert_eq!(decide(&policy, 0x126, &[PLATFORM], &[]), Verdict::Pass);
    assert!(refused(&decide(&policy, 0x17b, &[], &[]), "policy file"));
    assert_eq!(decide(&policy, 0x139, &[LOCKOUT], &[]), Verdict::Success { session: true });
    assert!(refused(&decide(&policy, 0x182, &[7], &[]), "protected"), "PCR_Extend");
    assert_eq!(decide(&policy, 0x182, &[8], &[]), Verdict::Pass);
    assert_eq!(decide(&policy, 0x137, &[OWNER, 0x01c0_0002], &[]), Verdict::Pass);
    let printed = Policy::parse(&policy.to_json()).unwrap();
    assert_eq!(printed.to_json(), policy.to_json());
    assert_eq!(Policy::parse(&Policy::default().to_json()).unwrap().to_json(), Policy::default().to_json());
}

#[test]
fn faults_of_a_file_are_named() {
    for (text, part) in [
        ("", "not JSON"),
        ("[]", "one object"),
        (r#"{"comands": {}}"#, "'comands' is unknown"),
        (r#"{"commands": []}"#, "wrong kind"),
        (r#"{"commands": {"Clera": "allow"}}"#, "'Clera'"),
        (r#"{"commands": {"Clear": "maybe"}}"#, "Clear: \"maybe\" is unknown"),
        (r#"{"commands": {"GetRandom": "answer"}}"#, "more to answer"),
        (r#"{"commands": {"Startup": "allow"}}"#, "Startup is always answered"),
        (r#"{"protect": ["1"]}"#, "neither a handle"),
        (r#"{"protect": ["0x2-0x1"]}"#, "neither a handle"),
        (r#"{"platform": "yes"}"#, "platform"),
    ] {
        let error = Policy::parse(text).unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
}
