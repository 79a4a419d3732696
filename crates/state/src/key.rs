//! The seam between sealed state and whoever keeps its keys.
//!
//! A state is sealed with its own random [`DataKey`]. The data key is stored beside it only as a [`WrappedKey`], which
//! a [`KeyManager`] made and alone can open.

use crate::identity::{DataKeyId, Kind, VmId};
use crate::reader::{Reader, put_sized};
use core::fmt;
use core::time::Duration;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The key that seals the state of one VM and kind: 32 random bytes, wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DataKey([u8; 32]);

impl DataKey {
    /// The key of these bytes. The caller wipes its own copy.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key of these bytes, if they are 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// A new random key.
    pub fn random() -> Result<Self, EntropyFault> {
        let mut key = Self([0; 32]);
        crate::entropy::fill(&mut key.0)?;
        Ok(key)
    }

    /// A code over `message` that only somebody with this key can make: HMAC-SHA-256 under a key that is derived for this
    /// alone. It shows who could open the data key, and gives nothing of it away.
    pub fn prove(&self, message: &[u8]) -> [u8; 32] {
        crate::seal::proof(self, message)
    }

    /// The secret itself, for a key manager that wraps it.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

/// The system gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes")]
pub struct EntropyFault;

/// The name of a wrapping key in its key manager: a UUID, a path, a label. At most 1024 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// The longest name.
    pub const MAX: usize = 1024;

    /// The key of this name; `None` if the name is longer than [`KeyId::MAX`].
    pub fn new(text: impl Into<String>) -> Option<Self> {
        Some(text.into()).filter(|text| text.len() <= Self::MAX).map(Self)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a data key is for. A key manager binds it into the wrapped key as associated data, so that a wrapped key
/// cannot be exchanged for that of another VM. Only what stays the same for the life of the data key is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyContext {
    /// Whose state it seals.
    pub vm: VmId,
    /// What it seals.
    pub kind: Kind,
    /// Its name.
    pub data_key: DataKeyId,
}

impl KeyContext {
    /// The bytes to bind: `sealwright data key v1`, a zero byte, the kind, the data key's name, the VM's name.
    pub fn bytes(&self) -> Vec<u8> {
        let kind = [self.kind as u8];
        [b"sealwright data key v1\0", &kind[..], &self.data_key.0, self.vm.as_str().as_bytes()].concat()
    }
}

/// A data key as it is stored: wrapped, with everything needed to have it unwrapped. No secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// [`KeyManager::name`] of who wrapped it.
    pub manager: String,
    /// The wrapping key.
    pub key_id: KeyId,
    /// The version of the wrapping key, where the manager counts them; else 0.
    pub version: u32,
    /// What the manager made of it, in the manager's own format.
    pub bytes: Vec<u8>,
}

impl WrappedKey {
    /// The first byte of the encoding.
    const ENCODING: u8 = 1;
    /// The longest [`WrappedKey::bytes`].
    pub const MAX: usize = 16 * 1024;

    /// The stored form. `None` if a field is longer than its limit.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let fits =
            self.manager.len() <= 64 && self.key_id.as_str().len() <= KeyId::MAX && self.bytes.len() <= Self::MAX;
        let mut out = vec![Self::ENCODING];
        put_sized(&mut out, self.manager.as_bytes())?;
        put_sized(&mut out, self.key_id.as_str().as_bytes())?;
        out.extend(self.version.to_be_bytes());
        put_sized(&mut out, &self.bytes)?;
        fits.then_some(out)
    }

    /// Reads the stored form.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut r = Reader(bytes);
        (r.u8()? == Self::ENCODING).then_some(())?;
        let manager = r.text()?.to_owned();
        let key_id = KeyId::new(r.text()?)?;
        let version = r.u32()?;
        let bytes = r.sized()?.to_vec();
        let good = r.0.is_empty() && manager.len() <= 64 && bytes.len() <= Self::MAX;
        good.then_some(Self { manager, key_id, version, bytes })
    }
}

