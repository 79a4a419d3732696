//! State in a folder: one file per kind, replaced atomically, and a lock file.
//!
//! The folder is opened once and files are named relative to it, so a later change of the root or working folder
//! cannot lead elsewhere. Links are never followed.

use super::{StateStore, StoreFault};
use crate::failure::{Failure, failure};
use crate::options::StateOption;
use crate::seal::Kind;
use crate::seal::envelope::MAX_ENVELOPE;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::path::PathBuf;

/// swtpm's own state. It is not read yet, and must not be shadowed by a new TPM.
const FOREIGN: [&str; 3] = ["tpm2-00.permall", "tpm2-00.volatilestate", "tpm-00.permall"];
const LOCK: &str = ".lock";
const TEMPORARY: &str = "vtpm2.new";

/// A folder that holds the states of one TPM.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    folder: OwnedFd,
    mode: Option<u32>,
    durable: bool,
    locking: bool,
    lock: Option<OwnedFd>,
}

/// The file of each kind.
pub(crate) const fn file_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Permanent => "vtpm2.state",
        Kind::Volatile => "vtpm2.volatile",
    }
}

impl Directory {
    /// Opens the folder; nothing is created or locked.
    pub(crate) fn open(option: &StateOption) -> Result<Self, Failure> {
        let path = option.dir.clone();
        let folder = rustix::fs::open(&path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|e| failure!("cannot open the state folder {}: {e}", path.display()))?;
        for name in FOREIGN {
            if rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
                return Err(failure!(
                    "the folder {} holds a TPM state of swtpm ({name}); vtpmd cannot read it yet. Use an empty folder \
                     for a new TPM, or keep running this one with swtpm until vtpmd can import it",
                    path.display()
                ));
            }
        }
        Ok(Self { path, folder, mode: option.mode, durable: option.fsync, locking: option.lock, lock: None })
    }

    fn fault(&self, what: &str, name: &str, error: Errno) -> StoreFault {
        StoreFault::System(format!("cannot {what} {}: {error}", self.path.join(name).display()))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreFault> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mode = Mode::from_raw_mode(self.mode.unwrap_or(0o640));
        let file =
            rustix::fs::openat(&self.folder, TEMPORARY, flags, mode).map_err(|e| self.fault("create", TEMPORARY, e))?;
        if self.mode.is_some() {
            rustix::fs::fchmod(&file, mode).map_err(|e| self.fault("set the mode of", TEMPORARY, e))?;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            match rustix::io::write(&file, rest) {
                Ok(n) => rest = rest.get(n..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(e) => return Err(self.fault("write", TEMPORARY, e)),
            }
        }
        if self.durable {
            rustix::fs::fdatasync(&file).map_err(|e| self.fault("sync", TEMPORARY, e))?;
        }
        rustix::fs::renameat(&self.folder, TEMPORARY, &self.folder, name)
            .map_err(|e| self.fault("replace", name, e))?;
        self.sync_folder(name)
    }

    fn sync_folder(&self, name: &str) -> Result<(), StoreFault> {
        if self.durable {
            rustix::fs::fsync(&self.folder).map_err(|e| self.fault("sync the folder of", name, e))?;
        }
        Ok(())
    }
}

impl StateStore for Directory {
    fn load(&self, kind: Kind) -> Result<Option<Vec<u8>>, StoreFault> {
        let name = file_name(kind);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = match rustix::fs::openat(&self.folder, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(self.fault("open", name, e)),
        };
        let size = rustix::fs::fstat(&file).map_err(|e| self.fault("read", name, e))?.st_size;
        let size = usize::try_from(size).ok().filter(|n| *n <= MAX_ENVELOPE).ok_or_else(|| {
            StoreFault::System(format!("{} is too large for a TPM state", self.path.join(name).display()))
        })?;
        let mut bytes = vec![0; size];
        let mut at = 0_usize;
        while let Some(room) = bytes.get_mut(at..).filter(|r| !r.is_empty()) {
            match rustix::io::read(&file, room) {
                Ok(0) => break,
                Ok(n) => at = at.saturating_add(n),
                Err(Errno::INTR) => {}
                Err(e) => return Err(self.fault("read", name, e)),
            }
        }
        bytes.truncate(at);
        Ok(Some(bytes))
    }

