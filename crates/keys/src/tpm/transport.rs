//! Commands to a TPM and back: the kernel's device, or a socket that takes raw commands as vtpmd and swtpm do.

use core::time::Duration;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// No TPM answers more than this.
const MAX_RESPONSE: usize = 4096;
/// Tag, size, response code.
const HEADER: usize = 10;

/// An open way to a TPM.
pub(crate) struct Transport {
    fd: OwnedFd,
    timeout: Duration,
}

impl Transport {
    /// Opens the device or socket at `path`.
    pub(crate) fn open(path: &Path, timeout: Duration) -> Result<Self, Failure> {
        let shown = path.display();
        let kind = std::fs::metadata(path).map(|metadata| metadata.file_type());
        let fault = |why: String| Failure::unavailable(format!("{shown}: {why}"));
        let kind = kind.map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                fault("there is no such device or socket; is there a TPM, and its driver loaded?".to_owned())
            }
            _ => fault(e.to_string()),
        })?;
        let fd = if kind.is_socket() {
            let stream = UnixStream::connect(path).map_err(|e| fault(e.to_string()))?;
            stream.set_nonblocking(true).map_err(|e| fault(e.to_string()))?;
            OwnedFd::from(stream)
        } else {
            let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
            rustix::fs::open(path, flags, Mode::empty()).map_err(|e| match e {
                Errno::ACCESS => Failure::refused(format!("this user may not open {shown}; add it to the group tss")),
                Errno::BUSY => {
                    fault("another program uses it; take the device with a resource manager, tpmrm0".to_owned())
                }
                e => fault(e.to_string()),
            })?
        };
        Ok(Self { fd, timeout })
    }

    /// One command and its response.
    pub(crate) fn exchange(&self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let deadline = Instant::now().checked_add(self.timeout).unwrap_or_else(Instant::now);
        let mut rest = command;
        while !rest.is_empty() {
            self.wait(PollFlags::OUT, deadline)?;
            match rustix::io::write(&self.fd, rest) {
                Ok(n) => rest = rest.get(n..).unwrap_or_default(),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(e) => return Err(Failure::unavailable(format!("the TPM takes no commands: {e}"))),
            }
        }
        let mut response = Zeroizing::new(vec![0; MAX_RESPONSE]);
        let mut length = 0_usize;
        loop {
            self.wait(PollFlags::IN, deadline)?;
            let room = response.get_mut(length..).unwrap_or_default();
            match rustix::io::read(&self.fd, room) {
                Ok(0) => return Err(Failure::unavailable("the TPM closed the connection")),
                Ok(n) => length = length.saturating_add(n),
                Err(Errno::INTR | Errno::AGAIN) => continue,
                Err(e) => return Err(Failure::unavailable(format!("the TPM gives no answer: {e}"))),
            }
            let size = response.get(2..6).filter(|_| length >= HEADER).and_then(|size| size.try_into().ok());
            let Some(size) = size.map(|size| usize::try_from(u32::from_be_bytes(size)).unwrap_or(usize::MAX)) else {
                continue;
            };
            if !(HEADER..=MAX_RESPONSE).contains(&size) || length > size {
                return Err(Failure::unavailable("what answers is not a TPM"));
            }
            if length == size {
                response.truncate(size);
                return Ok(response);
            }
        }
    }

    fn wait(&self, what: PollFlags, deadline: Instant) -> Result<(), Failure> {
        let fd: BorrowedFd<'_> = self.fd.as_fd();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            };
            match poll(&mut [PollFd::from_borrowed_fd(fd, what)], Some(&left)) {
                Ok(0) => return Err(Failure::timeout(self.timeout)),
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(e) => return Err(Failure::unavailable(format!("the TPM cannot be waited for: {e}"))),
            }
        }
    }
}
