//! swtpm's folder: one file for each part.

use super::{MAX_BLOB, Part, SwtpmError};
use crate::disk::{Disk, DiskFile, HostFolder, How, read_exact, write_all};
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
}

impl core::fmt::Debug for Folder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Folder").field("path", &self.path).field("locked", &self.lock.is_some()).finish()
    }
}

fn file_name(part: Part) -> String {
    format!("tpm2-00.{}", part.name())
}

impl Folder {
    /// Opens a folder that is there. Files made in it get `mode`; without it 0640, less the umask.
    pub fn open(path: &Path, mode: Option<u32>) -> Result<Self, SwtpmError> {
        let disk = HostFolder::open(path, mode).map_err(|e| SwtpmError::io(path, "opening the folder", &e))?;
        Ok(Self::on(path, Box::new(disk)))
    }

    /// The folder on this disk. `path` is for messages.
    pub fn on(path: &Path, disk: Box<dyn Disk>) -> Self {
        Self { path: path.to_owned(), disk, lock: None }
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

    /// A part, in its envelope; `None` if there is none. Where swtpm keeps backups, the backup is taken if the power went
    /// while the permanent part was written.
    pub fn read(&self, part: Part) -> Result<Option<Zeroizing<Vec<u8>>>, SwtpmError> {
        let name = file_name(part);
        let found = self.read_file(&name);
        let unusable = matches!(found, Ok(None) | Err(SwtpmError::Empty { .. }));
        if part == Part::Permanent
            && unusable
            && let Some(backup) = self.read_file(&format!("{name}.bak"))?
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
        let (name, new) = (file_name(part), format!("TMP2-00.{}", part.name()));
        let path = self.path.join(&new);
        let write = || {
            let file = self.disk.open(&new, How::New)?;
            write_all(&*file, 0, bytes)?;
            file.sync_all()?;
            self.disk.rename(&new, &name)?;
            self.disk.sync()
        };
        write().map_err(|e| SwtpmError::io(&path, "writing", &e))
    }

    /// Removes a part, if it is there.
    pub fn remove(&self, part: Part) -> Result<(), SwtpmError> {
        let removed = match self.disk.remove(&file_name(part)) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
            _ => self.disk.sync(),
        };
        removed.map_err(|e| SwtpmError::io(&self.path(part), "removing", &e))
    }
}
