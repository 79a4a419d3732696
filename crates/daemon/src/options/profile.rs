//! `--profile`.

use super::Suboptions;
use crate::failure::{Failure, failure};
use std::path::PathBuf;

/// Where a profile comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProfileSource {
    /// One of the built-in ones, or `custom:NAME`.
    Name(String),
    /// JSON text.
    Text(String),
    /// A file with JSON text.
    File(PathBuf),
    /// An open descriptor with JSON text.
    Descriptor(i32),
}

/// What a `custom` profile leaves out because the host's FIPS mode forbids it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RemoveDisabled {
    /// What does not work here. With the engine's own cryptography everything works.
    Check,
    /// What no host in FIPS mode has.
    FipsHost,
}

/// The option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProfileOption {
    /// Where from.
    pub(crate) source: ProfileSource,
    /// What is left out.
    pub(crate) remove_disabled: Option<RemoveDisabled>,
}

/// Reads the value.
pub(super) fn profile(text: &str) -> Result<ProfileOption, Failure> {
    let mut s = Suboptions::parse("profile", text)?;
    let sources = (s.text("name")?, s.text("profile")?, s.path("file")?, s.descriptor("fd")?);
    let remove_disabled = match s.text("remove-disabled")?.as_deref() {
        None => None,
        Some("check") => Some(RemoveDisabled::Check),
        Some("fips-host") => Some(RemoveDisabled::FipsHost),
        Some(other) => {
            return Err(failure!("--profile: remove-disabled={other} is unknown; check and fips-host are known"));
        }
    };
    s.finish()?;
    let source = match sources {
        (Some(name), None, None, None) => ProfileSource::Name(name),
        (None, Some(text), None, None) => ProfileSource::Text(text),
        (None, None, Some(file), None) => ProfileSource::File(file),
        (None, None, None, Some(fd)) => ProfileSource::Descriptor(fd),
        _ => return Err(failure!("--profile needs exactly one of name=, profile=, file= and fd=")),
    };
    Ok(ProfileOption { source, remove_disabled })
}
