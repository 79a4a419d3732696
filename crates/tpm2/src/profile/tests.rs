use super::*;
use sealwright_core::Engine as _;
use sealwright_core::wire::Accept;

fn custom<'a>(algorithms: Option<&'a str>, commands: Option<&'a str>, attributes: Option<&'a str>) -> Choice<'a> {
    Choice { name: "custom:test", commands, algorithms, attributes, ..Choice::default() }
}

#[test]
fn the_built_in_ones_have_what_they_say() {
    let of = |name| Profile::of_choice(&Choice { name, ..Choice::default() }).unwrap();
    assert_eq!(of("null"), Profile::null());
    assert_eq!((of("null").level(), of("default-v1").level(), of("default-v2").level()), (1, 7, 8));
    for name in ["default-v1", "default-v2"] {
        let profile = of(name);
        assert_eq!(Profile::of_text(profile.text().unwrap()).unwrap(), profile, "{name}");
        assert!(profile.limits().unwrap().command(0x19C));
    }
    let (v1, v2, null) = (of("default-v1"), of("default-v2"), Profile::null());
    let limits = [&v1, &v2, &null].map(|profile| profile.limits().unwrap());
    assert_eq!(limits.each_ref().map(|l| l.key_bits(1, 4096)), [false, true, false]);
    assert_eq!(limits.each_ref().map(|l| l.key_bits(6, 192)), [true, true, false]);
    assert!(!limits[2].command(0x199) && limits[2].command(0x197));
    assert!(!limits[1].command(0x19D) && !limits[1].command(0x1A7));
    assert_eq!(Profile::of_text(null.stored().unwrap()).unwrap(), null);
    assert_eq!(Profile::default().stored(), None);
    assert!(matches!(Profile::of_choice(&Choice { name: "other", ..Choice::default() }), Err(ProfileFault::Name(_))));
}

#[test]
fn lists_are_libtpmss() {
    let limits = Limits::of_level(8);
    let commands = "0x11f-0x122,0x124-0x12e,0x130-0x140,0x142-0x159,0x15b-0x15e,0x160-0x165,0x167-0x174,0x176-0x178,\
                    0x17a-0x193,0x197,0x199-0x19c";
    assert_eq!(limits.command_list(List::Implemented), commands);
    assert_eq!(Limits::of_level(1).command_list(List::Disabled), "0x199-0x19c");
    // The text of the built-in profiles names families of curves; the list of what is there names both.
    let families = "ecc-nist,ecc-bn,ecc-nist-p192,ecc-nist-p224,ecc-nist-p256,ecc-nist-p384,ecc-nist-p521,\
                    ecc-bn-p256,ecc-bn-p638,ecc-sm2-p256,";
    let all = limits.algorithm_list(List::Implemented);
    assert_eq!(all.replace(families, "ecc-nist,ecc-bn,ecc-sm2-p256,"), ALL_ALGORITHMS);
    assert_eq!(
        Limits::of_lists(8, Some(commands), Some(ALL_ALGORITHMS), None).unwrap().algorithm_list(List::Disabled),
        ""
    );
    let (algorithms, _) = Profile::catalog(List::CanBeDisabled);
    assert!(algorithms.starts_with("tdes,sha1,sha512,rsassa,") && algorithms.ends_with(",cbc,ecb"), "{algorithms}");
}

