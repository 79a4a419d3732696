//! The pid file.

use crate::failure::{Failure, failure};
use crate::options::Source;
use rustix::fs::{Mode, OFlags};
use std::io::Write;
use std::path::PathBuf;

/// A pid file that was written; it is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct PidFile(Option<PathBuf>);

impl PidFile {
    /// Writes this process's id. Links are not followed.
    pub(crate) fn write(to: &Source) -> Result<Self, Failure> {
        let (fd, path) = match to {
            Source::File(path) => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW;
                let fd = rustix::fs::open(path, flags, Mode::from_raw_mode(0o644))
                    .map_err(|e| failure!("--pid: cannot open {}: {e}", path.display()))?;
                (fd, Some(path.clone()))
            }
            Source::Descriptor(n) => (sealwright_keys::descriptor(*n).map_err(|e| failure!("--pid: {e}"))?, None),
        };
        let mut file = std::fs::File::from(fd);
        writeln!(file, "{}", std::process::id()).map_err(|e| failure!("--pid: cannot write: {e}"))?;
        Ok(Self(path))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // After a change of user or root it may be out of reach, as with swtpm.
            let _ = rustix::fs::unlink(path);
        }
    }
}
