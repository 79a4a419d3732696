//! How configuration names a key manager: `scheme:where[?option=value&…]`.

use core::fmt;
use core::time::Duration;
use std::path::PathBuf;

use sealwright_state::{KeyContext, VmId};
use sha2::{Digest, Sha256};

/// Why an address was refused, and how it should read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressFault(String);

impl AddressFault {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for AddressFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for AddressFault {}

/// An address taken apart. It holds no secret, and says so to whoever tries to put one in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Which manager.
    pub scheme: String,
    /// Where it is and which key, in the manager's own words.
    pub place: String,
    options: Vec<(String, String)>,
    known: Vec<&'static str>,
}

/// What callers put secrets in elsewhere. Addresses stand in files, argument lists and logs.
const SECRETS: &[&str] = &["token", "pin", "pin-value", "password", "passphrase", "secret", "secret-id", "auth"];
/// How long a manager may take if the address does not say.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Address {
    /// Takes `text` apart.
    pub fn parse(text: &str) -> Result<Self, AddressFault> {
        let (_, query) = text.split_once('?').unwrap_or_default();
        // First of all: what else is wrong is said with the whole address.
        if let Some(name) =
            SECRETS.iter().find(|name| query.split('&').any(|part| part.split('=').next() == Some(name)))
        {
            return Err(AddressFault::new(format!(
                "an address must not hold a secret ({name}): give a file or descriptor, such as {name}-file"
            )));
        }
        let fault = |why: &str| Err(AddressFault::new(format!("the address {text:?} {why}")));
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return fault("has a blank or a control character; write it as %20 and so on");
        }
        let Some((scheme, rest)) = text.split_once(':') else {
            return fault(
                "has no scheme; write it like file:/etc/sealwright/master.key or vault:https://host:8200/transit/key",
            );
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut options: Vec<(String, String)> = Vec::new();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let Some((name, value)) = part.split_once('=') else {
                return fault(&format!("has the option {part:?} without a value; write option=value"));
            };
            let Some(value) = decode(value) else {
                return fault(&format!("has a value of {name} that is not valid: % needs two hexadecimal digits"));
            };
            if options.iter().any(|(other, _)| other == name) {
                return fault(&format!("has the option {name} twice"));
            }
            options.push((name.to_owned(), value));
        }
        Ok(Self { scheme: scheme.to_owned(), place: place.to_owned(), options, known: Vec::new() })
    }

    /// The place with its %xx resolved.
    pub(crate) fn plain_place(&self) -> Result<String, AddressFault> {
        decode(&self.place).ok_or_else(|| self.fault("has a % without two hexadecimal digits"))
    }

    pub(crate) fn fault(&self, why: impl fmt::Display) -> AddressFault {
        AddressFault(format!("the address {}:{} {why}", self.scheme, self.place))
    }

    /// The value of an option.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let at = self.options.iter().position(|(other, _)| other == name)?;
        Some(self.options.remove(at).1)
    }

    pub(crate) fn take_path(&mut self, name: &'static str) -> Option<PathBuf> {
        self.take(name).map(PathBuf::from)
    }

    pub(crate) fn take_number(&mut self, name: &'static str) -> Result<Option<u32>, AddressFault> {
        let Some(text) = self.take(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.fault(format!("has {name}={text}, which is not a number")))
    }

    /// One of some words.
    pub(crate) fn take_word<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&'static str, T)],
    ) -> Result<Option<T>, AddressFault> {
        let Some(text) = self.take(name) else { return Ok(None) };
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        found.map(Some).ok_or_else(|| self.fault(format!("has {name}={text}; it can be {}", all.join(", "))))
    }

    /// `timeout=SECONDS`, 1 to 300.
    pub(crate) fn take_timeout(&mut self) -> Result<Duration, AddressFault> {
        match self.take_number("timeout")? {
            None => Ok(TIMEOUT),
            Some(seconds @ 1..=300) => Ok(Duration::from_secs(seconds.into())),
            Some(n) => Err(self.fault(format!("has timeout={n}; it can be 1 to 300 seconds"))),
        }
    }

    /// Refuses options that nobody took.
    pub(crate) fn finish(&self) -> Result<(), AddressFault> {
        match (self.options.first(), self.known.as_slice()) {
            (None, _) => Ok(()),
            (Some((name, _)), []) => Err(self.fault(format!("has the option {name}, but takes none"))),
            (Some((name, _)), known) => {
                Err(self.fault(format!("has the option {name}, which it does not take; it takes {}", known.join(", "))))
            }
        }
    }
}

/// Resolves %xx in text.
pub(crate) fn decode(text: &str) -> Option<String> {
    String::from_utf8(decode_bytes(text)?).ok()
}

