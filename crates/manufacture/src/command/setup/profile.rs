//! Profiles: what a new TPM has, for all its life.

use super::options::{Options, ProfileSource};
use crate::config::Config;
use crate::failure::{Failure, failure};
use crate::file;
use sealwright_tpm2::profile::{self, Choice, Profile, ProfileFault};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What `--print-capabilities` says of profiles.
pub(super) const FEATURES: [&str; 2] = ["cmdarg-profile", "cmdarg-profile-remove-disabled"];
/// The folder of the distribution's profiles.
const DISTRO: &str = "/usr/share/swtpm/profiles";
/// Characters of the longest name.
const LONGEST: usize = 32;

/// Says 1 on a host in FIPS mode.
const FIPS_MODE: &str = "/proc/sys/crypto/fips_enabled";
/// Fields of a profile beside its name and level.
const TEXTS: [&str; 4] = ["Commands", "Algorithms", "Attributes", "Description"];

/// Names of the profiles that need no file.
pub(super) fn builtin_names() -> Vec<&'static str> {
    profile::names()
}

/// Bits of the largest RSA key of a profile.
pub(super) fn largest_rsa(profile: &Profile) -> u16 {
    // libtpms has them from the level of default-v2 on.
    let level = serde_json::from_str::<Value>(&profile.active()).ok();
    let level = level.and_then(|text| text.get("StateFormatLevel")?.as_u64());
    if level.is_some_and(|level| level >= 8) { 4096 } else { 3072 }
}

/// The profile of a JSON text of the user's.
fn of_text(text: &str, for_fips: bool) -> Result<Profile, Failure> {
    let parsed: Value = serde_json::from_str(text).map_err(|error| failure!("The profile is no JSON: {error}"))?;
    let name = parsed.get("Name").and_then(Value::as_str);
    let name = name.ok_or_else(|| failure!("Failed to get 'Name' from profile '{text}'."))?;
    if name.chars().count() > LONGEST {
        return Err(failure!("Profile name must not exceed {LONGEST} characters."));
    }
    let unknown = parsed.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    if let Some(key) =
        unknown.into_iter().find(|key| !["Name", "StateFormatLevel"].contains(key) && !TEXTS.contains(key))
    {
        return Err(failure!("The profile '{name}' has the field '{key}', which is none of a profile."));
    }
    let level = match parsed.get("StateFormatLevel") {
        None => None,
        Some(level) => {
            let level = level.as_u64().and_then(|level| u32::try_from(level).ok());
            Some(level.ok_or_else(|| failure!("The profile '{name}' has a StateFormatLevel that is no number."))?)
        }
    };
    // They go back into JSON text as they are.
    let safe = |text: &str| !text.contains(['"', '\\']) && !text.chars().any(char::is_control) && text.len() <= 8192;
    let [commands, algorithms, attributes, description] = TEXTS.map(|field| parsed.get(field).and_then(Value::as_str));
    if ![Some(name), commands, algorithms, attributes, description].into_iter().flatten().all(safe) {
        return Err(failure!("A field of the profile is too long, or has quotes, backslashes or control characters."));
    }
    let fips = for_fips && (name == "custom" || name.starts_with("custom:"));
    let fips = fips.then(|| profile::for_fips_hosts(algorithms, attributes));
    let (algorithms, attributes) = match &fips {
        Some((algorithms, attributes)) => (Some(algorithms.as_str()), Some(attributes.as_str())),
        None => (algorithms, attributes),
    };
    Profile::of_choice(&Choice { name, level, commands, algorithms, attributes, description }).map_err(|fault| {
        match fault {
            ProfileFault::Name(name) => failure!("swtpm does not support a profile with name '{name}'"),
            fault => failure!("The profile '{name}' cannot be used: {fault}"),
        }
    })
}

/// The folder of the user's profiles.
fn local(config: &Config) -> Option<PathBuf> {
    config.filled("local_profiles_dir").map(PathBuf::from)
}

/// The JSON text of the profile of this name: of a local file, of one of the distribution, or built in.
fn by_name(config: &Config, name: &str) -> Result<String, Failure> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || ".-:".contains(c)) {
        return Err(failure!("Profile name '{name}' contains unacceptable characters."));
    }
    let from = |folder: Option<PathBuf>, name: &str| {
        let path = folder.map(|folder| folder.join(format!("{name}.json"))).filter(|path| path.is_file());
        path.map(|path| text_of(&path)).transpose()
    };
    let built_in = |name: &str| Ok(json!({ "Name": name }).to_string());
    let missing = || failure!("Could not find or access profile '{name}'.");
    if let Some(name) = name.strip_prefix("local:") {
        return from(local(config), name)?.ok_or_else(missing);
    }
    if let Some(name) = name.strip_prefix("distro:") {
        return from(Some(DISTRO.into()), name)?.ok_or_else(missing);
    }
    if let Some(name) = name.strip_prefix("builtin:") {
        return built_in(name);
    }
    match from(local(config), name)? {
        Some(text) => Ok(text),
        None => from(Some(DISTRO.into()), name)?.map_or_else(|| built_in(name), Ok),
    }
}

fn text_of(path: &Path) -> Result<String, Failure> {
    let bytes = file::read(path).map_err(|Failure(why)| failure!("Could not open profile file: {why}"))?;
    text(&bytes)
}

