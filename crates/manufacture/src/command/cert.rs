//! `swtpm_cert`: one certificate for a TPM's key.

use super::getopt::{self, Entry, Value};
use crate::ca::{Issuer, SigningKey};
use crate::certificate::{
    self, Agreement, Content, Product, PublicKey, Serial, Specification, curve_named, from_hex, post_quantum,
};
use crate::failure::{Failure, failure};
use crate::file;
use crate::vtpm::{EkUse, Purpose};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use zeroize::Zeroizing;

/// The options.
const TABLE: &[Entry] = &[
    ("pubkey", Value::Required),
    ("modulus", Value::Required),
    ("exponent", Value::Required),
    ("ecc-x", Value::Required),
    ("ecc-y", Value::Required),
    ("ecc-curveid", Value::Required),
    ("public", Value::Required),
    ("keyalgo", Value::Required),
    ("signkey", Value::Required),
    ("signkey-password", Value::Required),
    ("signkey-pwd", Value::Required),
    ("parentkey-password", Value::Required),
    ("parentkey-pwd", Value::Required),
    ("issuercert", Value::Required),
    ("out-cert", Value::Required),
    ("subject", Value::Required),
    ("days", Value::Required),
    ("serial", Value::Required),
    ("type", Value::Required),
    ("tpm-manufacturer", Value::Required),
    ("tpm-model", Value::Required),
    ("tpm-version", Value::Required),
    ("tpm-serial-num", Value::Required),
    ("platform-manufacturer", Value::Required),
    ("platform-model", Value::Required),
    ("platform-version", Value::Required),
    ("tpm-spec-family", Value::Required),
    ("tpm-spec-level", Value::Required),
    ("tpm-spec-revision", Value::Required),
    ("pem", Value::None),
    ("add-header", Value::None),
    ("tpm2", Value::None),
    ("allow-signing", Value::None),
    ("decryption", Value::None),
    ("print-capabilities", Value::None),
    ("version", Value::None),
    ("help", Value::None),
];

const HELP: &str = "\
Usage: swtpm_cert [options]

Makes a certificate for the key of a TPM, signed by a CA.

The key, in one of these ways:
  --pubkey FILE                public key in PEM
  --modulus HEX                modulus of an RSA key; --exponent N if it is not 65537
  --ecc-x HEX --ecc-y HEX      point of an elliptic curve
    --ecc-curveid ID           secp256r1 (the default), secp384r1 or secp521r1
  --public HEX --keyalgo ALG   ml-kem-512, -768, -1024, ml-dsa-44, -65 or -87

The CA:
  --signkey FILE|pkcs11:URI    its key: PEM, or in a PKCS#11 token (PIN in SWTPM_PKCS11_PIN)
  --signkey-pwd PASSWORD       of the key: pass:TEXT, file:FILE, fd:N, env:NAME
  --signkey-password TEXT      the same, as it is; others can see it
  --issuercert FILE            its certificate, PEM

The certificate:
  --type ek|platform|iak|idevid  of what; ek is the default
  --subject NAMES              such as CN=vm,O=Example
  --serial N                   its number, at most 20 bytes; 1 without this
  --days N                     until it expires; -1 is never, 365 without this
  --tpm-manufacturer, --tpm-model, --tpm-version TEXT
  --tpm-spec-family TEXT, --tpm-spec-level N, --tpm-spec-revision N
  --platform-manufacturer, --platform-model, --platform-version TEXT
  --tpm-serial-num TEXT        for iak and idevid
  --tpm2                       for a TPM 2.0; without it for a TPM 1.2
  --allow-signing, --decryption  what an endorsement key may do
  --out-cert FILE              where it goes
  --pem                        PEM, not DER; without --out-cert on stdout
  --add-header                 with the header that TPM 1.2 keeps in NVRAM

  --print-capabilities, --version, --help
";

/// Header of a certificate in the NVRAM of a TPM 1.2 (TCG PC Client Implementation, 7.4.2): tag, full certificate, size,
/// tag of the certificate. The size counts the last tag.
pub(super) fn with_header(der: &[u8]) -> Result<Vec<u8>, Failure> {
    let size =
        u16::try_from(der.len().saturating_add(2)).map_err(|_| failure!("the certificate is too large for NVRAM"))?;
    Ok([&[0x10, 0x01, 0x00][..], &size.to_be_bytes(), &[0x10, 0x02], der].concat())
}

