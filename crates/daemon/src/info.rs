//! What the program and its TPM are, as JSON in swtpm's shapes: GET_INFO, `--print-info` and the other `--print-...`.

use crate::options::Program;
use sealwright_state::{Content, StateError, Store};
use sealwright_tpm2::profile::{List, Profile, available, names};

/// The swtpm whose options, outputs and channels these are: what asks for a least version gets this one.
const SWTPM_VERSION: &str = "0.10.2";

/// The version that the program says to those who know it by this name.
pub(crate) fn version(program: Program) -> &'static str {
    match program {
        Program::Vtpmd => env!("CARGO_PKG_VERSION"),
        Program::Swtpm => SWTPM_VERSION,
    }
}

/// TPMSpecification, TPMAttributes, TPMFeatures: the flags of GET_INFO that are known.
const SPECIFICATION: u64 = 1;
const ATTRIBUTES: u64 = 2;
const FEATURES: u64 = 4;

/// RSA key sizes of the engine.
const RSA_SIZES: [&str; 4] = ["1024", "2048", "3072", "4096"];

const ALGORITHMS: u64 = 8;
const COMMANDS: u64 = 0x10;
const PROFILE: u64 = 0x20;
const PROFILES: u64 = 0x40;
const RUNTIME_ATTRIBUTES: u64 = 0x80;

