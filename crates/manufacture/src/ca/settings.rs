//! `swtpm-localca.conf`: where a CA has its files.

use crate::config::Config;
use crate::failure::{Failure, failure};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Where the signing key is.
#[derive(Clone)]
pub(super) enum KeyPlace {
    /// A PEM file.
    File(PathBuf),
    /// A hardware security module, by its URI, which may have the PIN in it.
    Token(String),
}

/// The settings of a CA.
#[derive(Clone)]
pub struct Settings {
    pub(super) folder: PathBuf,
    pub(super) key: KeyPlace,
    pub(super) password: Option<Zeroizing<String>>,
    pub(super) certificate: PathBuf,
    pub(super) serial: PathBuf,
    pub(super) pin: Option<Zeroizing<String>>,
    pub(super) environment: Vec<(String, String)>,
}

impl core::fmt::Debug for Settings {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Settings").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads a configuration file.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        Self::of(&Config::read(path)?, path)
    }

    pub(super) fn of(config: &Config, path: &Path) -> Result<Self, Failure> {
        let value = |name: &str| {
            let missing = || failure!("Missing '{name}' config value in config file {}.", path.display());
            config.filled(name).ok_or_else(missing)
        };
        let folder = PathBuf::from(value("statedir")?);
        let key = value("signingkey")?;
        let key = if key.starts_with("pkcs11:") {
            // swtpm wants semicolons behind backslashes, for historical reasons.
            KeyPlace::Token(key.replace("\\;", ";"))
        } else {
            KeyPlace::File(key.into())
        };
        let serial = config.filled("certserial").map_or_else(|| folder.join("certserial"), PathBuf::from);
        Ok(Self {
            key,
            password: config.filled("signingkey_password").map(Zeroizing::new),
            certificate: value("issuercert")?.into(),
            serial,
            pin: config.filled("SWTPM_PKCS11_PIN").map(Zeroizing::new),
            environment: config.environment().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            folder,
        })
    }

    /// Variables for the library of a key in a hardware security module.
    pub fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_token = matches!(self.key, KeyPlace::Token(_));
        self.environment.iter().filter(move |_| is_token).map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
