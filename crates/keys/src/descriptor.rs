//! File descriptors that the parent process left open and named by number.
//!
//! Making an owned descriptor of a number is unsafe in Rust, because nobody knows who else owns that number. The
//! kernel's `pidfd_getfd` asks for a copy of it instead, which is safe: the number itself stays as it was.

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::process::{PidfdFlags, PidfdGetfdFlags};

use crate::failure::Failure;

/// A copy of the open descriptor `number`.
pub fn descriptor(number: i32) -> Result<OwnedFd, Failure> {
    let copied = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())
        .and_then(|me| rustix::process::pidfd_getfd(me, number, PidfdGetfdFlags::empty()));
    match copied {
        Ok(fd) => Ok(fd),
        Err(rustix::io::Errno::BADF) => Err(Failure::not_found(format!("file descriptor {number} is not open"))),
        // Some container filters refuse the call. Files and pipes can be opened again by their link; sockets cannot.
        Err(error) => reopen(number).ok_or_else(|| {
            let why = format!("cannot use file descriptor {number}: the system refused pidfd_getfd ({error})");
            Failure::unavailable(why)
        }),
    }
}

fn reopen(number: i32) -> Option<OwnedFd> {
    let link = format!("/proc/self/fd/{number}");
    [OFlags::RDWR, OFlags::RDONLY, OFlags::WRONLY]
        .into_iter()
        .find_map(|access| rustix::fs::open(&*link, access | OFlags::CLOEXEC, Mode::empty()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::AsRawFd;

    #[test]
    fn copies_a_socket_and_names_a_closed_number() {
        let (one, two) = std::os::unix::net::UnixStream::pair().unwrap();
        let copy = descriptor(one.as_raw_fd()).unwrap();
        rustix::io::write(&copy, b"x").unwrap();
        let mut byte = [0];
        rustix::io::read(&two, &mut byte).unwrap();
        assert_eq!(byte, *b"x");
        assert!(descriptor(1_000_000).unwrap_err().to_string().contains("not open"));
    }
}