    fn store(&mut self, kind: Kind, bytes: &[u8]) -> Result<(), StoreFault> {
        self.write(file_name(kind), bytes)
    }

    fn delete(&mut self, kind: Kind) -> Result<(), StoreFault> {
        let name = file_name(kind);
        match rustix::fs::unlinkat(&self.folder, name, AtFlags::empty()) {
            Ok(()) => self.sync_folder(name),
            Err(Errno::NOENT) => Ok(()),
            Err(e) => Err(self.fault("remove", name, e)),
        }
    }

    fn lock(&mut self) -> Result<(), StoreFault> {
        if self.is_locked() {
            return Ok(());
        }
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::openat(&self.folder, LOCK, flags, Mode::from_raw_mode(0o660))
            .map_err(|e| self.fault("open", LOCK, e))?;
        // The same lock as swtpm takes, so the two exclude each other.
        match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                self.lock = Some(file);
                Ok(())
            }
            Err(Errno::AGAIN | Errno::ACCESS) => Err(StoreFault::Locked(format!(
                "SWTPM_NVRAM_Lock_Dir: Could not lock access to lockfile: the state folder {} is in use by another \
                 process (it holds the lock on {})",
                self.path.display(),
                self.path.join(LOCK).display()
            ))),
            Err(e) => Err(self.fault("lock", LOCK, e)),
        }
    }

    fn unlock(&mut self) {
        self.lock = None;
    }

    fn is_locked(&self) -> bool {
        !self.locking || self.lock.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;

    fn directory(folder: &Folder, lock: bool) -> Directory {
        let option = StateOption { dir: folder.path().to_owned(), mode: Some(0o600), lock, fsync: true };
        Directory::open(&option).unwrap()
    }

    #[test]
    fn stores_replaces_and_deletes() {
        let folder = Folder::new("store");
        let mut store = directory(&folder, true);
        assert!(store.load(Kind::Permanent).unwrap().is_none());
        store.store(Kind::Permanent, b"one").unwrap();
        store.store(Kind::Permanent, b"two two").unwrap();
        store.store(Kind::Volatile, b"v").unwrap();
        assert_eq!(store.load(Kind::Permanent).unwrap().unwrap(), b"two two");
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.path().join("vtpm2.state")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        store.delete(Kind::Volatile).unwrap();
        store.delete(Kind::Volatile).unwrap();
        assert!(store.load(Kind::Volatile).unwrap().is_none());
        assert!(!folder.path().join(TEMPORARY).exists());
    }

    #[test]
    fn links_are_not_followed() {
        let folder = Folder::new("links");
        let target = folder.path().join("target");
        std::fs::write(&target, b"precious").unwrap();
        std::os::unix::fs::symlink(&target, folder.path().join("vtpm2.state")).unwrap();
        std::os::unix::fs::symlink(&target, folder.path().join(TEMPORARY)).unwrap();
        let mut store = directory(&folder, true);
        assert!(store.load(Kind::Permanent).is_err());
        assert!(store.store(Kind::Permanent, b"x").is_err());
        assert_eq!(std::fs::read(&target).unwrap(), b"precious");
    }

    #[test]
    fn a_state_of_swtpm_is_named() {
        let folder = Folder::new("foreign");
        std::fs::write(folder.path().join("tpm2-00.permall"), b"x").unwrap();
        let option = StateOption { dir: folder.path().to_owned(), mode: None, lock: true, fsync: true };
        let error = Directory::open(&option).unwrap_err();
        assert!(error.0.contains("tpm2-00.permall"), "{error}");
    }
}
