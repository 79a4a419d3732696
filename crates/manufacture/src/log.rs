//! Where messages go: to a file that is appended to, or to stdout and stderr.

use crate::failure::{Failure, failure};
use rustix::fs::{Mode, OFlags};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The log of one run. Lines are added to the file one by one, as several programs may write to it.
#[derive(Clone, Debug, Default)]
pub struct Log {
    file: Option<PathBuf>,
}

/// Opens the file to add to it; it is made if it is not there, and links are not followed.
fn open(path: &Path) -> Result<rustix::fd::OwnedFd, Failure> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::from_raw_mode(0o640))
        .map_err(|error| failure!("Cannot open logfile {}: {error}", path.display()))
}

impl Log {
    /// A log in this file, which must be one that can be written; without a file, stdout and stderr.
    pub fn new(file: Option<&Path>) -> Result<Self, Failure> {
        file.map(open).transpose()?;
        Ok(Self { file: file.map(Path::to_owned) })
    }

    /// The file, if there is one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Adds to the file; true if that is where lines go.
    fn append(&self, line: &str) -> bool {
        let Some(path) = &self.file else { return false };
        match open(path).map(|fd| std::fs::File::from(fd).write_all(format!("{line}\n").as_bytes())) {
            Ok(Ok(())) => true,
            // A full disk must not hide what went wrong.
            Ok(Err(_)) | Err(_) => false,
        }
    }

    /// Says what was done.
    pub fn say(&self, line: &str) {
        if !self.append(line) {
            // Nobody may be listening any more.
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        }
    }

    /// Says what went wrong.
    pub fn error(&self, line: &str) {
        if !self.append(line) {
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_added_and_links_are_refused() {
        let folder = std::env::temp_dir().join(format!("sealwright-log-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("log");
        for line in ["one", "two"] {
            Log::new(Some(&path)).unwrap().say(line);
        }
        Log::new(Some(&path)).unwrap().error("three");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n");
        std::os::unix::fs::symlink(&path, folder.join("link")).unwrap();
        assert!(Log::new(Some(&folder.join("link"))).unwrap_err().0.contains("Cannot open logfile"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
