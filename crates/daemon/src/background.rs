//! `--daemon`. Forking is unsafe in a Rust process, so the program starts itself once more with the same words; that
//! child leaves the session, and tells the parent through its standard input, a socket, when it is ready. The parent
//! waits for that and exits with the child's fate.

use crate::failure::{Failure, failure};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

/// Tells the child what it is. The value is the parent's process id, so a variable left over from elsewhere is not
/// taken for it.
const MARK: &str = "VTPMD_BACKGROUND_OF";

/// The parent: starts the child and waits until it is ready or has failed.
fn parent() -> Result<ExitCode, Failure> {
    let failed = |e: std::io::Error| failure!("cannot go to the background: {e}");
    let (mut ours, theirs) = UnixStream::pair().map_err(failed)?;
    let program = std::env::current_exe().map_err(failed)?;
    let mut words = std::env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = words.next() {
        command.arg0(name);
    }
    command.args(words).env(MARK, std::process::id().to_string());
    command.stdin(Stdio::from(OwnedFd::from(theirs)));
    let child = command.spawn().map_err(failed)?;
    // The command holds the child's end of the socket; once it is closed here, the end of the child is seen.
    drop(command);
    drop(child);
    let mut byte = [0];
    match ours.read(&mut byte) {
        Ok(1) => Ok(ExitCode::SUCCESS),
        // The child said why on stderr.
        _ => Ok(ExitCode::FAILURE),
    }
}

/// What a process that was started with `--daemon` is.
pub(crate) enum Side {
    /// The one that was started by hand: it exits with this.
    Parent(ExitCode),
    /// The one that runs on.
    Child(Ready),
}

/// The way to tell the parent that the TPM is ready.
pub(crate) struct Ready(OwnedFd);

/// Splits in two.
pub(crate) fn split() -> Result<Side, Failure> {
    let parent_id = rustix::process::getppid().map(|p| p.as_raw_nonzero().get().to_string());
    if parent_id.is_none() || std::env::var(MARK).ok() != parent_id {
        return parent().map(Side::Parent);
    }
    let failed = |e: rustix::io::Errno| failure!("cannot go to the background: {e}");
    let ready = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).map_err(failed)?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
    rustix::stdio::dup2_stdin(&null).map_err(failed)?;
    rustix::process::setsid().map_err(failed)?;
    Ok(Side::Child(Ready(ready)))
}

impl Ready {
    /// Releases the parent, and lets go of its terminal.
    pub(crate) fn tell(self) {
        if let Ok(null) = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
            let _ = rustix::stdio::dup2_stdout(&null);
            let _ = rustix::stdio::dup2_stderr(&null);
        }
        // If the parent was killed meanwhile, nobody waits.
        let _ = rustix::io::write(&self.0, b"R");
    }
}
