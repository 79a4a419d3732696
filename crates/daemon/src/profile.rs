//! The profile of a new TPM, from the command line.

use crate::failure::{Failure, failure};
use crate::options::{Options, ProfileOption, ProfileSource, RemoveDisabled, StateFormat};
use sealwright_keys::descriptor;
use sealwright_tpm2::profile::{Choice, Profile, for_fips_hosts};
use serde_json::Value;
use std::fs::File;
use std::io::Read;

/// The longest text that is read.
const MOST: u64 = 10 * 1024;
/// Says 1 on a host in FIPS mode.
pub(crate) const FIPS_MODE: &str = "/proc/sys/crypto/fips_enabled";

fn read(from: File, name: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let size = from.take(MOST.saturating_add(1)).read_to_string(&mut text);
    let size = size.map_err(|e| failure!("--profile: cannot read {name}: {e}"))?;
    if u64::try_from(size).is_ok_and(|size| size <= MOST) {
        Ok(text)
    } else {
        Err(failure!("--profile: {name} is longer than {MOST} bytes"))
    }
}

/// Fields of a profile in JSON, all optional but the name.
#[derive(Default)]
struct Fields {
    name: String,
    level: Option<u32>,
    texts: [Option<String>; 4],
}

const TEXTS: [&str; 4] = ["Commands", "Algorithms", "Attributes", "Description"];

impl Fields {
    fn parse(text: &str) -> Result<Self, Failure> {
        let value: Value =
            serde_json::from_str(text).map_err(|e| failure!("--profile: the profile is not JSON: {e}"))?;
        let Value::Object(object) = value else { return Err(failure!("--profile: the profile is not a JSON object")) };
        let mut fields = Self::default();
        for (key, value) in object {
            match (key.as_str(), value) {
                ("Name", Value::String(name)) => fields.name = name,
                ("StateFormatLevel", Value::Number(level)) => {
                    let level = level.as_u64().and_then(|level| u32::try_from(level).ok());
                    fields.level = Some(level.ok_or_else(|| failure!("--profile: StateFormatLevel is not a number"))?);
                }
                (key, Value::String(text)) => {
                    let place = TEXTS.iter().position(|known| *known == key);
                    let place = place.and_then(|place| fields.texts.get_mut(place));
                    *place.ok_or_else(|| failure!("--profile: '{key}' is not a field of a profile"))? = Some(text);
                }
                (key, _) => return Err(failure!("--profile: '{key}' is not a field of a profile, or not of its type")),
            }
        }
        // They go back into JSON text as they are.
        let all = fields.texts.iter().flatten().chain([&fields.name]);
        if all.into_iter().any(|text| text.contains(['"', '\\']) || text.chars().any(char::is_control)) {
            return Err(failure!("--profile: a field of the profile has quotes, backslashes or control characters"));
        }
        if fields.texts.iter().flatten().any(|text| text.len() > 8192) || fields.name.len() > 64 {
            return Err(failure!("--profile: a field of the profile is too long"));
        }
        Ok(fields)
    }

    /// Leaves out what hosts in FIPS mode do not have, of a profile of one's own choice.
    fn without_what_fips_forbids(&mut self) {
        if self.name != "custom" && !self.name.starts_with("custom:") {
            return;
        }
        let [_, algorithms, attributes, _] = &mut self.texts;
        let (kept, named) = for_fips_hosts(algorithms.as_deref(), attributes.as_deref());
        (*algorithms, *attributes) = (Some(kept), Some(named));
    }
}

fn chosen(option: &ProfileOption) -> Result<Profile, Failure> {
    let mut fields = match &option.source {
        ProfileSource::Name(name) => Fields { name: name.clone(), ..Fields::default() },
        ProfileSource::Text(text) => Fields::parse(text)?,
        ProfileSource::File(path) => {
            let file = File::open(path).map_err(|e| failure!("--profile: cannot open {}: {e}", path.display()))?;
            Fields::parse(&read(file, &path.display().to_string())?)?
        }
        ProfileSource::Descriptor(number) => {
            let fd = descriptor(*number).map_err(|e| failure!("--profile: {e}"))?;
            Fields::parse(&read(File::from(fd), &format!("file descriptor {number}"))?)?
        }
    };
    let forbids = match option.remove_disabled {
        None => false,
        Some(RemoveDisabled::FipsHost) => true,
        // The engine's own cryptography has everything everywhere; what the host forbids is left out all the same.
        Some(RemoveDisabled::Check) => std::fs::read_to_string(FIPS_MODE).is_ok_and(|text| text.trim() == "1"),
    };
    if forbids {
        fields.without_what_fips_forbids();
    }
    let [commands, algorithms, attributes, description] = fields.texts.each_ref().map(Option::as_deref);
    let choice = Choice { name: &fields.name, level: fields.level, commands, algorithms, attributes, description };
    Profile::of_choice(&choice).map_err(|fault| failure!("--profile: {fault}"))
}

