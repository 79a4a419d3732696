//! Serves the data channel: a thread per source of clients, one client at a time.
//!
//! The thread blocks in `read` and runs the engine itself, so a cheap command costs one read and one write.

use super::frame::{self, Frame};
use crate::listen::Listener;
use crate::log::{say, trace};
use crate::shared::Shared;
use crate::tpm::MAX_RESPONSE;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use std::sync::Arc;

/// The largest command that is given to the engine whole; its own limit is lower.
const MAX_COMMAND: usize = 8192;
/// A command whose rest does not come for this long is taken as it is, and refused for its size.
const QUIET: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };

/// Where clients of the data channel come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// They connected, or were named on the command line. They say with a prefix at which locality a command is.
    Outside,
    /// The controller handed the socket over (SET_DATAFD): a VMM that sends on what its guest writes. The guest must not choose
    /// a locality, nor get answers of another form than the VMM expects.
    Controller,
}

/// What came of waiting for bytes.
enum Got {
    Bytes,
    /// Nothing for [`QUIET`].
    Quiet,
    /// The client is gone.
    Gone,
}

/// One client's connection.
struct Client<'a> {
    fd: OwnedFd,
    /// Not a character device. Calls for sockets are shorter in the kernel.
    is_socket: bool,
    shared: &'a Shared,
    buffer: Vec<u8>,
    filled: usize,
    answer: Vec<u8>,
    origin: Origin,
    disconnect: bool,
}

/// Whether to go on with this client.
enum Next {
    More,
    Close,
    /// The storage is in other hands: the process ends.
    End,
}

impl<'a> Client<'a> {
    fn new(fd: OwnedFd, shared: &'a Shared, origin: Origin, disconnect: bool) -> Self {
        let buffer = vec![0; MAX_COMMAND.saturating_add(frame::PREFIX)];
        let answer = vec![0; MAX_RESPONSE.saturating_add(8)];
        let is_socket = rustix::fs::fstat(&fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_socket());
        Self { fd, is_socket, shared, buffer, filled: 0, answer, origin, disconnect }
    }

    fn wait(&self, timeout: Option<&Timespec>) -> Got {
        loop {
            match poll(&mut [PollFd::new(&self.fd, PollFlags::IN)], timeout) {
                Ok(0) => return Got::Quiet,
                Ok(_) => return Got::Bytes,
                Err(Errno::INTR) => {}
                Err(_) => return Got::Gone,
            }
        }
    }

    /// Reads more bytes behind those that are there, for at most [`QUIET`] if `part` of a command is there.
    fn read(&mut self, part: bool) -> Got {
        if part {
            match self.wait(Some(&QUIET)) {
                Got::Bytes => {}
                other => return other,
            }
        }
        loop {
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            let got = if self.is_socket {
                rustix::net::recv(&self.fd, room, RecvFlags::empty()).map(|(n, _)| n)
            } else {
                rustix::io::read(&self.fd, room)
            };
            match got {
                Ok(0) | Err(Errno::CONNRESET) => return Got::Gone,
                Ok(n) => {
                    self.filled = self.filled.saturating_add(n);
                    return Got::Bytes;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if let Got::Gone = self.wait(None) {
                        return Got::Gone;
                    }
                }
                Err(error) => {
                    trace!(1, "the data channel failed: {error}");
                    return Got::Gone;
                }
            }
        }
    }

    /// Throws away `rest` bytes of a command that is too large, or less if no more come.
    fn drain(&self, mut rest: usize) -> Got {
        let mut sink = [0; 4096];
        while rest > 0 {
            match self.wait(Some(&QUIET)) {
                Got::Bytes => {}
                other => return other,
            }
            let room = sink.get_mut(..rest.min(4096)).unwrap_or_default();
            match rustix::io::read(&self.fd, room) {
                Ok(0) => return Got::Gone,
                Ok(n) => rest = rest.saturating_sub(n),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(_) => return Got::Gone,
            }
        }
        Got::Bytes
    }

