//! `swtpm_localca`: a certificate of the local CA, or of an operator's.

use super::cert;
use super::getopt::{self, Entry, Value};
use crate::Log;
use crate::ca::{LocalCa, Settings};
use crate::certificate::{self, Agreement, PublicKey};
use crate::config::{self, Config};
use crate::failure::{Failure, failure};
use crate::file;
use crate::vtpm::Purpose;
use rustix::fs::Access;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Names of the configuration files.
pub(super) const CONFIG: &str = "swtpm-localca.conf";
pub(super) const OPTIONS: &str = "swtpm-localca.options";

const TABLE: &[Entry] = &[
    ("type", Value::Required),
    ("ek", Value::Required),
    ("key", Value::Required),
    ("dir", Value::Required),
    ("vmid", Value::Required),
    ("optsfile", Value::Required),
    ("configfile", Value::Required),
    ("logfile", Value::Required),
    ("tpm-spec-family", Value::Required),
    ("tpm-spec-revision", Value::Required),
    ("tpm-spec-level", Value::Required),
    ("tpm-manufacturer", Value::Required),
    ("tpm-model", Value::Required),
    ("tpm-version", Value::Required),
    ("tpm-serial-num", Value::Required),
    ("tpm2", Value::None),
    ("allow-signing", Value::None),
    ("decryption", Value::None),
    ("help", Value::None),
];

const HELP: &str = "\
Usage: swtpm_localca [options]

Makes a certificate for the key of a TPM with the CA of a configuration file. A local CA (a root, and a key under it that
signs) is made when it is first needed; an operator's CA is a key and its certificate, which are there already.

  --type ek|platform|iak|idevid  of what
  --ek KEY, --key KEY            modulus of an RSA key (HEX), or x=HEX,y=HEX,id=CURVE
  --dir FOLDER                   where TYPE.cert goes; the current folder without this
  --vmid ID                      of whose TPM
  --optsfile FILE                more options of swtpm_cert; swtpm-localca.options of the user or of the system
  --configfile FILE              of the CA; swtpm-localca.conf of the user or of the system
  --logfile FILE                 where messages go
  --tpm-spec-family TEXT, --tpm-spec-revision N, --tpm-spec-level N
  --tpm-manufacturer TEXT, --tpm-model TEXT, --tpm-version TEXT
  --tpm-serial-num TEXT          for iak and idevid
  --tpm2                         for a TPM 2.0; without it for a TPM 1.2
  --allow-signing, --decryption  what the endorsement key may do
  --help

Environment: SWTPM_ROOTCA_PASSWORD is the password of the root's key.
";

/// A certificate that is wanted of a CA.
#[derive(Debug, Default)]
pub(super) struct Order {
    pub(super) purpose: Option<Purpose>,
    pub(super) key: Option<PublicKey>,
    pub(super) vmid: Option<String>,
    /// Options of swtpm_cert that the caller gives; they win over those of the file.
    pub(super) arguments: Vec<String>,
    pub(super) tpm2: bool,
}

/// The words of an options file: separated by blanks, which quotes make part of a word.
fn words(text: &str) -> Result<Vec<String>, Failure> {
    let mut all = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (mut word, mut quote) = (None::<String>, None);
        for c in line.chars() {
            match quote {
                Some(end) if c == end => quote = None,
                None if c == '"' || c == '\'' => {
                    quote = Some(c);
                    word.get_or_insert_default();
                }
                None if c.is_whitespace() => all.extend(word.take()),
                _ => word.get_or_insert_default().push(c),
            }
        }
        if quote.is_some() {
            return Err(failure!("a line has a quote that does not end: {line}"));
        }
        all.extend(word);
    }
    Ok(all)
}

/// The CA of these files, ready to issue.
pub(super) struct Office {
    ca: LocalCa,
    options: Vec<String>,
}

/// Reads the settings of a CA.
pub(super) fn settings(config: &Path) -> Result<Settings, Failure> {
    if !file::may(config, Access::READ_OK) {
        let user = super::user::name();
        return Err(failure!("Need read rights on config file {} for user {user}.", config.display()));
    }
    Settings::read(config)
}

impl Office {
    pub(super) fn open(settings: Settings, options: &Path, log: &Log) -> Result<Self, Failure> {
        if !file::may(options, Access::READ_OK) {
            let user = super::user::name();
            return Err(failure!("Need read rights on options file {} for user {user}.", options.display()));
        }
        let text = file::read(options)?;
        let text = core::str::from_utf8(&text).map_err(|_| failure!("{} is not a text", options.display()))?;
        let options = words(text).map_err(|Failure(why)| failure!("the options file {}: {why}", options.display()))?;
        Ok(Self { ca: LocalCa::open(settings, log)?, options })
    }

    /// Takes the serial numbers of so many certificates at once.
    pub(super) fn reserve(&mut self, count: usize) -> Result<(), Failure> {
        self.ca.reserve(count)
    }

