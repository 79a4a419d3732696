//! Reads one request.

use core::mem::MaybeUninit;
use core::time::Duration;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use sealwright_channel::Command;
use std::io::IoSliceMut;
use std::time::Instant;

/// A request arrives within this time of its first byte.
const WHOLE: Duration = Duration::from_millis(500);
/// The most that a stream of data behind a request may take.
const STREAM: Duration = Duration::from_secs(30);
/// What is read at once.
const CHUNK: usize = 4096;

/// Bytes after the command number, before any stream of data.
const fn body(command: Command) -> usize {
    match command {
        Command::Init | Command::HashData | Command::SetBufferSize | Command::LockStorage => 4,
        Command::SetLocality | Command::ResetTpmEstablished => 1,
        Command::GetStateBlob | Command::SetStateBlob => 12,
        Command::GetInfo => 16,
        _ => 0,
    }
}

/// A request as it came; handlers check its size.
#[derive(Debug)]
pub(super) struct Request {
    /// The command, if the number is one.
    pub(super) command: Option<Command>,
    /// The number.
    pub(super) number: u32,
    /// What followed it in the same read.
    pub(super) body: Vec<u8>,
    /// A descriptor that came along. It is closed unless SET_DATAFD takes it.
    pub(super) descriptor: Option<OwnedFd>,
}

/// What reading gave.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A request, perhaps too short.
    Request(Request),
    /// Not even a command number within the time.
    Fragment,
    /// The client is gone.
    Gone,
}

fn ready(fd: BorrowedFd<'_>, until: Instant) -> bool {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let Ok(timeout) = Timespec::try_from(left) else { return false };
        match poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&timeout)) {
            Err(Errno::INTR) => {}
            other => return matches!(other, Ok(1..)),
        }
    }
}

/// Reads up to a chunk, and a descriptor if one comes along.
fn receive(fd: BorrowedFd<'_>, into: &mut Vec<u8>, descriptor: &mut Option<OwnedFd>) -> rustix::io::Result<usize> {
    let mut chunk = [0; CHUNK];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        match rustix::net::recvmsg(fd, &mut [IoSliceMut::new(&mut chunk)], &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            other => break other?,
        }
    };
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            for fd in fds {
                descriptor.get_or_insert(fd);
            }
        }
    }
    into.extend_from_slice(chunk.get(..received.bytes).unwrap_or_default());
    Ok(received.bytes)
}

/// Reads one request from a client that is readable.
pub(super) fn read(fd: BorrowedFd<'_>) -> Incoming {
    let until = Instant::now().checked_add(WHOLE).unwrap_or_else(Instant::now);
    let mut bytes = Vec::new();
    let mut descriptor = None;
    loop {
        match receive(fd, &mut bytes, &mut descriptor) {
            Ok(0) if bytes.is_empty() => return Incoming::Gone,
            Ok(0) => break,
            Ok(_) | Err(Errno::AGAIN) => {}
            Err(_) => return Incoming::Gone,
        }
        let needed = bytes
            .first_chunk()
            .map_or(4, |number| Command::from_number(u32::from_be_bytes(*number)).map_or(0, body).saturating_add(4));
        if bytes.len() >= needed || !ready(fd, until) {
            break;
        }
    }
    let Some((number, body)) = bytes.split_first_chunk() else { return Incoming::Fragment };
    let number = u32::from_be_bytes(*number);
    Incoming::Request(Request { command: Command::from_number(number), number, body: body.to_vec(), descriptor })
}

/// A stream of data behind a request, of which some came with it.
pub(super) struct Stream<'a> {
    fd: BorrowedFd<'a>,
    first: &'a [u8],
    left: usize,
    until: Instant,
}

impl<'a> Stream<'a> {
    /// Of `length` bytes; `None` if more came than was announced.
    pub(super) fn new(fd: BorrowedFd<'a>, first: &'a [u8], length: usize) -> Option<Self> {
        let until = Instant::now().checked_add(STREAM).unwrap_or_else(Instant::now);
        (first.len() <= length).then_some(Self { fd, first, left: length, until })
    }

    /// Gives the next piece to `with`: `Some(true)`; at the end `Some(false)`; `None` if the client stopped sending.
    pub(super) fn next(&mut self, with: &mut dyn FnMut(&[u8])) -> Option<bool> {
        if self.left == 0 {
            return Some(false);
        }
        if !self.first.is_empty() {
            with(self.first);
            self.left = self.left.saturating_sub(self.first.len());
            self.first = &[];
            return Some(true);
        }
        let soon = Instant::now().checked_add(WHOLE).unwrap_or(self.until).min(self.until);
        if !ready(self.fd, soon) {
            return None;
        }
        let mut chunk = [0; CHUNK];
        let room = chunk.get_mut(..self.left.min(CHUNK))?;
        match rustix::io::read(self.fd, room) {
            Ok(0) => None,
            Ok(n) => {
                with(chunk.get(..n)?);
                self.left = self.left.saturating_sub(n);
                Some(true)
            }
            Err(Errno::INTR | Errno::AGAIN) => Some(true),
            Err(_) => None,
        }
    }
}