/// What GET_INFO answers for `flags` about a TPM with this profile; unknown flags add nothing.
///
/// Family, revision, manufacturer and version are what certificates for the TPM name. They are the same as those
/// of the TPM properties of the engine.
pub(crate) fn json(flags: u64, profile: &Profile) -> String {
    let mut objects = Vec::new();
    if flags & SPECIFICATION != 0 {
        objects.push(r#""TPMSpecification":{"family":"2.0","level":0,"revision":164}"#.to_owned());
    }
    if flags & ATTRIBUTES != 0 {
        let text = r#""TPMAttributes":{"manufacturer":"id:00001014","version":"id:20240125","model":"swtpm"}"#;
        objects.push(text.to_owned());
    }
    if flags & FEATURES != 0 {
        let sizes = RSA_SIZES.join(",");
        objects.push(format!(r#""TPMFeatures":{{"RSAKeySizes":[{sizes}],"CamelliaKeySizes":[128,192,256]}}"#));
    }
    if flags & ALGORITHMS != 0 {
        objects.push(profile.runtime_algorithms());
    }
    if flags & COMMANDS != 0 {
        objects.push(profile.runtime_commands());
    }
    if flags & PROFILE != 0 {
        objects.push(format!("\"ActiveProfile\":{}", profile.active()));
    }
    if flags & PROFILES != 0 {
        objects.push(available());
    }
    if flags & RUNTIME_ATTRIBUTES != 0 {
        objects.push(profile.runtime_attributes());
    }
    format!("{{{}}}", objects.join(","))
}

/// `--print-capabilities`: only what this program does.
pub(crate) fn capabilities(program: Program, tpm2: bool) -> String {
    let mut features = vec![
        "tpm-2.0",
        "tpm-send-command-header",
        "flags-opt-startup",
        "flags-opt-disable-auto-shutdown",
        "ctrl-opt-terminate",
        "cmdarg-seccomp",
        "cmdarg-key-fd",
        "cmdarg-pwd-fd",
        "cmdarg-print-states",
        "cmdarg-chroot",
        "cmdarg-migration",
        "nvram-backend-dir",
        "nvram-backend-file",
    ];
    let sizes: Vec<String> = RSA_SIZES.iter().map(|s| format!("rsa-keysize-{s}")).collect();
    if tpm2 {
        features.extend(sizes.iter().map(String::as_str));
        features.extend(["cmdarg-profile", "cmdarg-print-profiles", "profile-opt-remove-disabled"]);
    }
    features.extend([
        "cmdarg-print-info",
        "tpmstate-opt-lock",
        "tpmstate-dir-backend-opt-backup",
        "tpmstate-dir-backend-opt-fsync",
        "cmdarg-pcap",
        "systemd-notify",
    ]);
    let list: Vec<String> = features.iter().map(|f| format!("\"{f}\"")).collect();
    let version = version(program);
    let profiles = if tpm2 { described_profiles() } else { String::new() };
    let list = list.join(", ");
    format!(r#"{{ "type": "swtpm", "features": [ {list} ], "profiles": {{ {profiles}}}, "version": "{version}" }}"#)
}

/// The profiles in the list of capabilities.
fn described_profiles() -> String {
    let names: Vec<String> = names().iter().map(|name| format!("\"{name}\"")).collect();
    let (can_be, all) = (Profile::catalog(List::CanBeDisabled), Profile::catalog(List::Implemented));
    let lists = |can_be: &str, all: &str| format!(r#"{{ "canbedisabled": "{can_be}", "implemented": "{all}" }}"#);
    format!(
        r#""names": [ {} ], "algorithms": {}, "commands": {} "#,
        names.join(", "),
        lists(&can_be.0, &all.0),
        lists(&can_be.1, &all.1)
    )
}

/// Sizes of the permanent and the volatile state of vtpmd's own format; nothing if there are none.
pub(crate) fn sizes(store: &mut Store) -> Result<Option<[Option<u64>; 2]>, StateError> {
    let Some(stored) = store.peek()? else { return Ok(None) };
    let state = stored.iter().rev().find(|g| g.content == Content::State);
    let volatile = stored.iter().rev().find(|g| g.content != Content::State);
    let volatile = volatile.filter(|g| g.content == Content::Volatile);
    Ok(Some([state.map(|g| g.size), volatile.map(|g| g.size)]))
}

/// `--print-states`: names as swtpm has them, of states of these sizes.
pub(crate) fn states([permanent, volatile]: [Option<u64>; 2]) -> String {
    let found = [(permanent, "permall"), (volatile, "volatilestate")];
    let list = found.map(|(size, name)| size.map(|size| format!(r#"{{"name": "{name}", "size": {size}}}"#)));
    let list: Vec<String> = list.into_iter().flatten().collect();
    let inside = if list.is_empty() { String::new() } else { format!(" {} ", list.join(", ")) };
    format!(r#"{{ "type": "swtpm", "states": [{inside}] }}"#)
}

/// `--print-profiles`.
pub(crate) fn profiles() -> String {
    format!("{{{}}}", available())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sealwright_state::backend::Memory;
    use sealwright_state::{Kind, Settings};

    #[test]
    fn info_has_what_was_asked_for() {
        let json = |flags| json(flags, &Profile::null());
        assert_eq!(json(0), "{}");
        assert!(
            json(3).starts_with(r#"{"TPMSpecification":{"family":"2.0","level":0,"revision":164},"TPMAttributes""#)
        );
        assert!(!json(1).contains("Attributes"));
        assert!(json(4).contains("\"RSAKeySizes\":[1024,2048,3072,4096]"));
        assert!(json(0x20).starts_with(r#"{"ActiveProfile":{"Name":"null","StateFormatLevel":1,"Commands":"0x11f"#));
        for flags in [0xff, 0x40] {
            let value: serde_json::Value = serde_json::from_str(&json(flags)).unwrap();
            let names = value["AvailableProfiles"].as_array().unwrap().iter().map(|profile| &profile["Name"]);
            assert_eq!(names.collect::<Vec<_>>(), ["default-v2", "default-v1", "null", "custom"]);
        }
        let runtime: serde_json::Value = serde_json::from_str(&json(0x98)).unwrap();
        assert_eq!(runtime["RuntimeCommands"]["Disabled"], "0x199-0x19c");
        assert_eq!(runtime["RuntimeAttributes"]["Enabled"], "");
        assert_eq!(runtime["RuntimeAlgorithms"]["Disabled"], "");
    }

    #[test]
    fn capabilities_are_json_in_swtpms_order() {
        for (program, tpm2) in [(Program::Swtpm, true), (Program::Vtpmd, false)] {
            let value: serde_json::Value = serde_json::from_str(&capabilities(program, tpm2)).unwrap();
            assert_eq!(value["profiles"]["names"].is_array(), tpm2);
            let last = value["features"].as_array().unwrap().last().unwrap();
            assert_eq!(last, "systemd-notify");
        }
        assert!(capabilities(Program::Vtpmd, false).contains(r#""profiles": { }, "version""#));
    }

    #[test]
    fn states_are_listed() {
        assert_eq!(states([None, None]), r#"{ "type": "swtpm", "states": [] }"#);
        let text = r#"{ "type": "swtpm", "states": [ {"name": "permall", "size": 9} ] }"#;
        assert_eq!(states([Some(9), None]), text);
        let mut store = Store::new(Box::new(Memory::default()), None, Settings::new(Kind::Tpm));
        assert_eq!(sizes(&mut store).unwrap(), None);
        store.lock().unwrap();
        store.create(&[0; 7], "").unwrap();
        assert_eq!(sizes(&mut store).unwrap(), Some([Some(7), None]));
        store.store_volatile(&[0; 3]).unwrap();
        assert_eq!(sizes(&mut store).unwrap(), Some([Some(7), Some(3)]));
        assert!(states([Some(7), Some(3)]).contains(r#", {"name": "volatilestate", "size": 3} ]"#));
    }
}
