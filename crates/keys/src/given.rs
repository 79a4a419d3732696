//! Secrets that are given to this process: by descriptor, file or credential.

use std::path::PathBuf;

use sealwright_state::key::{KeyContext, KeyId, WrappedKey};
use zeroize::Zeroizing;

use crate::address::{Address, AddressFault};
use crate::failure::Failure;
use crate::keeper::{Claim, Keeper, Kept};
use crate::local::{Sealed, Stretch};
use crate::secret::{Secret, from_hex};

/// The fewest bytes of a key.
const MIN_KEY: usize = 16;
/// The fewest bytes of a passphrase that is not stretched: Nova makes 64 characters of 384 random bits.
const MIN_STRONG: usize = 32;

/// How the bytes are to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Key bytes as they are.
    Binary,
    /// A key in hexadecimal digits, with or without `0x`, up to the first blank, as swtpm reads it.
    Hex,
    /// 32, 48 or 64 hexadecimal digits are a key in hexadecimal; anything else is taken as it is.
    Either,
    /// A passphrase, and how to stretch it. All bytes count, a line's end too, as in swtpm.
    Passphrase(Stretch),
}

/// `format=` of keys.
pub(crate) fn key_options(address: &mut Address) -> Result<Form, AddressFault> {
    let words = [("binary", Form::Binary), ("hex", Form::Hex)];
    Ok(address.take_word("format", &words)?.unwrap_or(Form::Either))
}

/// `kdf=` of passphrases. `sha512` is swtpm's word for a passphrase that needs no stretching.
pub(crate) fn passphrase_options(address: &mut Address) -> Result<Form, AddressFault> {
    let words = [("argon2id", Stretch::ARGON2ID), ("pbkdf2", Stretch::PBKDF2), ("sha512", Stretch::Key)];
    Ok(Form::Passphrase(address.take_word("kdf", &words)?.unwrap_or(Stretch::ARGON2ID)))
}

impl Form {
    /// The secret that `bytes` spell.
    pub(crate) fn read(self, bytes: &Secret) -> Result<Secret, Failure> {
        let given = bytes.bytes();
        let hex = |digits: &[u8]| {
            let end = digits.iter().position(u8::is_ascii_whitespace).unwrap_or(digits.len());
            from_hex(digits.get(..end).unwrap_or_default())
        };
        let secret = match self {
            Self::Hex => {
                hex(given).ok_or_else(|| Failure::unusable("the key is not made of pairs of hexadecimal digits"))?
            }
            Self::Either => match hex(bytes.line()).filter(|key| matches!(key.len(), 16 | 24 | 32)) {
                Some(key) => key,
                None => Zeroizing::new(given.to_vec()),
            },
            Self::Binary | Self::Passphrase(_) => Zeroizing::new(given.to_vec()),
        };
        let (least, what) = match self {
            Self::Passphrase(Stretch::Key) => {
                (MIN_STRONG, "the passphrase is too short for kdf=sha512, which does not stretch it")
            }
            Self::Passphrase(_) => (1, "the passphrase is too short"),
            _ => (MIN_KEY, "the key is too short"),
        };
        if secret.len() < least {
            return Err(Failure::unusable(format!(
                "{what}: it has {} bytes, at least {least} are needed",
                secret.len()
            )));
        }
        Ok(Secret::wiping(secret))
    }

    const fn stretch(self) -> Stretch {
        match self {
            Self::Passphrase(stretch) => stretch,
            _ => Stretch::Key,
        }
    }
}

enum Source {
    Held(Secret),
    /// Read for each use, so that the secret is in memory only then, and a removed file is noticed.
    File {
        path: PathBuf,
        previous: Option<PathBuf>,
    },
}

/// A manager with one secret for everybody.
pub(crate) struct Given {
    name: &'static str,
    key: KeyId,
    form: Form,
    source: Source,
}

impl Given {
    /// A secret that was read already.
    pub(crate) fn at_once(name: &'static str, key: &str, form: Form, secret: Secret) -> Self {
        Self { name, key: KeyId::new(key).unwrap_or_default(), form, source: Source::Held(secret) }
    }

    /// A secret in a file, and perhaps the one before it in another.
    pub(crate) fn in_file(name: &'static str, key: &str, form: Form, path: PathBuf, previous: Option<PathBuf>) -> Self {
        Self { name, key: KeyId::new(key).unwrap_or_default(), form, source: Source::File { path, previous } }
    }

    fn present(&self) -> Result<Secret, Failure> {
        match &self.source {
            Source::Held(secret) => Ok(Secret::new(secret.bytes().to_vec())),
            Source::File { path, .. } => self.form.read(&Secret::read_file(path)?),
        }
    }
}

impl Keeper for Given {
    fn name(&self) -> &'static str {
        self.name
    }

    fn key(&self, _context: &KeyContext) -> KeyId {
        self.key.clone()
    }

    fn keep(&self, context: &KeyContext) -> Result<Kept, Failure> {
        let secret = self.present()?;
        Ok(Kept { key: self.key(context), version: 0, secret, stretch: self.form.stretch(), token: Vec::new() })
    }

    fn recover(&self, _claim: &Claim<'_>) -> Result<Secret, Failure> {
        self.present()
    }

    fn recover_previous(&self, _claim: &Claim<'_>) -> Result<Option<Secret>, Failure> {
        match &self.source {
            Source::File { previous: Some(path), .. } => self.form.read(&Secret::read_file(path)?).map(Some),
            _ => Ok(None),
        }
    }

    fn is_outdated(&self, _wrapped: &WrappedKey, sealed: &Sealed<'_>) -> bool {
        self.present().is_ok_and(|secret| !sealed.is_under(&secret))
    }

    fn destroy(&self, key: &KeyId) -> Result<(), Failure> {
        Err(Failure::unsupported(format!(
            "destroy the key {key}, because other VMs may use it; to shred one VM, delete its wrapped keys, or use a \
             manager with a key for each VM"
        )))
    }
}
