//! The command line of `swtpm_setup`.

use crate::command::getopt::{self, Entry, Value};
use crate::failure::{Failure, failure};
use crate::state::Place;
use crate::vtpm::EkUse;
use std::path::PathBuf;

pub(super) const TABLE: &[Entry] = &[
    ("tpm-state", Value::Required),
    ("tpmstate", Value::Required),
    ("tpm", Value::Required),
    ("swtpm_ioctl", Value::Required),
    ("tpm2", Value::None),
    ("ecc", Value::None),
    ("createek", Value::None),
    ("create-spk", Value::None),
    ("ek1keyalgo", Value::Required),
    ("ek2keyalgo", Value::Required),
    ("iakkeyalgo", Value::Required),
    ("idevidkeyalgo", Value::Required),
    ("no-iak", Value::None),
    ("take-ownership", Value::None),
    ("ownerpass", Value::Required),
    ("owner-well-known", Value::None),
    ("srkpass", Value::Required),
    ("srk-well-known", Value::None),
    ("create-ek-cert", Value::None),
    ("create-platform-cert", Value::None),
    ("lock-nvram", Value::None),
    ("display", Value::None),
    ("config", Value::Required),
    ("vmid", Value::Required),
    ("keyfile", Value::Required),
    ("keyfile-fd", Value::Required),
    ("pwdfile", Value::Required),
    ("pwdfile-fd", Value::Required),
    ("cipher", Value::Required),
    ("runas", Value::Required),
    ("logfile", Value::Required),
    ("overwrite", Value::None),
    ("not-overwrite", Value::None),
    ("allow-signing", Value::None),
    ("decryption", Value::None),
    ("pcr-banks", Value::Required),
    ("rsa-keysize", Value::Required),
    ("write-ek-cert-files", Value::Required),
    ("create-config-files", Value::Optional),
    ("tcsd-system-ps-file", Value::Required),
    ("reconfigure", Value::None),
    ("profile", Value::Required),
    ("profile-name", Value::Required),
    ("profile-file", Value::Required),
    ("profile-file-fd", Value::Required),
    ("profile-remove-disabled", Value::Required),
    ("print-profiles", Value::None),
    ("print-capabilities", Value::None),
    ("version", Value::None),
    ("help", Value::None),
];

/// What ends the program without a TPM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Help,
    Version,
    CreateConfigFiles(Option<String>),
}

/// What happens if there is a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Overwrite {
    /// It is an error.
    #[default]
    Refuse,
    /// It stays, and all is well.
    Keep,
    /// A new one takes its place.
    Replace,
}

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    File(PathBuf),
    Descriptor(i32),
}

/// Where a profile comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ProfileSource {
    Text(String),
    Name(String),
    File(PathBuf),
    Descriptor(i32),
}

/// The command line.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) act: Option<Act>,
    pub(super) warnings: Vec<String>,
    pub(super) place: Option<Place>,
    pub(super) tpm: Option<String>,
    pub(super) tpm2: bool,
    pub(super) ecc: bool,
    pub(super) create_ek: bool,
    pub(super) create_spk: bool,
    pub(super) ek1: Option<String>,
    pub(super) ek2: Option<String>,
    pub(super) iak: Option<String>,
    pub(super) idevid: Option<String>,
    pub(super) no_iak: bool,
    pub(super) take_ownership: bool,
    pub(super) ek_certificate: bool,
    pub(super) platform_certificate: bool,
    pub(super) lock_nv: bool,
    pub(super) config: Option<PathBuf>,
    pub(super) vmid: Option<String>,
    pub(super) keyfile: Option<Source>,
    pub(super) pwdfile: Option<Source>,
    pub(super) cipher: Option<String>,
    pub(super) runas: Option<String>,
    pub(super) logfile: Option<PathBuf>,
    pub(super) overwrite: Overwrite,
    pub(super) usage: EkUse,
    pub(super) banks: Vec<String>,
    pub(super) rsa_keysize: Option<String>,
    pub(super) certificates: Option<PathBuf>,
    pub(super) reconfigure: bool,
    pub(super) profiles: Vec<ProfileSource>,
    pub(super) remove_disabled: Option<String>,
    pub(super) print_profiles: bool,
    pub(super) print_capabilities: bool,
}

fn descriptor(text: &str) -> Result<i32, Failure> {
    let number = text.parse().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| failure!("Invalid file descriptor '{text}'"))
}

impl Options {
    pub(super) fn read(words: &[String]) -> Result<Self, Failure> {
        let parsed = getopt::parse(TABLE, words, false)?;
        let mut options = Self::default();
        for (name, value) in parsed.options {
            options.set(name, value)?;
            if options.act.is_some() {
                break;
            }
        }
        let left_out = parsed.others.iter().map(|word| format!("The word '{word}' is no option; it is left out."));
        options.warnings.extend(left_out);
        Ok(options)
    }

