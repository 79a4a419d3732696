//! Profiles: which commands, algorithms, curves and key sizes a TPM has. They are libtpms's: fixed when a TPM is made, kept
//! in its state as JSON text, and the reason why an older libtpms can read the state.
//!
//! A TPM without a profile has everything that this engine has; its state is of no use to libtpms as soon as it has
//! something that no libtpms knows. That of a state of libtpms that has no text is `null`.

pub(crate) mod catalog;
mod limits;
#[cfg(test)]
mod tests;

pub(crate) use catalog::attribute;
pub(crate) use limits::Limits;

use crate::libtpms::{ALL_ALGORITHMS, ALL_COMMANDS, BUILTIN_PROFILES};
use alloc::{string::String, sync::Arc, vec::Vec};
use core::fmt::{self, Write};

/// The newest StateFormatLevel that is known here.
pub(crate) const NEWEST_LEVEL: u32 = 8;
/// Where TPMs without text keep that they have the `null` profile.
const NULL: &str = "null";

/// The profile that is built in but has a choice: name, least level, and words about it.
const CUSTOM: (&str, u32, &str) =
    ("custom", 2, "Commands, algorithms and attributes of one's own choice, for libtpms 0.10 and later.");

/// Why a profile is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProfileFault {
    /// There is no built-in one of this name, and it does not begin with `custom:`.
    Name(String),
    /// Not an algorithm, a curve or a key size.
    Algorithm(String),
    /// Not a command or a range of commands.
    Command(String),
    /// Not an attribute.
    Attribute(String),
    /// This cannot be left out.
    Needed(String),
    /// This command cannot be left out.
    NeededCommand(u32),
    /// A built-in profile has no choice.
    Fixed(String),
    /// This needs a higher StateFormatLevel than the profile has.
    Level {
        /// What.
        item: String,
        /// The level that has it.
        needed: u32,
        /// The level of the profile.
        level: u32,
    },
    /// The level is none that is known.
    UnknownLevel(u32),
}

impl fmt::Display for ProfileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => {
                write!(
                    f,
                    "there is no profile '{name}'; null, default-v1, default-v2, custom and custom:NAME are known"
                )
            }
            Self::Algorithm(item) => write!(f, "'{item}' is not an algorithm, a curve or a key size of a profile"),
            Self::Command(item) => write!(f, "'{item}' is not a command, or a range of commands, of a profile"),
            Self::Attribute(item) => write!(f, "'{item}' is not an attribute of a profile"),
            Self::Needed(item) => write!(f, "{item} is missing, and cannot be switched off"),
            Self::NeededCommand(code) => write!(f, "command {code:#x} is missing, and cannot be switched off"),
            Self::Fixed(name) => write!(f, "the profile '{name}' is fixed; choose with 'custom' or 'custom:NAME'"),
            Self::Level { item, needed, level } => {
                write!(f, "{item} needs StateFormatLevel {needed}, and the profile has {level}")
            }
            Self::UnknownLevel(level) => {
                write!(f, "StateFormatLevel {level} is none of those of this profile (1 to {NEWEST_LEVEL} are known)")
            }
        }
    }
}

/// Which items of a list are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// All.
    Implemented,
    /// Those that a profile may leave out.
    CanBeDisabled,
    /// Those that the TPM has.
    Enabled,
    /// Those that it does not have.
    Disabled,
}

impl List {
    const fn has(self, enabled: bool, can_be_disabled: bool) -> bool {
        match self {
            Self::Implemented => true,
            Self::CanBeDisabled => can_be_disabled,
            Self::Enabled => enabled,
            Self::Disabled => !enabled,
        }
    }
}

/// What was chosen of a profile; everything that is not given is as usual for its name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice<'a> {
    /// `Name`.
    pub name: &'a str,
    /// `StateFormatLevel`; the newest without it.
    pub level: Option<u32>,
    /// `Commands`.
    pub commands: Option<&'a str>,
    /// `Algorithms`.
    pub algorithms: Option<&'a str>,
    /// `Attributes`.
    pub attributes: Option<&'a str>,
    /// `Description`.
    pub description: Option<&'a str>,
}

/// The profile of a TPM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    text: Option<Arc<String>>,
    limits: Option<Arc<Limits>>,
}

/// Lists as JSON, of everything or of a TPM with these limits.
fn lists(out: &mut String, name: &str, item: impl Fn(List) -> String) {
    let _ = write!(out, "\"{name}\":{{");
    let all = [
        ("Implemented", List::Implemented),
        ("CanBeDisabled", List::CanBeDisabled),
        ("Enabled", List::Enabled),
        ("Disabled", List::Disabled),
    ];
    for (number, (name, list)) in all.into_iter().enumerate() {
        let _ = write!(out, "{}\"{name}\":\"{}\"", if number == 0 { "" } else { "," }, item(list));
    }
    out.push('}');
}