/// Resolves %xx.
pub(crate) fn decode_bytes(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = rest.split_first_chunk::<2>()?;
        let digits = core::str::from_utf8(digits).ok().filter(|d| d.chars().all(|c| c.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = tail;
    }
    Some(bytes)
}

/// The name of a wrapping key, which may have `{vm}` and `{kind}` in it: then each VM, or each kind of each VM, has a
/// key of its own, made when first needed, and only then can deleting the VM destroy it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(String);

impl Template {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether each VM has its own.
    pub(crate) fn is_per_vm(&self) -> bool {
        self.0.contains("{vm}")
    }

    /// The name for one VM and kind.
    pub(crate) fn fill(&self, context: &KeyContext) -> String {
        self.0.replace("{vm}", &label(&context.vm)).replace("{kind}", context.kind.name())
    }

    /// Whether this is a present name: that of the one key, or one that [`fill`](Self::fill) can give.
    #[cfg(any(feature = "pkcs11", feature = "vault"))]
    pub(crate) fn names(&self, name: &str) -> bool {
        self.0 == name || self.made(name)
    }

    /// Whether `name` can have come from this template, so that an order to destroy cannot hit a key that others use.
    pub(crate) fn made(&self, name: &str) -> bool {
        let mut rest = name;
        let normal = self.0.replace("{kind}", "{vm}");
        let mut parts = normal.split("{vm}");
        let Some(tail) = parts.next().and_then(|head| rest.strip_prefix(head)) else { return false };
        rest = tail;
        let parts: Vec<&str> = parts.collect();
        for (at, part) in parts.iter().enumerate() {
            let last = at.saturating_add(1) == parts.len();
            let found = if last { rest.strip_suffix(part) } else { rest.split_once(part).map(|(head, _)| head) };
            let Some(filled) = found.filter(|f| !f.is_empty() && f.chars().all(plain)) else { return false };
            let used = filled.len().saturating_add(part.len());
            rest = rest.get(used..).unwrap_or_default();
        }
        self.is_per_vm()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// The VM's name, where it can stand in a path; a digest of it otherwise.
fn label(vm: &VmId) -> String {
    let name = vm.as_str();
    if name.len() <= 64 && name.chars().all(plain) && !name.starts_with('.') {
        return name.to_owned();
    }
    Sha256::digest(name).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sealwright_state::{DataKeyId, Kind};

    fn refused(text: &str) -> String {
        Address::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn takes_an_address_apart() {
        let mut a = Address::parse("vault:https://h:8200/transit/vm-{vm}?ca=%2Fetc%2Fca.pem&timeout=3").unwrap();
        assert_eq!((a.scheme.as_str(), a.place.as_str()), ("vault", "https://h:8200/transit/vm-{vm}"));
        assert_eq!(a.take_path("ca").unwrap(), PathBuf::from("/etc/ca.pem"));
        assert_eq!(a.take_timeout().unwrap(), Duration::from_secs(3));
        a.finish().unwrap();
    }

    #[test]
    fn says_what_is_wrong() {
        assert!(refused("/etc/key").contains("has no scheme"));
        assert!(refused("file:/a b").contains("%20"));
        assert!(refused("file:/a?x").contains("without a value"));
        assert!(refused("file:/a?x=%zz").contains("hexadecimal"));
        assert!(refused("file:/a?x=1&x=2").contains("twice"));
        let secret = refused("vault:https://h/transit/k?token=s.1234");
        assert!(secret.contains("token-file") && !secret.contains("s.1234"), "{secret}");
        let mut a = Address::parse("file:/a?colour=red&timeout=0").unwrap();
        assert!(a.take_timeout().unwrap_err().to_string().contains("1 to 300"));
        let text = a.finish().unwrap_err().to_string();
        assert!(text.contains("colour") && text.contains("it takes timeout"), "{text}");
    }

    #[test]
    fn templates_fill_and_recognise() {
        let t = Template::new("site/vm-{vm}-{kind}");
        let mut context = KeyContext { vm: VmId::new("a1").unwrap(), kind: Kind::Tpm, data_key: DataKeyId([0; 16]) };
        assert_eq!(t.fill(&context), "site/vm-a1-tpm");
        assert!(t.made("site/vm-a1-tpm") && t.made("site/vm-a1-b-nvram"));
        for other in ["site/vm-", "site/master", "site/vm-a/../x-tpm", "site/vm--tpm"] {
            assert!(!t.made(other), "{other}");
        }
        assert!(!Template::new("master").made("master"), "a shared key is nobody's own");
        context.vm = VmId::new("../../etc").unwrap();
        assert!(!t.fill(&context).contains(".."));
        assert!(t.made(&t.fill(&context)));
    }
}
