//! States of swtpm: in its folder, and in its blobs of a migration.

pub(crate) mod command;
mod place;
mod portable;
#[cfg(test)]
mod tests;
mod transfer;

use crate::seal::SealKey;
use sealwright_state::swtpm::{Folder, Part, SwtpmError, SwtpmKey, open, unwrap_migration, wrap_migration};
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A state of swtpm, out of its envelopes: libtpms's blobs.
pub(crate) struct Foreign {
    pub(crate) permanent: Zeroizing<Vec<u8>>,
    pub(crate) volatile: Option<Zeroizing<Vec<u8>>>,
}

fn swtpm_key(key: Option<&SealKey>) -> Result<Option<SwtpmKey>, SwtpmError> {
    key.map(SealKey::swtpm).transpose()
}

/// A folder that may be one of swtpm's.
pub(crate) struct SwtpmFolder {
    folder: Folder,
    key: Option<Arc<SealKey>>,
}

impl SwtpmFolder {
    /// The folder, whose files have this key if any.
    pub(crate) fn open(path: &Path, key: Option<Arc<SealKey>>) -> Result<Self, SwtpmError> {
        Ok(Self { folder: Folder::open(path, None)?, key })
    }

    /// Sizes of the files of the permanent and the volatile state.
    pub(crate) fn sizes(&self) -> (Option<u64>, Option<u64>) {
        let size = |part| std::fs::metadata(self.folder.path(part)).ok().map(|file| file.len());
        (size(Part::Permanent), size(Part::Volatile))
    }

    /// What swtpm left there; `None` if nothing.
    pub(crate) fn read(&self) -> Result<Option<Foreign>, SwtpmError> {
        let Some(permanent) = self.folder.read(Part::Permanent)? else {
            if self.folder.read(Part::Volatile)?.is_some() {
                let place = self.folder.path(Part::Permanent).display().to_string();
                return Err(SwtpmError::Missing { place, what: "the permanent state of the volatile one" });
            }
            return Ok(None);
        };
        let key = swtpm_key(self.key.as_deref())?;
        let volatile = self.folder.read(Part::Volatile)?;
        Ok(Some(Foreign {
            permanent: open(&permanent, key.as_ref())?,
            volatile: volatile.map(|bytes| open(&bytes, key.as_ref())).transpose()?,
        }))
    }
}

/// True if these bytes begin as all envelopes of swtpm do: a version, the least version, and the size of the header.
pub(crate) fn is_swtpm_blob(blob: &[u8]) -> bool {
    matches!(blob, [1 | 2, 1, 0, 10, ..])
}

/// A blob of a migration in swtpm's format.
pub(crate) fn seal_blob(
    blob: &[u8],
    state: Option<&SealKey>,
    migration: Option<&SealKey>,
) -> Result<Zeroizing<Vec<u8>>, SwtpmError> {
    wrap_migration(blob, swtpm_key(state)?.as_ref(), swtpm_key(migration)?.as_ref())
}

/// libtpms's blob in a blob of a migration.
pub(crate) fn open_blob(
    blob: &[u8],
    state: Option<&SealKey>,
    migration: Option<&SealKey>,
) -> Result<Zeroizing<Vec<u8>>, SwtpmError> {
    unwrap_migration(blob, swtpm_key(state)?.as_ref(), swtpm_key(migration)?.as_ref())
}
