//! Files that appear whole or not at all.

use crate::failure::{Failure, failure};
use rustix::fs::{Mode, OFlags};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The largest file that is read: keys, certificates, configurations.
const MOST: u64 = 1 << 20;

/// A file that has its content already, beside the place where it is to appear. Dropped, it goes away.
#[derive(Debug)]
pub(crate) struct Waiting {
    temporary: PathBuf,
    place: PathBuf,
    done: bool,
}

impl Waiting {
    /// Writes a durable file of this mode beside `place`.
    pub(crate) fn write(place: &Path, content: &[u8], mode: u32) -> Result<Self, Failure> {
        let mut random = [0; 6];
        crate::random::fill(&mut random)?;
        let suffix: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let temporary = place.with_file_name(format!(".{name}.{suffix}"));
        let refused = |error: std::io::Error| failure!("Could not write {}: {error}", place.display());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let waiting = Self { temporary, place: place.to_owned(), done: false };
        let fd = rustix::fs::open(&waiting.temporary, flags, Mode::from_raw_mode(mode))
            .map_err(|error| refused(error.into()))?;
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(mode)).map_err(|error| refused(error.into()))?;
        let mut file = std::fs::File::from(fd);
        file.write_all(content).and_then(|()| file.sync_all()).map_err(refused)?;
        Ok(waiting)
    }

    /// Puts the file in its place, instead of what may be there, durably.
    pub(crate) fn place(mut self) -> Result<(), Failure> {
        let refused = |error: std::io::Error| failure!("Could not write {}: {error}", self.place.display());
        std::fs::rename(&self.temporary, &self.place).map_err(refused)?;
        self.done = true;
        let parent = folder_of(&self.place);
        std::fs::File::open(parent).and_then(|folder| folder.sync_all()).map_err(refused)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.done {
            // It is gone, or nobody can remove it.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

/// Removes files that a run which was killed left waiting beside `place`. The caller holds a lock, so that none of them is
/// somebody else's.
pub(crate) fn sweep(place: &Path) {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let Ok(entries) = std::fs::read_dir(folder_of(place)) else { return };
    for entry in entries.flatten() {
        let found = entry.file_name();
        let suffix = found.to_str().and_then(|found| found.strip_prefix('.')?.strip_prefix(&*name)?.strip_prefix('.'));
        if suffix.is_some_and(|hex| hex.len() == 12 && hex.bytes().all(|digit| digit.is_ascii_hexdigit())) {
            // It is gone, or nobody can remove it: it is in nobody's way.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a whole file, durably. What is there and no file, such as a pipe, is written to.
pub(crate) fn write(place: &Path, content: &[u8], mode: u32) -> Result<(), Failure> {
    if std::fs::metadata(place).is_ok_and(|found| !found.is_file()) {
        let opened = std::fs::OpenOptions::new().write(true).open(place);
        return opened
            .and_then(|mut file| file.write_all(content))
            .map_err(|error| failure!("Could not write {}: {error}", place.display()));
    }
    Waiting::write(place, content, mode)?.place()
}

/// Reads a whole file that may have a secret in it.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let refused = |error: std::io::Error| failure!("Could not read {}: {error}", path.display());
    let file = std::fs::File::open(path).map_err(refused)?;
    let size = file.metadata().map_err(refused)?.len().min(MOST);
    // Held at full size from the start: growing would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(size).unwrap_or(0).saturating_add(1)));
    file.take(MOST.saturating_add(1)).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() as u64 > MOST {
        return Err(failure!("{} is larger than {MOST} bytes", path.display()));
    }
    Ok(bytes)
}

/// Reads a secret from a descriptor that the parent process left open.
pub(crate) fn read_descriptor(number: i32) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let fd = sealwright_keys::descriptor(number).map_err(|failure| failure!("{failure}"))?;
    let mut bytes = Zeroizing::new(vec![0_u8; 64 * 1024]);
    let mut length = 0_usize;
    while let Some(room) = bytes.get_mut(length..).filter(|room| !room.is_empty()) {
        let asked = room.len();
        match rustix::io::read(&fd, room) {
            Ok(0) => break,
            Ok(count) => {
                length = length.saturating_add(count);
                // A parent may keep the writing end open: what came in one piece and short is all, as in swtpm.
                if count < asked {
                    break;
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(failure!("file descriptor {number} cannot be read: {error}")),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// True if somebody with this process's rights may do this with the file.
pub(crate) fn may(path: &Path, access: rustix::fs::Access) -> bool {
    rustix::fs::access(path, access).is_ok()
}

/// Makes a folder and those above it.
pub(crate) fn make_folder(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(mode).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = std::env::temp_dir().join(format!("sealwright-file-{}", std::process::id()));
        make_folder(&folder, 0o755).unwrap();
        let path = folder.join("a");
        let waiting = Waiting::write(&path, b"new", 0o600).unwrap();
        assert!(!path.exists());
        drop(waiting);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        write(&path, b"one", 0o640).unwrap();
        write(&path, b"two", 0o600).unwrap();
        assert_eq!(*read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        std::fs::write(&path, vec![0; MOST as usize + 1]).unwrap();
        assert!(read(&path).unwrap_err().0.contains("larger"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