fn json(choice: &Choice<'_>, level: u32) -> String {
    let mut out = String::new();
    let _ = write!(out, "{{\"Name\":\"{}\",\"StateFormatLevel\":{level}", choice.name);
    let fields = [
        ("Commands", choice.commands),
        ("Algorithms", choice.algorithms),
        ("Attributes", choice.attributes),
        ("Description", choice.description),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            let _ = write!(out, ",\"{name}\":\"{value}\"");
        }
    }
    out.push('}');
    out
}

impl Profile {
    /// That of libtpms 0.9, and of states without a text.
    pub fn null() -> Self {
        Self { text: None, limits: Some(Arc::new(Limits::of_level(1))) }
    }

    /// The profile of a choice.
    ///
    /// # Errors
    /// If there is none of that name, or it has something unknown or lacks something that it needs.
    pub fn of_choice(choice: &Choice<'_>) -> Result<Self, ProfileFault> {
        if let Some(built_in) = BUILTIN_PROFILES.iter().find(|built_in| built_in.name == choice.name) {
            let chosen = [choice.commands, choice.algorithms, choice.attributes];
            if chosen.iter().any(Option::is_some) || choice.level.is_some_and(|wanted| wanted != built_in.level) {
                return Err(ProfileFault::Fixed(choice.name.into()));
            }
            if built_in.name == NULL {
                return Ok(Self::null());
            }
            let limits = Some(Arc::new(Limits::of_level(built_in.level)));
            return Ok(Self { text: Some(Arc::new(built_in.text.into())), limits });
        }
        let (custom, least, description) = CUSTOM;
        if choice.name != custom && !choice.name.starts_with("custom:") {
            return Err(ProfileFault::Name(choice.name.into()));
        }
        let level = choice.level.unwrap_or(NEWEST_LEVEL);
        if !(least..=NEWEST_LEVEL).contains(&level) {
            return Err(ProfileFault::UnknownLevel(level));
        }
        let limits = Limits::of_lists(level, choice.commands, choice.algorithms, choice.attributes)?;
        let commands = limits.command_list(List::Enabled);
        let filled = Choice {
            commands: Some(&commands),
            algorithms: Some(choice.algorithms.unwrap_or(ALL_ALGORITHMS)),
            description: Some(choice.description.unwrap_or(description)),
            ..*choice
        };
        Ok(Self { text: Some(Arc::new(json(&filled, level))), limits: Some(Arc::new(limits)) })
    }

    /// The text, if there is one.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref().map(String::as_str)
    }

    /// What the engine's own state says of it.
    pub(crate) fn stored(&self) -> Option<&str> {
        self.text().or(self.limits.as_ref().map(|_| NULL))
    }

    /// The profile of a text in a state. What it restricts must be known; a text that names no level is none.
    pub(crate) fn of_text(text: &str) -> Option<Self> {
        if text == NULL {
            return Some(Self::null());
        }
        let level = level_of(text)?;
        let field = |name| string_of(text, name);
        // Names of newer algorithms restrict nothing that is here.
        let limits = Limits::of_lists(level, field("\"Commands\""), field("\"Algorithms\""), field("\"Attributes\""))
            .unwrap_or_else(|_| Limits::of_level(level));
        Some(Self { text: Some(Arc::new(String::from(text))), limits: Some(Arc::new(limits)) })
    }

    /// StateFormatLevel: which versions of libtpms's structures are written.
    pub(crate) fn level(&self) -> u32 {
        self.text().and_then(level_of).unwrap_or(1)
    }

    /// What it allows; everything if `None`.
    pub(crate) fn limits(&self) -> Option<Arc<Limits>> {
        self.limits.clone()
    }

    /// ActiveProfile, as swtpm prints it.
    pub fn active(&self) -> String {
        match (&self.text, &self.limits) {
            (Some(text), _) => String::clone(text),
            (None, Some(_)) => describe(NULL).unwrap_or_default(),
            // Not one of libtpms's: all that this engine has.
            (None, None) => {
                let choice = Choice {
                    name: "vtpmd",
                    commands: Some(ALL_COMMANDS),
                    algorithms: Some(ALL_ALGORITHMS),
                    description: Some("Everything that vtpmd has; not for libtpms."),
                    ..Choice::default()
                };
                json(&choice, NEWEST_LEVEL)
            }
        }
    }

    fn or_all(&self) -> Arc<Limits> {
        self.limits.clone().unwrap_or_else(|| Arc::new(Limits::of_level(NEWEST_LEVEL)))
    }

    /// RuntimeAlgorithms, as swtpm prints it.
    pub fn runtime_algorithms(&self) -> String {
        let (limits, mut out) = (self.or_all(), String::new());
        lists(&mut out, "RuntimeAlgorithms", |list| limits.algorithm_list(list));
        out
    }

    /// RuntimeCommands.
    pub fn runtime_commands(&self) -> String {
        let (limits, mut out) = (self.or_all(), String::new());
        lists(&mut out, "RuntimeCommands", |list| limits.command_list(list));
        out
    }

    /// RuntimeAttributes.
    pub fn runtime_attributes(&self) -> String {
        let (limits, mut out) = (self.or_all(), String::new());
        lists(&mut out, "RuntimeAttributes", |list| limits.attribute_list(list));
        out
    }

    /// (algorithms, commands) of a list, whatever the profile.
    pub fn catalog(list: List) -> (String, String) {
        let limits = Limits::of_level(NEWEST_LEVEL);
        (limits.algorithm_list(list), limits.command_list(list))
    }
}