/// The profile of a new TPM: the one asked for; else that of libtpms 0.9 where the state is kept in swtpm's format, so that
/// every swtpm can read it, and everything in vtpmd's own.
pub(crate) fn of_options(options: &Options) -> Result<Profile, Failure> {
    match (&options.profile, options.state_format()) {
        (Some(option), _) => chosen(option),
        (None, StateFormat::Swtpm) => Ok(Profile::null()),
        (None, StateFormat::Vtpmd) => Ok(Profile::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: ProfileSource, remove_disabled: Option<RemoveDisabled>) -> Result<Profile, Failure> {
        chosen(&ProfileOption { source, remove_disabled })
    }

    fn text(text: &str) -> ProfileSource {
        ProfileSource::Text(text.to_owned())
    }

    #[test]
    fn profiles_of_names_and_texts() {
        assert_eq!(of(ProfileSource::Name("null".to_owned()), None).unwrap(), Profile::null());
        let v1 = of(text(r#"{"Name": "default-v1"}"#), None).unwrap();
        assert!(v1.text().unwrap().starts_with(r#"{"Name":"default-v1","StateFormatLevel":7,"Commands":"0x11f"#));
        let own = of(text(r#"{"Name": "custom:x", "Description": "mine", "Attributes": "pct"}"#), None).unwrap();
        assert!(own.text().unwrap().ends_with(r#""Attributes":"pct","Description":"mine"}"#));
        for (wrong, part) in [
            ("{", "not JSON"),
            ("[]", "not a JSON object"),
            (r#"{"Name":"other"}"#, "no profile 'other'"),
            (r#"{"Name":"custom","More":"x"}"#, "'More'"),
            (r#"{"Name":"custom","Algorithms":7}"#, "'Algorithms'"),
            (r#"{"Name":"custom","Algorithms":"rsa"}"#, "is missing"),
            (r#"{"Name":"custom","Description":"a\"b"}"#, "quotes"),
            (r#"{"Name":"null","Algorithms":"rsa"}"#, "fixed"),
        ] {
            let failure = of(text(wrong), None).unwrap_err();
            assert!(failure.0.contains(part), "{wrong}: {failure}");
        }
        assert!(of(ProfileSource::Descriptor(1_000_000), None).unwrap_err().0.contains("not open"));
    }

    #[test]
    fn what_fips_mode_forbids_is_left_out_of_custom_profiles() {
        let custom = of(ProfileSource::Name("custom".to_owned()), Some(RemoveDisabled::FipsHost)).unwrap();
        let disabled = custom.runtime_algorithms();
        assert!(disabled.contains(r#""Disabled":"tdes,rsaes,"#), "{disabled}");
        let attributes = r#""Attributes":"no-sha1-signing,no-sha1-verification,no-unpadded-encryption""#;
        assert!(custom.text().unwrap().contains(attributes));
        for (given, kept) in [
            ("fips-host", "fips-host"),
            ("pct,no-sha1-verification", "pct,no-sha1-verification,no-sha1-signing,no-unpadded-encryption"),
        ] {
            let profile = text(&format!(r#"{{"Name":"custom:x","Attributes":"{given}"}}"#));
            let profile = of(profile, Some(RemoveDisabled::FipsHost)).unwrap();
            assert!(profile.text().unwrap().contains(&format!(r#""Attributes":"{kept}""#)), "{given}");
        }
        assert!(disabled.contains("rsa-min-size=2048"));
        let fixed = of(ProfileSource::Name("null".to_owned()), Some(RemoveDisabled::FipsHost)).unwrap();
        assert_eq!(fixed, Profile::null());
    }
}
