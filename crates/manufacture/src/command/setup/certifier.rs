//! Who makes the certificates: the program that the configuration names. If that is this one, it is done in this process.

use super::options::Options;
use crate::Log;
use crate::command::localca::{self, Office};
use crate::config::Config;
use crate::failure::{Failure, failure};
use crate::file;
use crate::vtpm::{Certifier, Purpose, Wanted};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program for certificates if the configuration names none.
const USUAL: &str = "swtpm_localca";

/// The CA behind `swtpm_setup.conf`.
pub(super) struct Authority<'a> {
    options: &'a Options,
    config: &'a Config,
    log: &'a Log,
    office: Option<Office>,
    /// How many certificates there will be.
    count: usize,
}

/// True if the two are the same file.
fn is_same(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    id(one).is_some_and(|found| id(other) == Some(found))
}

/// A folder that goes away with what is in it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Failure> {
        use std::os::unix::fs::DirBuilderExt;
        let mut random = [0; 8];
        crate::random::fill(&mut random)?;
        let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = std::env::temp_dir().join(format!("swtpm_setup.certs.{name}"));
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| failure!("Could not create temporary directory for certs: {error}"))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It is gone, or nobody can remove it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl<'a> Authority<'a> {
    pub(super) const fn new(options: &'a Options, config: &'a Config, count: usize, log: &'a Log) -> Self {
        Self { options, config, log, office: None, count }
    }

    /// The program, and the options that it is given beside its files.
    fn command_line(&self, wanted: &Wanted<'_>, folder: &Path) -> Vec<String> {
        let key = if matches!(wanted.purpose, Purpose::Ek | Purpose::Platform) { "--ek" } else { "--key" };
        let mut words =
            vec!["--type".to_owned(), wanted.purpose.name().to_owned(), key.to_owned(), wanted.key.argument()];
        words.extend(["--dir".to_owned(), folder.display().to_string()]);
        if wanted.usage.signing {
            words.push("--allow-signing".to_owned());
            words.extend(wanted.usage.decryption.then(|| "--decryption".to_owned()));
        }
        let mut pair = |name: &str, value: Option<String>| {
            words.extend(value.map(|value| [name.to_owned(), value]).into_iter().flatten());
        };
        pair("--logfile", self.log.file().map(|file| file.display().to_string()));
        pair("--vmid", self.options.vmid.clone());
        words.extend(self.descriptions(wanted));
        words.push("--tpm2".to_owned());
        let (config, options) = localca::files(self.config);
        words.extend(["--configfile".to_owned(), config.display().to_string()]);
        words.extend(["--optsfile".to_owned(), options.display().to_string()]);
        words.extend(
            wanted.serial.map(|serial| ["--tpm-serial-num".to_owned(), serial.to_owned()]).into_iter().flatten(),
        );
        words
    }

    /// What describes the TPM.
    fn descriptions(&self, wanted: &Wanted<'_>) -> Vec<String> {
        let tpm = wanted.tpm;
        let pairs = [
            ("--tpm-spec-family", tpm.family.clone()),
            ("--tpm-spec-level", tpm.level.to_string()),
            ("--tpm-spec-revision", tpm.revision.to_string()),
            ("--tpm-manufacturer", tpm.manufacturer.clone()),
            ("--tpm-model", tpm.model.clone()),
            ("--tpm-version", tpm.version.clone()),
        ];
        pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }

    /// The certificate as the CA of this process wants it said.
    fn order(&self, wanted: &Wanted<'_>) -> localca::Order {
        let mut arguments = self.descriptions(wanted);
        arguments.extend(wanted.usage.signing.then(|| "--allow-signing".to_owned()));
        arguments.extend((wanted.usage.signing && wanted.usage.decryption).then(|| "--decryption".to_owned()));
        let serial = wanted.serial.map(|serial| ["--tpm-serial-num".to_owned(), serial.to_owned()]);
        arguments.extend(serial.into_iter().flatten());
        localca::Order {
            purpose: Some(wanted.purpose),
            key: Some(wanted.key.clone()),
            vmid: self.options.vmid.clone(),
            arguments,
            tpm2: true,
        }
    }

    /// Has another program make the certificate.
    fn run(&self, program: &Path, wanted: &Wanted<'_>) -> Result<Vec<u8>, Failure> {
        let scratch = Scratch::new()?;
        let words = self.command_line(wanted, &scratch.0);
        self.log.say(&format!("  Invoking {} {}", program.display(), words.join(" ")));
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let ended = Command::new(program).args(&words).output();
        let ended = ended.map_err(|error| failure!("An error occurred running {}: {error}", program.display()))?;
        if !ended.status.success() {
            let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
            return Err(failure!("{name} ended with {}: {said}", ended.status));
        }
        for line in String::from_utf8_lossy(&ended.stdout).lines().filter(|line| !line.is_empty()) {
            self.log.say(&format!("{name}: {line}"));
        }
        let der = file::read(&scratch.0.join(format!("{}.cert", wanted.purpose.name())))?;
        Ok(der.to_vec())
    }
}

impl Certifier for Authority<'_> {
    fn certify(&mut self, wanted: &Wanted<'_>) -> Result<Vec<u8>, Failure> {
        let named = self.config.filled("create_certs_tool");
        let tool = named.as_deref().unwrap_or(USUAL);
        let program = super::find_program(tool);
        let own = std::env::current_exe().ok();
        let is_own = match (&program, &own) {
            (Some(program), Some(own)) => {
                is_same(program, own) && program.file_name().is_some_and(|name| name == USUAL)
            }
            // Nobody said who makes them.
            (None, _) => named.is_none(),
            _ => false,
        };
        if self.office.is_none() && is_own {
            let (config, options) = localca::files(self.config);
            let settings = localca::settings(&config)?;
            if !localca::needs_own_process(&settings) {
                let mut office = Office::open(settings, &options, self.log)?;
                office.reserve(self.count)?;
                self.office = Some(office);
            }
        }
        let order = self.order(wanted);
        if let Some(office) = &mut self.office {
            return office.issue(&order, self.log);
        }
        match program {
            Some(program) => self.run(&program, wanted),
            None => Err(failure!("Could not find {tool} in PATH; it makes the certificates (create_certs_tool).")),
        }
    }
}