/// What a command line, or an options file of a CA, asks for.
#[derive(Default)]
pub(super) struct Options {
    pubkey: Option<PathBuf>,
    modulus: Option<Vec<u8>>,
    exponent: Option<u32>,
    x: Option<Vec<u8>>,
    y: Option<Vec<u8>>,
    curve: Option<String>,
    public: Option<Vec<u8>>,
    algorithm: Option<String>,
    signkey: Option<String>,
    password: Option<Zeroizing<String>>,
    issuer: Option<PathBuf>,
    out: Option<PathBuf>,
    subject: Option<String>,
    days: Option<i64>,
    serial: Option<Serial>,
    purpose: Option<Purpose>,
    pub(super) tpm: [Option<String>; 3],
    pub(super) platform: [Option<String>; 3],
    pub(super) family: Option<String>,
    pub(super) level: Option<u32>,
    pub(super) revision: Option<u32>,
    pub(super) device_serial: Option<String>,
    pem: bool,
    header: bool,
    pub(super) tpm2: bool,
    pub(super) usage: EkUse,
    print: Option<&'static str>,
}

/// A number as C reads it: decimal, or hexadecimal after `0x`, or octal after `0`.
fn number(option: &str, text: &str) -> Result<i64, Failure> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    let value = i64::from_str_radix(digits, radix).ok().and_then(|value| value.checked_mul(sign));
    value.ok_or_else(|| failure!("Could not parse the number '{text}' of --{option}."))
}

fn unsigned(option: &str, text: &str) -> Result<u32, Failure> {
    u32::try_from(number(option, text)?).map_err(|_| failure!("--{option} is outside valid range."))
}

