//! The file system as the back ends see it: one folder, files in it by name. The seam at which tests put a file system
//! that fails, tears, forgets and reorders.

mod folder;

pub(crate) use folder::HostFile;
pub use folder::HostFolder;

use std::io;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// To be read. It must be there.
    Read,
    /// To be read and written. It must be there.
    Write,
    /// To be read and written; made empty if it is not there.
    Create,
    /// To be read and written. It is made, and must not be there.
    New,
}

/// A folder. Links are never followed.
pub trait Disk: Send {
    /// The path for messages.
    fn path(&self, name: &str) -> String;
    /// Opens a file of the folder.
    fn open(&self, name: &str, how: How) -> io::Result<Box<dyn DiskFile>>;
    /// Gives a file a new name, in the place of whatever had that name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a name.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// True if there is something of that name.
    fn exists(&self, name: &str) -> io::Result<bool>;
    /// Makes names durable.
    fn sync(&self) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: Send {
    /// Its length in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Reads into `out` from there on; returns how much came, 0 at the end.
    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<usize>;
    /// Writes there; returns how much was taken.
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<usize>;
    /// Makes the content durable, and what is needed to find it.
    fn sync_data(&self) -> io::Result<()>;
    /// Makes the content and everything about it durable.
    fn sync_all(&self) -> io::Result<()>;
    /// Becomes the one holder of the file's lock; false if somebody else is. The lock ends when the file is dropped.
    fn try_lock(&self) -> io::Result<bool>;
    /// Gives the lock back.
    fn unlock(&self);
    /// True while the file has a name.
    fn is_linked(&self) -> io::Result<bool>;
}

/// Reads all of `out`, or fails at the end of the file.
pub(crate) fn read_exact(file: &dyn DiskFile, mut at: u64, mut out: &mut [u8]) -> io::Result<()> {
    while !out.is_empty() {
        match file.read_at(at, out) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                out = out.get_mut(n..).unwrap_or_default();
                at = at.saturating_add(u64::try_from(n).unwrap_or(u64::MAX));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes all of `bytes`.
pub(crate) fn write_all(file: &dyn DiskFile, mut at: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(at, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                bytes = bytes.get(n..).unwrap_or_default();
                at = at.saturating_add(u64::try_from(n).unwrap_or(u64::MAX));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes an empty file, by removing what an interrupted writer left of that name: it could be another user's, or open
/// elsewhere.
pub(crate) fn make_new(disk: &dyn Disk, name: &str) -> io::Result<Box<dyn DiskFile>> {
    match disk.open(name, How::New) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            disk.remove(name)?;
            disk.open(name, How::New)
        }
        opened => opened,
    }
}

/// Puts a file with these bytes in the place of whatever has that name, by way of a new file beside it. When this
/// returns, it is durable; whenever it is interrupted, the old file or the new one is there, whole.
pub fn replace(disk: &dyn Disk, name: &str, bytes: &[u8]) -> io::Result<()> {
    let new = format!("{name}.new");
    let written = make_new(disk, &new).and_then(|file| {
        write_all(&*file, 0, bytes)?;
        file.sync_all()
    });
    if let Err(error) = written {
        let _ = disk.remove(&new);
        return Err(error);
    }
    disk.rename(&new, name)?;
    disk.sync()
}

/// Writes zeros from `at` up to `end`.
pub(crate) fn write_zeros(file: &dyn DiskFile, mut at: u64, end: u64) -> io::Result<()> {
    let zeros = vec![0; 64 * 1024];
    while at < end {
        let left = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
        let part = zeros.get(..left.min(zeros.len())).unwrap_or_default();
        write_all(file, at, part)?;
        at = at.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Place;

    #[test]
    fn what_is_left_over_is_not_written_into() {
        let place = Place::new("left-over");
        let disk = HostFolder::open(place.path(), None).unwrap();
        let (other, new) = (place.file("other"), place.file("x.new"));
        std::fs::write(&other, "other").unwrap();
        for content in ["one", "two"] {
            match content {
                "one" => std::fs::hard_link(&other, &new).unwrap(),
                _ => std::os::unix::fs::symlink(&other, &new).unwrap(),
            }
            replace(&disk, "x", content.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(place.file("x")).unwrap(), content);
            assert_eq!(std::fs::read_to_string(&other).unwrap(), "other");
        }
        std::fs::create_dir(&new).unwrap();
        replace(&disk, "x", b"three").unwrap_err();
        assert_eq!(std::fs::read_to_string(place.file("x")).unwrap(), "two");
    }
}
