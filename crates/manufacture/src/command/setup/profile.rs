//! Profiles: what a new TPM has, for all its life.

use super::options::{Options, ProfileSource};
use crate::config::Config;
use crate::failure::{Failure, failure};
use crate::file;
use crate::vtpm::Vtpm;
use sealwright_tpm2::libtpms::{ALL_ALGORITHMS, ALL_COMMANDS, BUILTIN_PROFILES};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What `--print-capabilities` says of profiles.
pub(super) const FEATURES: [&str; 2] = ["cmdarg-profile", "cmdarg-profile-remove-disabled"];
/// The folder of the distribution's profiles.
const DISTRO: &str = "/usr/share/swtpm/profiles";
/// Characters of the longest name.
const LONGEST: usize = 32;

/// The StateFormatLevel of profiles of the user's that restrict nothing: commands and algorithms of libtpms 0.10.
const CUSTOM_LEVEL: u32 = 7;
/// The level that RSA-4096 came with.
const RSA_4096_LEVEL: u32 = 8;

/// Names of the profiles that need no file.
pub(super) fn builtin_names() -> Vec<&'static str> {
    BUILTIN_PROFILES.iter().map(|profile| profile.name).collect()
}

/// A profile that was chosen, as the text that goes into the state; `null` has none there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Profile {
    text: Option<String>,
    level: u32,
}

impl Profile {
    /// The profile of states that have none.
    const NULL: Self = Self { text: None, level: 1 };

    /// A new TPM of this profile.
    pub(super) fn new_tpm(&self) -> Result<Vtpm, Failure> {
        Vtpm::new(self.text.as_deref())
    }

    /// Bits of the largest RSA key.
    pub(super) const fn largest_rsa(&self) -> u16 {
        if self.level < RSA_4096_LEVEL { 3072 } else { 4096 }
    }

    /// The profile of a JSON text of the user's.
    fn of_text(text: &str, remove_disabled: Option<&str>) -> Result<Self, Failure> {
        let parsed: Value = serde_json::from_str(text).map_err(|error| failure!("The profile is no JSON: {error}"))?;
        let name = parsed.get("Name").and_then(Value::as_str);
        let name = name.ok_or_else(|| failure!("Failed to get 'Name' from profile '{text}'."))?;
        if name.chars().count() > LONGEST {
            return Err(failure!("Profile name must not exceed {LONGEST} characters."));
        }
        if let Some(builtin) = BUILTIN_PROFILES.iter().find(|profile| profile.name == name) {
            let text = (name != Self::NULL_NAME).then(|| builtin.text.to_owned());
            return Ok(Self { text, level: builtin.level });
        }
        if name != "custom" && !name.starts_with("custom:") {
            return Err(failure!("swtpm does not support a profile with name '{name}'"));
        }
        let restricts = |field: &str, all: &str| parsed.get(field).is_some_and(|value| value.as_str() != Some(all));
        let restricted = [("Commands", ALL_COMMANDS), ("Algorithms", ALL_ALGORITHMS), ("Attributes", "")]
            .into_iter()
            .find(|(field, all)| restricts(field, all));
        if let Some((field, _)) = restricted {
            return Err(failure!(
                "The profile '{name}' restricts {field}, which this TPM cannot enforce; choose a built-in profile."
            ));
        }
        if remove_disabled == Some("fips-host") {
            return Err(failure!(
                "The profile '{name}' cannot be made one for FIPS hosts: this TPM cannot enforce that."
            ));
        }
        let description = parsed.get("Description").and_then(Value::as_str);
        let description = description.unwrap_or("A profile without restrictions.");
        let text = format!(
            "{{\"Name\":{},\"StateFormatLevel\":{CUSTOM_LEVEL},\"Commands\":\"{ALL_COMMANDS}\",\
             \"Algorithms\":\"{ALL_ALGORITHMS}\",\"Description\":{}}}",
            json!(name),
            json!(description)
        );
        Ok(Self { text: Some(text), level: CUSTOM_LEVEL })
    }

    const NULL_NAME: &str = "null";
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
    match chosen_text(options, config)? {
        Some(text) => Profile::of_text(&text, options.remove_disabled.as_deref()),
        None => Ok(Profile::NULL),
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
    let builtin: Vec<&str> = BUILTIN_PROFILES.iter().map(|profile| profile.text).collect();
    part("builtin", Some(format!("[{}]", builtin.join(","))));
    format!("{{{}}}\n", parts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_chosen_by_their_text() {
        let of = |text: &str| Profile::of_text(text, None);
        assert_eq!(of(r#"{"Name":"null"}"#).unwrap(), Profile::NULL);
        let v1 = of(r#"{"Name": "default-v1"}"#).unwrap();
        assert!(v1.text.as_ref().unwrap().starts_with(r#"{"Name":"default-v1","StateFormatLevel":7,"#));
        assert_eq!((v1.largest_rsa(), of(r#"{"Name":"default-v2"}"#).unwrap().largest_rsa()), (3072, 4096));
        let custom = of(r#"{"Name":"custom:a","Description":"b"}"#).unwrap().text.unwrap();
        assert!(custom.contains(r#""Name":"custom:a""#) && custom.ends_with(r#""Description":"b"}"#), "{custom}");
        for (text, why) in [
            (r#"{"Name":"other"}"#, "does not support"),
            (r#"{"Name":null}"#, "Failed to get"),
            ("{", "no JSON"),
            (r#"{"Name":"custom","Algorithms":"rsa"}"#, "restricts Algorithms"),
            (r#"{"Name":"custom","Attributes":"no-sha1-signing"}"#, "restricts Attributes"),
            (r#"{"Name":"012345678901234567890123456789012"}"#, "32 characters"),
        ] {
            assert!(of(text).unwrap_err().0.contains(why), "{text}");
        }
        assert!(Profile::of_text(r#"{"Name":"custom"}"#, Some("fips-host")).is_err());
        assert!(by_name(&Config::default(), "../x").is_err());
        assert_eq!(by_name(&Config::default(), "builtin:null").unwrap(), r#"{"Name":"null"}"#);
    }
}
