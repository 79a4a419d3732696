//! What the tests share: folders, and a key manager that wraps with a byte.

use crate::key::{DataKey, KeyContext, KeyError, KeyId, KeyManager, WrappedKey};
use core::sync::atomic::{AtomicU32, Ordering};
use std::path::{Path, PathBuf};

/// A folder that is removed at the end.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("sealwright-{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Wraps by adding a byte. Binds the context, and tells a wrong key, as real managers do.
pub(crate) struct ByteKey(pub(crate) u8);

impl KeyManager for ByteKey {
    fn name(&self) -> &str {
        "byte"
    }

    fn wrap(&self, context: &KeyContext, key: &DataKey) -> Result<WrappedKey, KeyError> {
        let mut bytes: Vec<u8> = key.expose().iter().map(|b| b.wrapping_add(self.0)).collect();
        bytes.push(self.0);
        bytes.extend(context.bytes());
        let key_id = KeyId::new(format!("byte {}", self.0)).unwrap();
        Ok(WrappedKey { manager: "byte".to_owned(), key_id, version: 0, bytes })
    }

    fn unwrap(&self, context: &KeyContext, wrapped: &WrappedKey) -> Result<DataKey, KeyError> {
        let (key, bound) = wrapped.bytes.split_at(32);
        if bound[0] != self.0 || bound[1..] != context.bytes() {
            return Err(KeyError::WrongKey { manager: "byte".to_owned(), key: wrapped.key_id.clone() });
        }
        let key: Vec<u8> = key.iter().map(|b| b.wrapping_sub(self.0)).collect();
        Ok(DataKey::from_slice(&key).unwrap())
    }
}