/// A password: `pass:`, `file:`, `fd:` or `env:`, or as it is.
fn password(text: &str) -> Result<Zeroizing<String>, Failure> {
    if let Some(name) = text.strip_prefix("env:") {
        let value =
            std::env::var(name).map_err(|_| failure!("Could not get password from environment variable {name}."))?;
        return Ok(Zeroizing::new(value));
    }
    let bytes = match (text.strip_prefix("file:"), text.strip_prefix("fd:")) {
        (Some(path), _) => file::read(path.as_ref())?,
        (None, Some(number)) => {
            let number: i32 = number.parse().map_err(|_| failure!("Bad file descriptor for password."))?;
            file::read_descriptor(number)?
        }
        (None, None) => return Ok(Zeroizing::new(text.strip_prefix("pass:").unwrap_or(text).to_owned())),
    };
    let text = core::str::from_utf8(&bytes).map_err(|_| failure!("the password is no text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

impl Options {
    /// Takes options as they stand on a command line.
    pub(super) fn read(&mut self, words: &[String]) -> Result<(), Failure> {
        let parsed = getopt::parse(TABLE, words, true)?;
        for (name, value) in parsed.options {
            self.set(name, value.unwrap_or_default())?;
        }
        match parsed.others.first() {
            Some(word) => Err(failure!("unexpected word '{word}'; a value with blanks belongs in quotes")),
            None => Ok(()),
        }
    }

    fn set(&mut self, name: &'static str, value: String) -> Result<(), Failure> {
        let [manufacturer, model, version] = &mut self.tpm;
        let [platform_manufacturer, platform_model, platform_version] = &mut self.platform;
        match name {
            "pubkey" => self.pubkey = Some(value.into()),
            "modulus" => self.modulus = Some(from_hex(&value)?),
            "exponent" => match unsigned(name, &value)? {
                0 => return Err(failure!("Exponent is wrong and cannot be <= 0.")),
                exponent => self.exponent = Some(exponent),
            },
            "ecc-x" => self.x = Some(from_hex(&value)?),
            "ecc-y" => self.y = Some(from_hex(&value)?),
            "ecc-curveid" => self.curve = Some(value),
            "public" => self.public = Some(from_hex(&value)?),
            "keyalgo" => self.algorithm = Some(value),
            "signkey" => self.signkey = Some(value),
            "signkey-password" => self.password = Some(Zeroizing::new(value)),
            "signkey-pwd" => self.password = Some(password(&value)?),
            // The TPM key's parent's password of older versions: keys in a TPM are used through PKCS#11 now.
            "parentkey-password" | "parentkey-pwd" => {
                return Err(failure!("--{name}: keys of GnuTLS's tpmkey: are not supported; use a pkcs11: URI"));
            }
            "issuercert" => self.issuer = Some(value.into()),
            "out-cert" => self.out = Some(value.into()),
            "subject" => self.subject = Some(value),
            "days" => match number(name, &value)? {
                days @ -1..=2_147_483_647 => self.days = Some(days),
                _ => return Err(failure!("Days value of '{value}' is outside valid range.")),
            },
            "serial" => self.serial = Some(Serial::parse(&value)?),
            "type" => {
                let all = [Purpose::Ek, Purpose::Platform, Purpose::Iak, Purpose::Idevid];
                let found = all.into_iter().find(|purpose| purpose.name().eq_ignore_ascii_case(&value));
                self.purpose = Some(found.ok_or_else(|| failure!("Unknown certificate type '{value}'."))?);
            }
            "tpm-manufacturer" => *manufacturer = Some(value),
            "tpm-model" => *model = Some(value),
            "tpm-version" => *version = Some(value),
            "platform-manufacturer" => *platform_manufacturer = Some(value),
            "platform-model" => *platform_model = Some(value),
            "platform-version" => *platform_version = Some(value),
            "tpm-serial-num" => self.device_serial = Some(value),
            "tpm-spec-family" => self.family = Some(value),
            "tpm-spec-level" => self.level = Some(unsigned(name, &value)?),
            "tpm-spec-revision" => self.revision = Some(unsigned(name, &value)?),
            "pem" => self.pem = true,
            "add-header" => self.header = true,
            "tpm2" => self.tpm2 = true,
            "allow-signing" => self.usage.signing = true,
            "decryption" => self.usage.decryption = true,
            _ => self.print = self.print.or(Some(name)),
        }
        Ok(())
    }

    /// The certificate never expires.
    pub(super) fn forever(&mut self) {
        self.days = Some(-1);
    }

    /// The key, and how a decrypting one is used.
    fn key(&self) -> Result<(SubjectPublicKeyInfoOwned, Agreement), Failure> {
        let rsa = self.modulus.is_some() || self.exponent.is_some();
        let ecc = self.x.is_some() || self.y.is_some() || self.curve.is_some();
        let other = self.public.is_some() || self.algorithm.is_some();
        if [self.pubkey.is_some(), rsa, ecc, other].iter().filter(|given| **given).count() > 1 {
            return Err(failure!(
                "the key was given in several ways; one of --pubkey, --modulus, --ecc-x and --public is wanted"
            ));
        }
        if let Some(path) = &self.pubkey {
            let info = certificate::from_pem(&file::read(path)?)
                .map_err(|Failure(why)| failure!("Could not read PEM public key from {}: {why}", path.display()))?;
            // Of these swtpm says that keys are encrypted to them; of points it is not true.
            let agreement = if certificate::is_ecc(&info) { Agreement::Both } else { Agreement::Encipherment };
            return Ok((info, agreement));
        }
        if let Some(modulus) = self.modulus.clone() {
            let key = PublicKey::Rsa { modulus, exponent: self.exponent.unwrap_or(65537) };
            return Ok((key.info()?, Agreement::Encipherment));
        }
        match (&self.x, &self.y, &self.public, &self.algorithm) {
            (Some(x), Some(y), ..) => {
                let key = PublicKey::of_coordinates(curve_named(self.curve.as_deref())?, x, y)?;
                Ok((key.info()?, Agreement::Agreement))
            }
            (Some(_), None, ..) | (None, Some(_), ..) => Err(failure!("ECC x and y parameters must both be given.")),
            (None, None, Some(key), Some(algorithm)) => Ok((post_quantum(algorithm, key)?, Agreement::Encipherment)),
            (None, None, Some(_), None) => Err(failure!("--public requires --keyalgo to specify the key algorithm.")),
            (None, None, None, Some(algorithm)) => Err(failure!("Missing --public option for key type {algorithm}.")),
            (None, None, None, None) => Err(failure!("No parameters for a public key were given.")),
        }
    }

    /// What the certificate says.
    pub(super) fn content(
        &self,
        purpose: Purpose,
        key: SubjectPublicKeyInfoOwned,
        agreement: Agreement,
    ) -> Result<Content, Failure> {
        let product = |values: &[Option<String>; 3], what: &str| match values {
            [Some(manufacturer), Some(model), Some(version)] => {
                Ok(Product { manufacturer: manufacturer.clone(), model: model.clone(), version: version.clone() })
            }
            _ => Err(failure!("--{what}-manufacturer and --{what}-model and --{what}-version must all be provided.")),
        };
        let has_tpm = matches!(purpose, Purpose::Ek | Purpose::Platform);
        let specification = match (&self.family, self.level, self.revision) {
            (Some(family), Some(level), Some(revision)) => {
                Some(Specification { family: family.clone(), level, revision })
            }
            _ if purpose != Purpose::Ek => None,
            _ => {
                let all = "--tpm-spec-family and --tpm-spec-level and --tpm-spec-revision";
                return Err(failure!("{all} must all be provided."));
            }
        };
        if !has_tpm && self.device_serial.is_none() {
            return Err(failure!("--tpm-serial-num must be provided"));
        }
        let days = match self.days.unwrap_or(365) {
            -1 => None,
            days => Some(u32::try_from(days).unwrap_or(u32::MAX)),
        };
        let serial = match &self.serial {
            Some(serial) => serial.clone(),
            None => Serial::parse("1")?,
        };
        Ok(Content {
            purpose,
            tpm2: self.tpm2,
            serial,
            days,
            subject: certificate::parse_subject(self.subject.as_deref().unwrap_or_default())?,
            key,
            tpm: has_tpm.then(|| product(&self.tpm, "tpm")).transpose()?,
            platform: (purpose == Purpose::Platform).then(|| product(&self.platform, "platform")).transpose()?,
            specification,
            device_serial: self.device_serial.clone(),
            usages: certificate::key_usages(purpose, self.tpm2, self.usage, agreement),
        })
    }

    fn issuer(&self) -> Result<Issuer, Failure> {
        let certificate = self.issuer.as_ref().ok_or_else(|| failure!("The issuer certificate name is required."))?;
        let key = self.signkey.as_ref().ok_or_else(|| failure!("A signing key is required (--signkey)."))?;
        if key.starts_with("pkcs11:") {
            return Issuer::of_token(certificate, key, self.password.as_ref().map(|password| password.as_str()));
        }
        let password = self.password.as_ref().map(|password| password.as_bytes());
        let signing = SigningKey::from_pem(&file::read(Path::new(key))?, password)
            .map_err(|Failure(why)| failure!("Could not read PEM signing key from {key}: {why}"))?;
        Issuer::open(certificate, signing)
    }
}

/// Makes the certificate.
fn make(options: &Options) -> Result<(), Failure> {
    let (key, agreement) = options.key()?;
    let content = options.content(options.purpose.unwrap_or(Purpose::Ek), key, agreement)?;
    let der = certificate::issue(&content, &options.issuer()?)?;
    let pem = || certificate::to_pem(&der);
    match &options.out {
        Some(path) => {
            let bytes = if options.pem { pem()?.into_bytes() } else { der.clone() };
            let bytes = if options.header { with_header(&bytes)? } else { bytes };
            file::write(path, &bytes, 0o600)
        }
        None if options.pem => {
            super::print(format_args!("{}\n", pem()?.trim_end()));
            Ok(())
        }
        None => Err(failure!("there is nowhere to put the certificate: give --out-cert, or --pem")),
    }
}

/// The program.
pub(super) fn run(words: &[String]) -> ExitCode {
    let mut options = Options::default();
    let done = options.read(words).and_then(|()| match options.print {
        Some("help") => {
            super::print(format_args!("{HELP}"));
            Ok(())
        }
        Some("version") => {
            super::print(format_args!(
                "TPM certificate tool version {} (Sealwright {})\n",
                super::SWTPM_VERSION,
                env!("CARGO_PKG_VERSION")
            ));
            Ok(())
        }
        Some(_) => {
            super::print(format_args!(
                "{{ \"type\": \"swtpm_cert\", \"features\": [ \"cmdarg-signkey-pwd\", \"cmdarg-tpm-serial-num\", \
                 \"supports-iak-idevid\", \"cmdarg-public\", \"cmdarg-keyalgo\" ], \"version\": \"{}\" }}\n",
                super::SWTPM_VERSION
            ));
            Ok(())
        }
        None => make(&options),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => super::failed("swtpm_cert", &failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_option_is_in_the_help() {
        // Two are known to be told why they are refused.
        getopt::assert_named(TABLE, HELP, &["parentkey-password", "parentkey-pwd"]);
    }
}