    fn send(&self, mut bytes: &[u8]) -> bool {
        if !self.is_socket {
            // A character device takes each response in one piece.
            return matches!(rustix::io::write(&self.fd, bytes), Ok(n) if n == bytes.len());
        }
        while !bytes.is_empty() {
            match rustix::net::send(&self.fd, bytes, SendFlags::NOSIGNAL) {
                Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let _ = poll(&mut [PollFd::new(&self.fd, PollFlags::OUT)], None);
                }
                Err(_) => return false,
            }
        }
        true
    }

    /// Runs the command in the first `length` bytes of the buffer, answers, and keeps the surplus.
    fn command(&mut self, skip: usize, locality: Option<u8>, length: usize) -> Next {
        let command = self.buffer.get(skip..length).unwrap_or_default();
        let room = self.answer.get_mut(4..MAX_RESPONSE.saturating_add(4)).unwrap_or_default();
        let Some(n) = self.shared.execute(locality, command, room) else { return Next::End };
        let end = n.saturating_add(4);
        let answer = if skip > 0 {
            let size = u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
            for (to, from) in self.answer.iter_mut().zip(size) {
                *to = from;
            }
            for to in self.answer.iter_mut().skip(end).take(4) {
                *to = 0;
            }
            self.answer.get(..end.saturating_add(4))
        } else {
            self.answer.get(4..end)
        };
        let sent = self.send(answer.unwrap_or_default());
        self.buffer.copy_within(length.min(self.filled)..self.filled, 0);
        self.filled = self.filled.saturating_sub(length);
        if sent && !self.disconnect { Next::More } else { Next::Close }
    }

    fn all_there_is(&mut self, frame: Option<Frame>) -> Next {
        let (skip, locality) = frame.map_or((0, None), |f| (f.skip, f.locality));
        self.command(skip, locality, self.filled)
    }

    fn step(&mut self) -> Next {
        let filled = self.buffer.get(..self.filled).unwrap_or_default();
        let frame = frame::front(filled, self.origin == Origin::Outside);
        match frame {
            Some(Frame { skip, locality, total: Some(total) }) if total <= self.filled => {
                return self.command(skip, locality, total);
            }
            Some(Frame { total: Some(total), .. }) if total > self.buffer.len() && self.filled >= self.buffer.len() => {
                return match self.drain(total.saturating_sub(self.filled)) {
                    Got::Gone => Next::Close,
                    _ => self.all_there_is(frame),
                };
            }
            Some(Frame { total: None, .. }) => return self.all_there_is(frame),
            _ => {}
        }
        match self.read(self.filled > 0) {
            Got::Bytes => Next::More,
            Got::Quiet => self.all_there_is(frame),
            Got::Gone => Next::Close,
        }
    }
}

/// Serves one client until it leaves; true if the process may go on.
fn serve(fd: OwnedFd, shared: &Shared, origin: Origin, disconnect: bool) -> bool {
    // A client may hand over a socket of its event loop; here it is waited on.
    if let Ok(flags) = rustix::fs::fcntl_getfl(&fd) {
        let _ = rustix::fs::fcntl_setfl(&fd, flags.difference(rustix::fs::OFlags::NONBLOCK));
    }
    let mut client = Client::new(fd, shared, origin, disconnect);
    loop {
        match client.step() {
            Next::More => {}
            Next::Close => {
                // A descriptor named on the command line stays open besides this copy; the client must see the end.
                let _ = rustix::net::shutdown(&client.fd, rustix::net::Shutdown::Both);
                return true;
            }
            Next::End => return false,
        }
    }
}

fn spawn(run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name("data".to_owned()).spawn(run).map(|_| ())
}

/// Serves one connected client on a thread of its own. The caller has made it the data client.
pub(crate) fn start_client(fd: OwnedFd, shared: Arc<Shared>, origin: Origin, terminate: bool) -> std::io::Result<()> {
    spawn(move || {
        let fine = serve(fd, &shared, origin, false);
        shared.leave_data_client();
        trace!(1, "data client disconnected");
        if !fine || terminate {
            shared.end(!fine);
        }
    })
}

/// Accepts clients one after the other on a thread of its own.
pub(crate) fn start_acceptor(
    listener: Listener,
    shared: Arc<Shared>,
    disconnect: bool,
    terminate: bool,
) -> std::io::Result<()> {
    spawn(move || {
        loop {
            let fd = match listener.accept() {
                Ok(fd) => fd,
                // The process gives its sockets up: it ends.
                Err(Errno::INVAL) => return,
                Err(error) => {
                    say!("the data channel cannot accept clients: {error}");
                    return shared.end(true);
                }
            };
            shared.wait_data_client(fd.as_fd());
            let fine = serve(fd, &shared, Origin::Outside, disconnect);
            shared.leave_data_client();
            if !fine || terminate {
                return shared.end(!fine);
            }
        }
    })
}

#[cfg(test)]
mod tests;
