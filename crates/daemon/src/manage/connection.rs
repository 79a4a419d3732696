//! One client: its lines, its descriptor, and the limits on both.

use super::protocol::{CHALLENGE, MAX_LINE};
use core::mem::MaybeUninit;
use core::time::Duration;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags};
use sealwright_state::DataKey;
use std::io::IoSliceMut;
use std::time::Instant;
use zeroize::Zeroizing;

/// A line is complete within this time of its first byte.
pub(super) const WHOLE: Duration = Duration::from_secs(10);
/// What is read at once.
const CHUNK: usize = 8192;
const KEY: usize = 32;

/// A client that was let in.
pub(super) struct Connection {
    fd: OwnedFd,
    buffer: Vec<u8>,
    /// When the line began that is not complete yet.
    begun: Option<Instant>,
    /// When something came last.
    pub(super) used: Instant,
    /// What came with the line.
    pub(super) descriptor: Option<OwnedFd>,
    /// What the next proof must be about.
    pub(super) challenge: Option<[u8; CHALLENGE]>,
}

/// What reading gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// Some bytes, or none yet.
    More,
    /// A line that is longer than any request.
    TooLong,
    /// The client is gone.
    Gone,
}

impl Connection {
    pub(super) fn new(fd: OwnedFd) -> Self {
        Self { fd, buffer: Vec::new(), begun: None, used: Instant::now(), descriptor: None, challenge: None }
    }

    /// Takes what has come, without waiting.
    pub(super) fn receive(&mut self) -> Incoming {
        let mut chunk = [0; CHUNK];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let received = rustix::net::recvmsg(&self.fd, &mut [IoSliceMut::new(&mut chunk)], &mut control, flags);
        // More descriptors than one are closed at once, those beyond the room by the kernel.
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                for fd in fds {
                    self.descriptor.get_or_insert(fd);
                }
            }
        }
        match received {
            Ok(found) if found.bytes == 0 => Incoming::Gone,
            Ok(found) => {
                self.buffer.extend_from_slice(chunk.get(..found.bytes).unwrap_or_default());
                self.used = Instant::now();
                self.begun.get_or_insert(self.used);
                if self.buffer.len() > MAX_LINE && !self.buffer.contains(&b'\n') {
                    return Incoming::TooLong;
                }
                Incoming::More
            }
            Err(Errno::AGAIN | Errno::INTR) => Incoming::More,
            Err(_) => Incoming::Gone,
        }
    }

    /// The next complete line, without its end.
    pub(super) fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.buffer.iter().position(|byte| *byte == b'\n')?;
        let rest = self.buffer.split_off(end.saturating_add(1));
        let mut line = core::mem::replace(&mut self.buffer, rest);
        line.truncate(end);
        self.begun = (!self.buffer.is_empty()).then(Instant::now);
        Some(line)
    }

    /// When the rest of a line must have come.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.begun.and_then(|begun| begun.checked_add(WHOLE))
    }

    /// Sends a line if there is room for it; false if the client is to be dropped.
    pub(super) fn send(&self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match rustix::net::send(&self.fd, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
        true
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The data key in a descriptor that a client sent. Only what can be read without waiting is read: what is in a pipe
/// already, or a file in memory (`memfd_create`).
pub(super) fn read_key(fd: &OwnedFd) -> Result<DataKey, &'static str> {
    const BROKEN: &str = "the descriptor cannot be read";
    // One byte more than a key, to see that there is no more.
    let mut bytes = Zeroizing::new([0_u8; KEY + 1]);
    let kind = rustix::fs::fstat(fd).map(|found| FileType::from_raw_mode(found.st_mode)).map_err(|_| BROKEN)?;
    let length = match kind {
        FileType::Fifo => {
            let flags = rustix::fs::fcntl_getfl(fd).map_err(|_| BROKEN)?;
            rustix::fs::fcntl_setfl(fd, flags | OFlags::NONBLOCK).map_err(|_| BROKEN)?;
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            if !matches!(poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&now)), Ok(1..)) {
                return Err("the pipe has no data key in it yet: write it first");
            }
            rustix::io::read(fd, bytes.as_mut_slice())
        }
        // Others than files in memory have no seals; reading them might wait for a disk or for another program.
        FileType::RegularFile if rustix::fs::fcntl_get_seals(fd).is_ok() => {
            rustix::io::pread(fd, bytes.as_mut_slice(), 0)
        }
        _ => return Err("the descriptor must be a pipe, or a file in memory (memfd)"),
    };
    match length {
        Ok(KEY) => bytes.get(..KEY).and_then(DataKey::from_slice).ok_or(BROKEN),
        Ok(_) => Err("the descriptor must hold a data key, which has 32 bytes"),
        Err(_) => Err(BROKEN),
    }
}