fn text(bytes: &[u8]) -> Result<String, Failure> {
    core::str::from_utf8(bytes).map(|text| text.trim().to_owned()).map_err(|_| failure!("The profile is no text."))
}

/// The JSON text that the options or the configuration ask for.
fn chosen_text(options: &Options, config: &Config) -> Result<Option<String>, Failure> {
    match options.profiles.as_slice() {
        [] => {}
        [ProfileSource::Text(text)] => return Ok(Some(text.clone())),
        [ProfileSource::Name(name)] => return by_name(config, name).map(Some),
        [ProfileSource::File(path)] => return text_of(path).map(Some),
        [ProfileSource::Descriptor(number)] => return text(&file::read_descriptor(*number)?).map(Some),
        _ => {
            return Err(failure!(
                "Only one of --profile, --profile-name, --profile-file, and --profile-file-fd may be given."
            ));
        }
    }
    if options.reconfigure {
        return Ok(None);
    }
    match config.filled("profile_file") {
        Some(path) => text_of(path.as_ref()).map(Some),
        None => Ok(config.filled("profile")),
    }
}

/// The profile that the options or the configuration ask for; without one, `null`.
pub(super) fn chosen(options: &Options, config: &Config) -> Result<Profile, Failure> {
    if options.reconfigure && !options.profiles.is_empty() {
        return Err(failure!("Reconfiguration does not accept a (new) profile."));
    }
    let for_fips = match options.remove_disabled.as_deref() {
        None => false,
        // The engine's own cryptography has everything everywhere; what the host forbids is left out all the same.
        Some("check") => std::fs::read_to_string(FIPS_MODE).is_ok_and(|text| text.trim() == "1"),
        Some(_) => true,
    };
    match chosen_text(options, config)? {
        Some(text) => of_text(&text, for_fips),
        None => Ok(Profile::null()),
    }
}

/// The profiles of a folder, by the names of their files.
fn of_folder(folder: &Path) -> Option<String> {
    let entries = std::fs::read_dir(folder).ok()?;
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".json"));
        let parsed = text_of(&path).ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
        let (Some(name), Some(Value::Object(mut profile))) = (name, parsed) else { continue };
        if profile.remove("Name").is_some_and(|name| name.is_string()) {
            // The name first, as everybody writes it.
            let rest = profile.iter().map(|(key, value)| format!(",{}:{value}", json!(key))).collect::<String>();
            found.push(format!("{{\"Name\":{}{rest}}}", json!(name)));
        }
    }
    found.sort();
    Some(format!("[{}]", found.join(",")))
}

/// `--print-profiles`.
pub(super) fn list(config: &Config) -> String {
    let mut parts = Vec::new();
    let mut part = |name: &str, profiles: Option<String>| {
        parts.extend(profiles.map(|profiles| format!("\"{name}\":{profiles}")));
    };
    part("local", local(config).and_then(|folder| of_folder(&folder)));
    part("distro", of_folder(DISTRO.as_ref()));
    // As the daemon says it, under another name.
    let builtin = profile::available();
    part("builtin", builtin.split_once(':').map(|(_, list)| list.to_owned()));
    format!("{{{}}}\n", parts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_chosen_by_their_text() {
        let of = |text: &str| of_text(text, false);
        assert_eq!(of(r#"{"Name":"null"}"#).unwrap(), Profile::null());
        let v1 = of(r#"{"Name": "default-v1"}"#).unwrap();
        assert!(v1.active().starts_with(r#"{"Name":"default-v1","StateFormatLevel":7,"#));
        assert_eq!((largest_rsa(&v1), largest_rsa(&of(r#"{"Name":"default-v2"}"#).unwrap())), (3072, 4096));
        assert_eq!(largest_rsa(&Profile::null()), 3072);
        let custom = of(r#"{"Name":"custom:a","Description":"b"}"#).unwrap().active();
        assert!(custom.contains(r#""Name":"custom:a""#) && custom.ends_with(r#""Description":"b"}"#), "{custom}");
        let fips = of_text(r#"{"Name":"custom"}"#, true).unwrap().active();
        let attributes = r#""Attributes":"no-sha1-signing,no-sha1-verification,no-unpadded-encryption""#;
        assert!(fips.contains(attributes) && !fips.contains("camellia"), "{fips}");
        for (text, why) in [
            (r#"{"Name":"other"}"#, "does not support"),
            (r#"{"Name":null}"#, "Failed to get"),
            ("{", "no JSON"),
            (r#"{"Name":"custom","Algorithms":"rsa"}"#, "cannot be used"),
            (r#"{"Name":"custom","Nothing":"x"}"#, "none of a profile"),
            (r#"{"Name":"custom","StateFormatLevel":"x"}"#, "no number"),
            (r#"{"Name":"012345678901234567890123456789012"}"#, "32 characters"),
        ] {
            let fault = of(text).unwrap_err();
            assert!(fault.0.contains(why), "{text}: {fault}");
        }
        assert!(by_name(&Config::default(), "../x").is_err());
        assert_eq!(by_name(&Config::default(), "builtin:null").unwrap(), r#"{"Name":"null"}"#);
        assert!(list(&Config::default()).ends_with("]}\n"));
    }
}