/// A built-in profile as JSON.
fn describe(name: &str) -> Option<String> {
    if let Some(built_in) = BUILTIN_PROFILES.iter().find(|built_in| built_in.name == name) {
        return Some(built_in.text.into());
    }
    let (custom, level, description) = CUSTOM;
    let choice = Choice {
        name: custom,
        commands: Some(ALL_COMMANDS),
        algorithms: Some(ALL_ALGORITHMS),
        description: Some(description),
        ..Choice::default()
    };
    (name == custom).then(|| json(&choice, level))
}

/// Algorithms and attributes of a profile of one's own choice, without what hosts in FIPS mode do not have, in the order
/// in which swtpm writes them: sizes that are large enough stay, others are raised where they stand, or stand last.
pub fn for_fips_hosts(algorithms: Option<&str>, attributes: Option<&str>) -> (String, String) {
    const GONE: [&str; 4] = ["camellia", "tdes", "rsaes", "ecc-nist-p192"];
    const SIZES: [&str; 2] = ["camellia-min-size=", "tdes-min-size="];
    const LEAST: [(&str, u32); 2] = [("ecc-min-size=", 224), ("rsa-min-size=", 2048)];
    const ATTRIBUTES: [&str; 3] = ["no-sha1-signing", "no-sha1-verification", "no-unpadded-encryption"];
    let (all, _) = Profile::catalog(List::Implemented);
    let kept = algorithms.unwrap_or(&all).split(',');
    let kept = kept.filter(|item| !GONE.contains(item) && !SIZES.iter().any(|beginning| item.starts_with(beginning)));
    let mut kept: Vec<String> = kept.map(String::from).collect();
    for (beginning, least) in LEAST {
        let mut raised = String::from(beginning);
        let _ = write!(raised, "{least}");
        match kept.iter_mut().find(|item| item.starts_with(beginning)) {
            Some(item) => {
                let size = item.strip_prefix(beginning).and_then(|size| size.parse::<u32>().ok());
                if size.is_none_or(|size| size < least) {
                    *item = raised;
                }
            }
            None => kept.push(raised),
        }
    }
    let mut named: Vec<&str> = attributes.unwrap_or_default().split(',').filter(|item| !item.is_empty()).collect();
    if !named.contains(&"fips-host") {
        for attribute in ATTRIBUTES {
            if !named.contains(&attribute) {
                named.push(attribute);
            }
        }
    }
    (kept.join(","), named.join(","))
}

/// Names of the built-in profiles; the first is the newest.
pub fn names() -> Vec<&'static str> {
    BUILTIN_PROFILES.iter().map(|built_in| built_in.name).chain([CUSTOM.0]).collect()
}

/// AvailableProfiles, as swtpm prints it.
pub fn available() -> String {
    let mut out = String::from("\"AvailableProfiles\":[");
    for (number, name) in names().into_iter().enumerate() {
        out.push_str(if number == 0 { "" } else { "," });
        out.push_str(&describe(name).unwrap_or_default());
    }
    out.push(']');
    out
}

/// What follows a quoted name and a colon.
fn value_of<'a>(text: &'a str, name: &str) -> Option<&'a [u8]> {
    let mut rest = text.as_bytes();
    loop {
        match rest.strip_prefix(name.as_bytes()) {
            Some(after) => return Some(after.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start()),
            None => rest = rest.split_first()?.1,
        }
    }
}

/// The string after a name.
fn string_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let value = value_of(text, name)?.strip_prefix(b"\"")?;
    core::str::from_utf8(value.split(|byte| *byte == b'"').next()?).ok()
}

/// The number after `"StateFormatLevel":`.
pub(crate) fn level_of(text: &str) -> Option<u32> {
    let number = value_of(text, "\"StateFormatLevel\"")?;
    number.first().filter(|first| first.is_ascii_digit())?;
    let mut digits = number.iter().take_while(|byte| byte.is_ascii_digit());
    digits.try_fold(0u32, |level, digit| level.checked_mul(10)?.checked_add(u32::from(digit & 0xF)))
}