    /// Issues the certificate of an order; returns it as DER.
    pub(super) fn issue(&mut self, order: &Order, log: &Log) -> Result<Vec<u8>, Failure> {
        let purpose = order.purpose.ok_or_else(|| failure!("--type is missing: ek, platform, iak or idevid"))?;
        let key = order.key.as_ref().ok_or_else(|| failure!("--ek is missing: the key of the TPM"))?;
        let mut options = cert::Options::default();
        options.read(&self.options)?;
        options.read(&order.arguments)?;
        options.tpm2 = order.tpm2;
        if purpose != Purpose::Ek {
            options.usage = Default::default();
        }
        options.forever();
        let agreement = if key.is_ecc() { Agreement::Agreement } else { Agreement::Encipherment };
        let mut content = options.content(purpose, key.info()?, agreement)?;
        // Commas and plus signs part names where these are written as text.
        let vmid = order.vmid.as_deref().unwrap_or("unknown").replace([',', '+'], "_");
        let kind = if matches!(purpose, Purpose::Ek | Purpose::Platform) { "CN" } else { "serialNumber" };
        content.subject = certificate::single_subject(kind, &vmid)?;
        let title = if purpose == Purpose::Ek { "EK" } else { purpose.name() };
        let der = self.ca.issue(&mut content);
        let der = der.map_err(|Failure(why)| failure!("Could not create {title} certificate locally: {why}"))?;
        log.say(&format!("Successfully created {title} certificate locally."));
        Ok(der)
    }
}

/// Runs this program again with the variables of a configuration file, which the library of a token reads.
fn with_environment(settings: &Settings) -> Result<(), Failure> {
    use std::os::unix::process::CommandExt;
    let missing: Vec<_> =
        settings.environment().filter(|(name, value)| std::env::var(name).ok().as_deref() != Some(value)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let own = std::env::current_exe().map_err(|error| failure!("this program cannot be found: {error}"))?;
    let mut again = std::process::Command::new(own);
    again.arg0("swtpm_localca").args(std::env::args_os().skip(1)).envs(missing);
    Err(failure!("this program cannot be started again: {}", again.exec()))
}

fn work(parsed: &getopt::Parsed, log: &Log) -> Result<(), Failure> {
    let mut order = Order::default();
    let mut folder = PathBuf::from(".");
    let (mut options, mut config) = (config::find(OPTIONS), config::find(CONFIG));
    let mut arguments = Vec::new();
    for (name, value) in &parsed.options {
        let text = value.clone().unwrap_or_default();
        match *name {
            "type" => {
                let all = [Purpose::Ek, Purpose::Platform, Purpose::Iak, Purpose::Idevid];
                let found = all.into_iter().find(|purpose| purpose.name() == text);
                order.purpose = Some(found.ok_or_else(|| failure!("Unknown certificate type '{text}'."))?);
            }
            "ek" | "key" => order.key = Some(PublicKey::parse(&text)?),
            "dir" => folder = text.into(),
            "vmid" => order.vmid = Some(text),
            "optsfile" => options = text.into(),
            "configfile" => config = text.into(),
            "tpm2" => order.tpm2 = true,
            "logfile" => {}
            other => arguments.extend([Some(format!("--{other}")), value.clone()].into_iter().flatten()),
        }
    }
    order.arguments = arguments;
    for word in &parsed.others {
        log.error(&format!("The word '{word}' is no option; it is left out."));
    }
    let purpose = order.purpose.ok_or_else(|| failure!("--type is missing: ek, platform, iak or idevid"))?;
    let settings = settings(&config)?;
    with_environment(&settings)?;
    let der = Office::open(settings, &options, log)?.issue(&order, log)?;
    // What TPM 1.2 keeps in NVRAM has a header.
    let content = if order.tpm2 { der } else { cert::with_header(&der)? };
    file::write(&folder.join(format!("{}.cert", purpose.name())), &content, 0o600)
}

/// The program.
pub(super) fn run(words: &[String]) -> ExitCode {
    let parsed = match getopt::parse(TABLE, words, false) {
        Ok(parsed) => parsed,
        Err(failure) => return super::failed("swtpm_localca", &failure),
    };
    if parsed.options.iter().any(|(name, _)| *name == "help") {
        super::print(format_args!("{HELP}"));
        return ExitCode::SUCCESS;
    }
    let logfile = parsed.options.iter().rev().find(|(name, _)| *name == "logfile").and_then(|(_, value)| value.clone());
    let log = match Log::new(logfile.as_deref().map(Path::new)) {
        Ok(log) => log,
        Err(failure) => return super::failed("swtpm_localca", &failure),
    };
    match work(&parsed, &log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(why)) => {
            log.error(&why);
            ExitCode::FAILURE
        }
    }
}

/// True if the CA's key is in a token whose library wants variables that this process does not have.
pub(super) fn needs_own_process(settings: &Settings) -> bool {
    settings.environment().any(|(name, value)| std::env::var(name).ok().as_deref() != Some(value))
}

/// The files of a CA in `swtpm_setup.conf`, or the usual ones.
pub(super) fn files(config: &Config) -> (PathBuf, PathBuf) {
    let file = |name: &str, usual: &str| config.filled(name).map_or_else(|| config::find(usual), PathBuf::from);
    (file("create_certs_tool_config", CONFIG), file("create_certs_tool_options", OPTIONS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_option_is_in_the_help() {
        getopt::assert_named(TABLE, HELP, &[]);
    }

    #[test]
    fn quotes_keep_words_together() {
        let found = words("--a b\n\n# x\n --c \"d e\" 'f  g' h\"i j\"k \"\"\n").unwrap();
        assert_eq!(found, ["--a", "b", "--c", "d e", "f  g", "hi jk", ""]);
        assert!(words("--a \"b").is_err());
    }
}
