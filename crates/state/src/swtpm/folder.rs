//! swtpm's folder: one file for each part.

use super::{MAX_BLOB, Part, SwtpmError};
use crate::disk::{Disk, DiskFile, HostFolder, How, make_new, read_exact, write_all};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The file whose lock the user of the folder holds.
const LOCK: &str = ".lock";

/// A folder of swtpm's with the state of a TPM 2.0.
pub struct Folder {
    path: PathBuf,
    disk: Box<dyn Disk>,
    lock: Option<Box<dyn DiskFile>>,
    sync: bool,
    backup: bool,
}

impl core::fmt::Debug for Folder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Folder").field("path", &self.path).field("locked", &self.lock.is_some()).finish()
    }
}

fn file_name(part: Part) -> String {
    format!("tpm2-00.{}", part.name())
}

fn backup_name() -> String {
    format!("{}.bak", file_name(Part::Permanent))
}

impl Folder {
    /// Opens a folder that is there. Files made in it get `mode`; without it 0640, less the umask.
    pub fn open(path: &Path, mode: Option<u32>) -> Result<Self, SwtpmError> {
        let disk = HostFolder::open(path, mode).map_err(|e| SwtpmError::io(path, "opening the folder", &e))?;
        Ok(Self::on(path, Box::new(disk)))
    }

    /// The folder on this disk. `path` is for messages.
    pub fn on(path: &Path, disk: Box<dyn Disk>) -> Self {
        Self { path: path.to_owned(), disk, lock: None, sync: true, backup: false }
    }

    /// Without syncing, what is written is durable when the system thinks so: a loss of power may take it back, or leave
    /// an empty file.
    #[must_use]
    pub fn with_sync(self, sync: bool) -> Self {
        Self { sync, ..self }
    }

    /// With a backup, what the permanent part was before a write stays beside it, in a file whose name ends in `.bak`.
    #[must_use]
    pub fn with_backup(self, backup: bool) -> Self {
        Self { backup, ..self }
    }

    /// The path of a part's file.
    pub fn path(&self, part: Part) -> PathBuf {
        self.path.join(file_name(part))
    }

    /// Takes the lock that swtpm takes too; it is held until the folder is dropped.
    pub fn lock(&mut self) -> Result<(), SwtpmError> {
        if self.lock.is_some() {
            return Ok(());
        }
        let path = self.path.join(LOCK);
        let file = self.disk.open(LOCK, How::Create).map_err(|e| SwtpmError::io(&path, "opening the lock", &e))?;
        match file.try_lock() {
            Ok(true) => {
                self.lock = Some(file);
                Ok(())
            }
            Ok(false) => Err(SwtpmError::Locked { place: self.path.display().to_string() }),
            Err(e) => Err(SwtpmError::io(&path, "locking", &e)),
        }
    }

    /// Gives the lock back.
    pub fn unlock(&mut self) {
        if let Some(file) = self.lock.take() {
            file.unlock();
        }
    }

    /// True while this holds the lock.
    pub fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    /// True if there is anything of this name.
    pub fn has(&self, name: &str) -> Result<bool, SwtpmError> {
        self.disk.exists(name).map_err(|e| SwtpmError::io(&self.path.join(name), "looking for a file", &e))
    }

    /// Bytes of a part's file; `None` if there is none.
    pub fn size(&self, part: Part) -> Result<Option<u64>, SwtpmError> {
        let fault = |e: &std::io::Error| SwtpmError::io(&self.path(part), "reading", e);
        match self.disk.open(&file_name(part), How::Read) {
            Ok(file) => file.size().map(Some).map_err(|e| fault(&e)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(fault(&e)),
        }
    }

    /// If there is no permanent part but a backup of it, that becomes it.
    pub fn restore_backup(&self) -> Result<(), SwtpmError> {
        let (name, backup) = (file_name(Part::Permanent), backup_name());
        if self.has(&name)? || !self.has(&backup)? {
            return Ok(());
        }
        let renamed = self.disk.rename(&backup, &name).and_then(|()| self.disk.sync());
        renamed.map_err(|e| SwtpmError::io(&self.path.join(backup), "renaming", &e))
    }

    /// The backup of the permanent part, in its envelope; `None` if there is none.
    pub fn read_backup(&self) -> Result<Option<Zeroizing<Vec<u8>>>, SwtpmError> {
        self.read_file(&backup_name())
    }

    /// A part, in its envelope; `None` if there is none. Where swtpm keeps backups, the backup is taken if the power went
    /// while the permanent part was written.
    pub fn read(&self, part: Part) -> Result<Option<Zeroizing<Vec<u8>>>, SwtpmError> {
        let name = file_name(part);
        let found = self.read_file(&name);
        let unusable = matches!(found, Ok(None) | Err(SwtpmError::Empty { .. }));
        if part == Part::Permanent
            && unusable
            && let Some(backup) = self.read_backup()?
        {
            return Ok(Some(backup));
        }
        found
    }

    fn read_file(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, SwtpmError> {
        let path = self.path.join(name);
        let fault = |e: &std::io::Error| SwtpmError::io(&path, "reading", e);
        let file = match self.disk.open(name, How::Read) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(fault(&e)),
        };
        let size = usize::try_from(file.size().map_err(|e| fault(&e))?).unwrap_or(usize::MAX);
        if size == 0 {
            return Err(SwtpmError::Empty { place: path.display().to_string() });
        }
        if size > MAX_BLOB {
            return Err(SwtpmError::TooLarge { what: "the file", size, most: MAX_BLOB });
        }
        let mut bytes = Zeroizing::new(vec![0; size]);
        read_exact(&*file, 0, &mut bytes).map_err(|e| fault(&e))?;
        Ok(Some(bytes))
    }

    /// Writes a part, in its envelope: a new file takes the place of the old one once it is durable, so at any instant
    /// there is one of the two.
    pub fn write(&self, part: Part, bytes: &[u8]) -> Result<(), SwtpmError> {
        let name = file_name(part);
        if self.backup
            && part == Part::Permanent
            && let Ok(Some(old)) = self.read_file(&name)
        {
            // A copy: at no instant is the permanent part without its own name.
            self.replace(part, &backup_name(), &old)?;
        }
        self.replace(part, &name, bytes)
    }

    fn replace(&self, part: Part, name: &str, bytes: &[u8]) -> Result<(), SwtpmError> {
        let new = format!("TMP2-00.{}", part.name());
        let path = self.path.join(&new);
        let write = || {
            let file = make_new(&*self.disk, &new)?;
            write_all(&*file, 0, bytes)?;
            if self.sync {
                file.sync_all()?;
            }
            self.disk.rename(&new, name)?;
            if self.sync { self.disk.sync() } else { Ok(()) }
        };
        write().map_err(|e| SwtpmError::io(&path, "writing", &e))
    }

    /// Removes a part, if it is there.
    pub fn remove(&self, part: Part) -> Result<(), SwtpmError> {
        let removed = match self.disk.remove(&file_name(part)) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            Err(e) => Err(e),
            Ok(()) if self.sync => self.disk.sync(),
            Ok(()) => Ok(()),
        };
        removed.map_err(|e| SwtpmError::io(&self.path(part), "removing", &e))
    }
}
