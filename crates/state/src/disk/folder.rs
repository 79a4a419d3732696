//! A folder of this host. It is opened once and files are named relative to it, so a later change of the root or working
//! folder cannot lead elsewhere.

use super::{Disk, DiskFile, How};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The files whose lock this process holds, by device and inode. The system's record locks do not exclude the process
/// that holds them, and end as soon as it closes any descriptor of the file: so other descriptors of such a file are
/// kept here, open, as long as the lock is held.
static HELD: Mutex<BTreeMap<(u64, u64), Vec<OwnedFd>>> = Mutex::new(BTreeMap::new());

/// A folder of the host's file system.
#[derive(Debug)]
pub struct HostFolder {
    path: PathBuf,
    folder: OwnedFd,
    mode: Option<u32>,
}

impl HostFolder {
    /// Opens the folder. Files made in it get `mode`; without it 0640, less the umask.
    pub fn open(path: &Path, mode: Option<u32>) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self { path: path.to_owned(), folder, mode })
    }

    /// Opens a folder in which files are found by their names only: one that cannot be listed. [`Disk::sync`] fails on it.
    pub(crate) fn open_unlisted(path: &Path, mode: Option<u32>) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self { path: path.to_owned(), folder, mode })
    }
}

impl Disk for HostFolder {
    fn path(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    fn open(&self, name: &str, how: How) -> io::Result<Box<dyn DiskFile>> {
        // Not blocking: a pipe in the place of a file must not stop the process.
        let flags = OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let flags = flags
            | match how {
                How::Read => OFlags::RDONLY,
                How::Write => OFlags::RDWR,
                How::Create => OFlags::RDWR | OFlags::CREATE,
                How::New => OFlags::RDWR | OFlags::CREATE | OFlags::EXCL,
            };
        // What is kept with its content is the lock file; swtpm gives it this mode.
        let usual = if how == How::Create { 0o660 } else { self.mode.unwrap_or(0o640) };
        let mode = Mode::from_raw_mode(usual);
        let fd = rustix::fs::openat(&self.folder, name, flags, mode)?;
        if how == How::New && self.mode.is_some() {
            rustix::fs::fchmod(&fd, mode)?;
        }
        Ok(Box::new(HostFile::new(fd)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.folder, from, &self.folder, to)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.folder, name, AtFlags::empty())?)
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        match rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.folder)?)
    }
}

/// An open file of the host.
#[derive(Debug)]
pub(crate) struct HostFile {
    fd: Option<OwnedFd>,
    held: Mutex<Option<(u64, u64)>>,
}

impl HostFile {
    /// The file behind a descriptor.
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self { fd: Some(fd), held: Mutex::new(None) }
    }

    fn fd(&self) -> io::Result<&OwnedFd> {
        self.fd.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn id(&self) -> io::Result<(u64, u64)> {
        let stat = rustix::fs::fstat(self.fd()?)?;
        Ok((stat.st_dev, stat.st_ino))
    }
}

impl DiskFile for HostFile {
    fn size(&self) -> io::Result<u64> {
        // A block device has no size in its metadata, but an end.
        Ok(rustix::fs::seek(self.fd()?, rustix::fs::SeekFrom::End(0))?)
    }

    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::pread(self.fd()?, out, at)?)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::pwrite(self.fd()?, bytes, at)?)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(self.fd()?)?)
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(self.fd()?)?)
    }

    fn try_lock(&self) -> io::Result<bool> {
        let id = self.id()?;
        let mut all = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_some() {
            return Ok(true);
        }
        if all.contains_key(&id) {
            return Ok(false);
        }
        // The same lock as swtpm takes, so the two exclude each other.
        match rustix::fs::fcntl_lock(self.fd()?, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                all.insert(id, Vec::new());
                *held = Some(id);
                Ok(true)
            }
            Err(Errno::AGAIN | Errno::ACCESS) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn unlock(&self) {
        let mut all = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(id), Some(fd)) = (self.held.lock().unwrap_or_else(PoisonError::into_inner).take(), &self.fd) {
            all.remove(&id);
            // Fails for no lock that this process has.
            let _ = rustix::fs::fcntl_lock(fd, FlockOperation::NonBlockingUnlock);
        }
    }

    fn is_linked(&self) -> io::Result<bool> {
        Ok(rustix::fs::fstat(self.fd()?)?.st_nlink > 0)
    }
}

impl Drop for HostFile {
    fn drop(&mut self) {
        let mut all = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        let id = self.id();
        if let Some(id) = self.held.lock().unwrap_or_else(PoisonError::into_inner).take() {
            all.remove(&id);
        } else if let Some(kept) = id.ok().and_then(|id| all.get_mut(&id)) {
            kept.extend(self.fd.take());
        }
    }
}