/// Why a key manager did not do as asked. Each text says what happened and what to do; it holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It cannot be reached, or does not work.
    #[error(
        "the key manager {manager} cannot be reached: {why}; see that it runs and can be reached from here, then try again"
    )]
    Unavailable {
        /// Who.
        manager: String,
        /// What happened.
        why: String,
    },
    /// It did not answer in time.
    #[error("the key manager {manager} did not answer within {} s; try again when it is less busy", .after.as_secs_f32())]
    Timeout {
        /// Who.
        manager: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// It does not allow this to whoever asked.
    #[error(
        "the key manager {manager} refused the use of the key {key}: {why}; give this host's identity permission to use the key"
    )]
    Refused {
        /// Who.
        manager: String,
        /// The wrapping key.
        key: KeyId,
        /// What it said.
        why: String,
    },
    /// There is no such key, or it was deleted.
    #[error(
        "the key manager {manager} has no key {key}: it was deleted, or is kept elsewhere; restore it from the key manager's backup, as the state cannot be read without it"
    )]
    NotFound {
        /// Who.
        manager: String,
        /// The wrapping key.
        key: KeyId,
    },
    /// The key is there but switched off.
    #[error("the key {key} of the key manager {manager} is disabled; enable it there")]
    Disabled {
        /// Who.
        manager: String,
        /// The wrapping key.
        key: KeyId,
    },
    /// The wrapped key was made with another key, or for another VM or kind.
    #[error(
        "the key {key} of the key manager {manager} is not the one that wrapped this data key, or it was wrapped for another VM; give the right key"
    )]
    WrongKey {
        /// Who.
        manager: String,
        /// The wrapping key.
        key: KeyId,
    },
    /// The wrapped key is not of the manager's format.
    #[error("the wrapped data key of the key manager {manager} is damaged: {why}; restore the state from a backup")]
    Damaged {
        /// Who.
        manager: String,
        /// What is wrong.
        why: String,
    },
    /// The wrapping key, or the way to it, is not such that it could be used.
    #[error("the key {key} of the key manager {manager} cannot be used: {why}")]
    Unusable {
        /// Who.
        manager: String,
        /// The wrapping key.
        key: KeyId,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The manager cannot do this at all.
    #[error("the key manager {manager} cannot {what}")]
    Unsupported {
        /// Who.
        manager: String,
        /// What it cannot do.
        what: String,
    },
}

/// Keeps wrapping keys. Calls may block, up to a time limit of the manager's own; no call is made while a command waits.
pub trait KeyManager: Send + Sync {
    /// The manager's name in wrapped keys and messages: lower case, at most 64 bytes, for ever the same.
    fn name(&self) -> &str;

    /// Wraps a data key with the manager's present wrapping key.
    fn wrap(&self, context: &KeyContext, key: &DataKey) -> Result<WrappedKey, KeyError>;

    /// Opens a data key that [`KeyManager::wrap`] made for the same context.
    fn unwrap(&self, context: &KeyContext, wrapped: &WrappedKey) -> Result<DataKey, KeyError>;

    /// Wraps a data key, and opens it once more before anything depends on it.
    fn wrap_and_open(&self, context: &KeyContext, key: &DataKey) -> Result<WrappedKey, KeyError> {
        let wrapped = self.wrap(context, key)?;
        let again = self.unwrap(context, &wrapped)?;
        if bool::from(again.expose().ct_eq(key.expose())) {
            return Ok(wrapped);
        }
        Err(KeyError::WrongKey { manager: self.name().to_owned(), key: wrapped.key_id })
    }

    /// True if `wrapped` was made with another than the present wrapping key (or version of it), so that a rewrap is due.
    fn is_outdated(&self, wrapped: &WrappedKey) -> bool {
        let _ = wrapped;
        false
    }

    /// Destroys the wrapping key for ever, and with it every state whose data key it wraps.
    fn destroy(&self, key: &KeyId) -> Result<(), KeyError> {
        let what = format!("destroy the key {key}; delete it where it is kept");
        Err(KeyError::Unsupported { manager: self.name().to_owned(), what })
    }

    /// Switches the wrapping key off, until it is switched on where it is kept.
    fn disable(&self, key: &KeyId) -> Result<(), KeyError> {
        let what = format!("disable the key {key}; disable it where it is kept");
        Err(KeyError::Unsupported { manager: self.name().to_owned(), what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_key_comes_back() {
        let key = WrappedKey {
            manager: "file".to_owned(),
            key_id: KeyId::new("master").unwrap(),
            version: 7,
            bytes: vec![1, 2, 3],
        };
        let encoded = key.encode().unwrap();
        assert_eq!(encoded, b"\x01\0\x04file\0\x06master\0\0\0\x07\0\x03\x01\x02\x03");
        assert_eq!(WrappedKey::decode(&encoded), Some(key));
        for end in 0..encoded.len() {
            assert_eq!(WrappedKey::decode(&encoded[..end]), None);
        }
        assert_eq!(WrappedKey::decode(&[&encoded[..], b"x"].concat()), None);
    }

    #[test]
    fn a_key_shows_nothing() {
        let key = DataKey::new([0x41; 32]);
        assert_eq!(format!("{key:?}"), "DataKey(..)");
        assert_ne!(DataKey::random().unwrap().expose(), DataKey::random().unwrap().expose());
    }
}