    fn set(&mut self, name: &'static str, value: Option<String>) -> Result<(), Failure> {
        if name == "create-config-files" {
            self.act = Some(Act::CreateConfigFiles(value));
            return Ok(());
        }
        let value = value.unwrap_or_default();
        match name {
            "help" => self.act = Some(Act::Help),
            "version" => self.act = Some(Act::Version),
            "tpm-state" | "tpmstate" => self.place = Some(Place::parse(&value)),
            "tpm" => self.tpm = Some(value),
            "swtpm_ioctl" | "tcsd-system-ps-file" => {
                self.warnings.push(format!("Warning: --{name} is deprecated and has no effect."));
            }
            "tpm2" => self.tpm2 = true,
            "ecc" => self.ecc = true,
            "createek" => self.create_ek = true,
            "create-spk" => self.create_spk = true,
            "ek1keyalgo" => self.ek1 = Some(value),
            "ek2keyalgo" => self.ek2 = Some(value),
            "iakkeyalgo" => self.iak = Some(value),
            "idevidkeyalgo" => self.idevid = Some(value),
            "no-iak" => self.no_iak = true,
            "take-ownership" => (self.take_ownership, self.create_ek) = (true, true),
            // Of TPM 1.2 alone; swtpm takes them for a TPM 2.0 too.
            "ownerpass" | "owner-well-known" | "srkpass" | "srk-well-known" => {}
            "create-ek-cert" => (self.ek_certificate, self.create_ek) = (true, true),
            "create-platform-cert" => (self.platform_certificate, self.create_ek) = (true, true),
            "lock-nvram" => self.lock_nv = true,
            // What there is to see is in the log.
            "display" => {}
            "config" => self.config = Some(value.into()),
            "vmid" => self.vmid = Some(value),
            "keyfile" => self.keyfile = Some(Source::File(value.into())),
            "keyfile-fd" => self.keyfile = Some(Source::Descriptor(descriptor(&value)?)),
            "pwdfile" => self.pwdfile = Some(Source::File(value.into())),
            "pwdfile-fd" => self.pwdfile = Some(Source::Descriptor(descriptor(&value)?)),
            "cipher" => self.cipher = Some(value),
            "runas" => self.runas = Some(value),
            "logfile" => self.logfile = Some(value.into()),
            "overwrite" => self.overwrite = self.overwrite.max_of(Overwrite::Replace),
            "not-overwrite" => self.overwrite = Overwrite::Keep,
            "allow-signing" => self.usage.signing = true,
            "decryption" => self.usage.decryption = true,
            "pcr-banks" => self.banks.push(value),
            "rsa-keysize" => self.rsa_keysize = Some(value),
            "write-ek-cert-files" => self.certificates = Some(value.into()),
            "reconfigure" => self.reconfigure = true,
            "profile" => self.profiles.push(ProfileSource::Text(value)),
            "profile-name" => self.profiles.push(ProfileSource::Name(value)),
            "profile-file" => self.profiles.push(ProfileSource::File(value.into())),
            "profile-file-fd" => self.profiles.push(ProfileSource::Descriptor(descriptor(&value)?)),
            "profile-remove-disabled" if ["check", "fips-host"].contains(&value.as_str()) => {
                self.remove_disabled = Some(value);
            }
            "profile-remove-disabled" => {
                return Err(failure!("Unsupported parameter for --profile-remove-disabled: {value}"));
            }
            "print-profiles" => self.print_profiles = true,
            _ => self.print_capabilities = true,
        }
        Ok(())
    }

    /// Refuses what this version of TPM does not have.
    pub(super) fn check_version(&self) -> Result<(), Failure> {
        if self.tpm2 {
            return match self.take_ownership {
                true => Err(failure!("Taking ownership is not supported for TPM 2.")),
                false => Ok(()),
            };
        }
        let only = [
            ("ecc", self.ecc),
            ("create-spk", self.create_spk),
            ("reconfigure", self.reconfigure),
            ("allow-signing", self.usage.signing),
            ("decryption", self.usage.decryption),
            ("pcr-banks", !self.banks.is_empty()),
        ];
        match only.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(failure!("--{name} requires --tpm2.")),
            None => Err(failure!(
                "A TPM 1.2 cannot be made: there is no engine for it yet. Give --tpm2 (libvirt: <backend version='2.0'>) for a TPM 2.0."
            )),
        }
    }
}

impl Overwrite {
    /// Not to overwrite wins, as with swtpm.
    fn max_of(self, other: Self) -> Self {
        if self == Self::Keep { self } else { other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<Options, Failure> {
        Options::read(&words.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn libvirts_command_lines_are_read() {
        let options = read(
            "--tpm2 --pwdfile-fd 23 --cipher aes-256-cbc --tpm-state /s --vmid vm:1 --logfile /l --createek \
             --create-ek-cert --create-platform-cert --lock-nvram --not-overwrite",
        )
        .unwrap();
        assert_eq!(options.place, Some(Place::Folder("/s".into())));
        assert_eq!((options.pwdfile, options.overwrite), (Some(Source::Descriptor(23)), Overwrite::Keep));
        assert!(options.tpm2 && options.create_ek && options.ek_certificate && options.platform_certificate);
        let options = read("--tpm2 --tpm-state file:///s --logfile /l --pcr-banks sha1,sha256 --reconfigure").unwrap();
        assert_eq!((options.place, options.reconfigure), (Some(Place::File("/s".into())), true));
        assert_eq!(read("--create-config-files skip-if-exist").unwrap().act.unwrap(), {
            Act::CreateConfigFiles(Some("skip-if-exist".to_owned()))
        });
        assert_eq!(read("--overwrite --not-overwrite --overwrite").unwrap().overwrite, Overwrite::Keep);
    }

    #[test]
    fn a_tpm_1_2_is_refused_with_the_reason() {
        assert!(read("--ecc").unwrap().check_version().unwrap_err().0.contains("--ecc requires --tpm2"));
        assert!(read("--overwrite").unwrap().check_version().unwrap_err().0.contains("--tpm2"));
        assert!(read("--tpm2 --take-ownership").unwrap().check_version().is_err());
        assert!(read("--keyfile-fd x").is_err());
    }
}