#[test]
fn a_custom_profile_is_checked_and_limits() {
    let less =
        ALL_ALGORITHMS.replace("sha1,", "").replace("rsa-min-size=1024", "rsa-min-size=2048").replace(",ecc-bn", "");
    let profile = Profile::of_choice(&custom(Some(&less), None, Some("no-sha1-signing"))).unwrap();
    let limits = profile.limits().unwrap();
    assert!(!limits.algorithm(4) && limits.algorithm(0x0B) && limits.algorithm(0x10));
    assert!(!limits.key_bits(1, 1024) && limits.key_bits(1, 2048));
    assert!(!limits.curve(0x10) && limits.curve(3));
    assert!(limits.has(attribute::NO_SHA1_SIGNING) && !limits.has(attribute::NO_SHA1_VERIFICATION));
    assert!(profile.active().contains("\"Attributes\":\"no-sha1-signing\""));
    assert!(profile.runtime_algorithms().contains("\"Disabled\":\"sha1,ecc-bn,ecc-bn-p256,ecc-bn-p638\""));
    assert_eq!(Profile::of_text(profile.text().unwrap()).unwrap(), profile);

    let refused = |choice: &Choice<'_>| Profile::of_choice(choice).unwrap_err();
    let without = |name: &str| ALL_ALGORITHMS.replace(name, "");
    assert!(matches!(refused(&custom(Some(&without("sha256,")), None, None)), ProfileFault::Needed(_)));
    assert!(matches!(refused(&custom(Some("rsa,unknown"), None, None)), ProfileFault::Algorithm(_)));
    assert!(matches!(refused(&custom(Some("rsa-min-size=512"), None, None)), ProfileFault::Algorithm(_)));
    assert!(matches!(refused(&custom(None, Some("0x11f-0x122"), None)), ProfileFault::NeededCommand(_)));
    for commands in ["0x122-0x11f", "0x11f-", "x", "", "0x123", "0x11f-0xffffffff"] {
        assert!(matches!(refused(&custom(None, Some(commands), None)), ProfileFault::Command(_)), "{commands}");
    }
    assert!(matches!(refused(&custom(None, None, Some("other"))), ProfileFault::Attribute(_)));
    let low = Choice { level: Some(2), ..custom(None, None, Some("pct")) };
    assert!(matches!(refused(&low), ProfileFault::Level { needed: 7, .. }));
    assert!(matches!(refused(&Choice { level: Some(9), ..custom(None, None, None) }), ProfileFault::UnknownLevel(9)));
    let fixed = Choice { name: "null", algorithms: Some("rsa"), ..Choice::default() };
    assert!(matches!(refused(&fixed), ProfileFault::Fixed(_)));
}

#[test]
fn the_level_is_found() {
    assert_eq!(level_of(r#"{"Name":"x","StateFormatLevel": 7,"Commands":""}"#), Some(7));
    assert_eq!(level_of(r#"{"StateFormatLevel":12}"#), Some(12));
    assert_eq!(level_of(r#"{"Name":"x"}"#), None);
    assert_eq!(level_of(r#"{"StateFormatLevel":"x"}"#), None);
    assert_eq!(Profile::default().level(), 1);
}

/// Linux asks for as many commands as `TPM_PT_TOTAL_COMMANDS` says, and takes another number for a broken TPM.
#[test]
fn as_many_commands_are_listed_as_are_counted() {
    for (name, commands) in [("null", 110), ("default-v1", 114), ("default-v2", 114)] {
        let profile = Profile::of_choice(&Choice { name, ..Choice::default() }).unwrap();
        let mut host = crate::testing::Host::default();
        let mut tpm = crate::Tpm2::manufacture_with(&sealwright_crypto::RUST, &mut host, profile).unwrap();
        tpm.power_on(&mut host);
        let mut answer = [0; 4096];
        tpm.execute(&mut host, 0, &[0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0], &mut answer);
        let mut ask = |capability: u8, first: u16, count: u8| {
            let [high, low] = first.to_be_bytes();
            let command = [0x80, 1, 0, 0, 0, 22, 0, 0, 1, 0x7A, 0, 0, 0, capability, 0, 0, high, low, 0, 0, 0, count];
            tpm.execute(&mut host, 0, &command, &mut answer);
            assert_eq!(answer[6..10], [0; 4], "{name}");
            answer
        };
        let total = ask(6, 0x129, 1)[26];
        let listed = ask(2, 0, total);
        assert_eq!((listed[10], listed[18], total), (0, total, commands), "{name}");
    }
}
