//! Answers requests.

use super::request::{self, Incoming, Request, Stream};
use crate::data::{self, Origin};
use crate::log::{say, trace};
use crate::served::Served;
use crate::shared::Shared;
use crate::tpm::{MAX_BLOB, Refused};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::SendFlags;
use sealwright_channel::{Command, result};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Text bytes in one GET_INFO answer.
const INFO_CHUNK: usize = 3072;
/// A client that does not take its answer for this long is dropped, so that it cannot hold up the process.
const SEND_TIMEOUT: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

const FLAG_DECRYPTED: u32 = 1;
const FLAG_ENCRYPTED: u32 = 2;

/// What the event loop does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Goes on.
    Continue,
    /// The client is gone.
    Gone,
    /// The client asked for the end of the process, and waits for [`answer_shutdown`].
    Shutdown,
    /// The storage is in other hands: the process ends.
    Failed,
}

/// The control channel's side of the TPM.
pub(crate) struct Control {
    shared: Arc<Shared>,
    /// Exit when the data client that SET_DATAFD brings is gone.
    terminate: bool,
}

type Answer = Zeroizing<Vec<u8>>;

fn answer(words: &[u32]) -> Answer {
    Zeroizing::new(words.iter().flat_map(|w| w.to_be_bytes()).collect())
}

fn word(body: &[u8], index: usize) -> Option<u32> {
    let at = index.checked_mul(4)?;
    body.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_be_bytes)
}

fn size(body: &[u8], index: usize) -> Option<usize> {
    usize::try_from(word(body, index)?).ok()
}

fn code(outcome: Result<(), Refused>) -> u32 {
    match outcome {
        Ok(()) => result::SUCCESS,
        Err(refused) => {
            say!("{}", refused.why);
            refused.code
        }
    }
}

/// Sends all of `bytes`, or gives up on the client.
fn send(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match rustix::net::send(fd, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                if !matches!(poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], Some(&SEND_TIMEOUT)), Ok(1..)) {
                    return false;
                }
            }
            Err(_) => return false,
        }
    }
    true
}

/// Answers SHUTDOWN with this result.
pub(crate) fn answer_shutdown(client: &OwnedFd, code: u32) {
    send(client.as_fd(), &answer(&[code]));
}

/// Takes the data that belongs to a refused request off the channel, so that it is not read as commands.
fn skip(fd: BorrowedFd<'_>, body: &[u8], head: usize, length: Option<usize>) {
    let stream = body.get(head..).zip(length).and_then(|(first, length)| Stream::new(fd, first, length));
    if let Some(mut stream) = stream {
        while stream.next(&mut |_| {}) == Some(true) {}
    }
}

/// Commands that are refused while the TPM is off.
fn needs_running(command: Command) -> bool {
    matches!(
        command,
        Command::GetTpmEstablished
            | Command::HashStart
            | Command::HashData
            | Command::HashEnd
            | Command::CancelTpmCmd
            | Command::StoreVolatile
            | Command::ResetTpmEstablished
            | Command::GetStateBlob
    )
}

/// Commands that do something to the TPM as the guest sees it.
fn acts(command: Command) -> bool {
    matches!(
        command,
        Command::Init
            | Command::Stop
            | Command::SetLocality
            | Command::HashStart
            | Command::HashData
            | Command::HashEnd
            | Command::CancelTpmCmd
            | Command::ResetTpmEstablished
    )
}

/// Commands that have nothing behind their number.
fn stands_alone(command: Command) -> bool {
    matches!(
        command,
        Command::Stop
            | Command::Shutdown
            | Command::GetTpmEstablished
            | Command::HashStart
            | Command::HashEnd
            | Command::CancelTpmCmd
            | Command::StoreVolatile
            | Command::GetConfig
    )
}

impl Control {
    /// For the TPM of `shared`.
    pub(crate) fn new(shared: Arc<Shared>, terminate: bool) -> Self {
        Self { shared, terminate }
    }

    /// Reads and answers one request of a client that is readable.
    pub(crate) fn serve(&self, client: &OwnedFd) -> Outcome {
        let fd = client.as_fd();
        let mut outcome = Outcome::Continue;
        let answer = match request::read(fd) {
            Incoming::Gone => return Outcome::Gone,
            Incoming::Fragment => answer(&[result::BAD_PARAMETER]),
            Incoming::Request(request) => {
                trace!(2, "control command 0x{:02x}, {} bytes", request.number, request.body.len());
                let (command, number) = (request.command, request.number);
                let answer = self.answer(fd, request, &mut outcome);
                let result = word(&answer, 0).unwrap_or(0);
                trace!(2, "control answer 0x{result:x}");
                if command.is_some_and(acts) {
                    self.shared.after_control(number, result);
                }
                answer
            }
        };
        if send(fd, &answer) || outcome != Outcome::Continue { outcome } else { Outcome::Gone }
    }

    fn answer(&self, fd: BorrowedFd<'_>, request: Request, outcome: &mut Outcome) -> Answer {
        let Some(command) = request.command else {
            say!("unknown control command 0x{:08x}", request.number);
            return answer(&[result::BAD_ORDINAL]);
        };
        let body = &*request.body;
        let bad = || answer(&[result::BAD_PARAMETER]);
        if needs_running(command) && !self.shared.is_running() {
            if command == Command::HashData {
                skip(fd, body, 4, size(body, 0));
            }
            return answer(match command {
                Command::GetStateBlob if body.len() >= 12 => &[result::BAD_ORDINAL, 0, 0, 0],
                _ => &[result::BAD_ORDINAL],
            });
        }
        if stands_alone(command) && !body.is_empty() {
            return bad();
        }
        match command {
            Command::GetCapability => answer(&[result::SUCCESS, self.shared.capabilities()]),
            Command::Init => match word(body, 0) {
                Some(flags) if body.len() == 4 => answer(&[self.init(flags)]),
                _ => bad(),
            },
            Command::Stop => answer(&[self.stop()]),
            // It is answered when all is given up.
            Command::Shutdown => {
                *outcome = Outcome::Shutdown;
                answer(&[])
            }
            Command::GetTpmEstablished => {
                answer(&[result::SUCCESS, u32::from_be_bytes([u8::from(self.shared.established()), 0, 0, 0])])
            }
            Command::SetLocality => match body.first() {
                Some(locality) if self.shared.set_locality(*locality) => answer(&[result::SUCCESS]),
                Some(_) => answer(&[result::BAD_LOCALITY]),
                None => bad(),
            },
            Command::ResetTpmEstablished => match body.first() {
                Some(locality @ 0..=4) => answer(&[self.with_tpm(|tpm| tpm.reset_established(*locality))]),
                Some(_) => answer(&[result::BAD_LOCALITY]),
                None => bad(),
            },
            Command::HashStart => answer(&[self.with_tpm(|tpm| tpm.hash_start())]),
            Command::HashData => answer(&[self.hash_data(fd, body)]),
            Command::HashEnd => answer(&[self.with_tpm(|tpm| tpm.hash_end())]),
            Command::CancelTpmCmd => answer(&[if self.shared.cancel() { result::SUCCESS } else { result::FAIL }]),
            Command::StoreVolatile => answer(&[code(self.shared.tpm().store_volatile())]),
            Command::GetStateBlob => match (word(body, 0), word(body, 1), size(body, 2)) {
                (Some(flags), Some(blob_type), Some(offset)) => self.get_state_blob(flags, blob_type, offset),
                _ => bad(),
            },
            Command::SetStateBlob => answer(&[self.set_state_blob(fd, body, outcome)]),
            Command::GetConfig => {
                let (state, migration) = self.shared.keys();
                answer(&[result::SUCCESS, u32::from(state) | (u32::from(migration) << 1)])
            }
            Command::SetDataFd => answer(&[self.set_data_fd(request.descriptor)]),
            Command::SetBufferSize => match word(body, 0) {
                Some(wanted) if wanted > 0 && self.shared.is_running() => answer(&[result::BAD_ORDINAL]),
                Some(wanted) => {
                    let (size, min, max) = self.shared.tpm().buffer_size(wanted);
                    answer(&[result::SUCCESS, size, min, max])
                }
                None => bad(),
            },
            Command::GetInfo => self.get_info(body).unwrap_or_else(bad),
            Command::LockStorage => match word(body, 0) {
                Some(retries) => {
                    let locked = code(self.shared.tpm().lock_storage(retries));
                    answer(&[if locked == result::SUCCESS { result::SUCCESS } else { result::FAIL }])
                }
                None => bad(),
            },
        }
    }

    fn with_tpm(&self, run: impl FnOnce(&mut dyn Served) -> u32) -> u32 {
        let mut tpm = self.shared.tpm();
        let code = run(tpm.as_mut());
        self.shared.publish(tpm.as_ref());
        code
    }

    fn init(&self, flags: u32) -> u32 {
        let mut tpm = self.shared.interrupt();
        let code = code(tpm.init(flags & 1 != 0));
        self.shared.publish(tpm.as_ref());
        code
    }

    fn stop(&self) -> u32 {
        let mut tpm = self.shared.interrupt();
        let code = tpm.stop();
        self.shared.publish(tpm.as_ref());
        code
    }

    fn hash_data(&self, fd: BorrowedFd<'_>, body: &[u8]) -> u32 {
        let stream = body.get(4..).zip(size(body, 0)).and_then(|(first, length)| Stream::new(fd, first, length));
        let Some(mut stream) = stream else { return result::BAD_PARAMETER };
        let mut code = result::SUCCESS;
        loop {
            match stream.next(&mut |piece| code = code.max(self.shared.tpm().hash_data(piece))) {
                Some(true) => {}
                Some(false) => return code,
                None => return result::IO_ERROR,
            }
        }
    }

    fn get_state_blob(&self, flags: u32, blob_type: u32, offset: usize) -> Answer {
        let blob = self.shared.tpm().state_blob(blob_type, flags & FLAG_DECRYPTED != 0);
        match blob {
            Ok((blob, sealed)) => {
                let blob = Zeroizing::new(blob);
                let rest = blob.get(offset..).unwrap_or_default();
                let length = u32::try_from(rest.len()).unwrap_or(u32::MAX);
                let head = answer(&[result::SUCCESS, if sealed { FLAG_ENCRYPTED } else { 0 }, length, length]);
                Zeroizing::new([head.as_slice(), rest].concat())
            }
            Err(refused) => {
                trace!(1, "{}", refused.why);
                answer(&[refused.code, 0, 0, 0])
            }
        }
    }

    fn set_state_blob(&self, fd: BorrowedFd<'_>, body: &[u8], outcome: &mut Outcome) -> u32 {
        let length = size(body, 2);
        if self.shared.is_running() {
            skip(fd, body, 12, length);
            return result::BAD_ORDINAL;
        }
        let (Some(blob_type), Some(length)) = (word(body, 1), length) else { return result::BAD_PARAMETER };
        if length > MAX_BLOB {
            say!("a state blob of {length} bytes is too large");
            skip(fd, body, 12, Some(length));
            return result::FAIL;
        }
        let stream = Stream::new(fd, body.get(12..).unwrap_or_default(), length);
        let Some(mut stream) = stream else { return result::BAD_PARAMETER };
        let mut blob = Zeroizing::new(Vec::with_capacity(length));
        loop {
            match stream.next(&mut |piece| blob.extend_from_slice(piece)) {
                Some(true) => {}
                Some(false) => break,
                None => return result::BAD_PARAMETER,
            }
        }
        let code = code(self.shared.tpm().set_state_blob(blob_type, &blob));
        if code == result::IO_ERROR {
            *outcome = Outcome::Failed;
        }
        code
    }

    fn set_data_fd(&self, descriptor: Option<OwnedFd>) -> u32 {
        if !self.shared.data_channel_is_free() {
            return result::IO_ERROR;
        }
        let Some(fd) = descriptor else { return result::BAD_PARAMETER };
        if !matches!(rustix::net::sockopt::socket_type(&fd), Ok(rustix::net::SocketType::STREAM)) {
            say!("the descriptor that came for the data channel is not a stream socket");
            return result::BAD_PARAMETER;
        }
        if !self.shared.try_data_client(fd.as_fd()) {
            return result::IO_ERROR;
        }
        match data::start_client(fd, self.shared.clone(), Origin::Controller, self.terminate) {
            Ok(()) => result::SUCCESS,
            Err(error) => {
                say!("the data channel cannot be started: {error}");
                self.shared.leave_data_client();
                result::IO_ERROR
            }
        }
    }

    fn get_info(&self, body: &[u8]) -> Option<Answer> {
        let (high, low, offset) = (word(body, 0)?, word(body, 1)?, size(body, 2)?);
        word(body, 3)?;
        let text = self.shared.describe((u64::from(high) << 32) | u64::from(low));
        let rest = text.as_bytes().get(offset..).filter(|r| !r.is_empty())?;
        let mut chunk = rest.to_vec();
        chunk.push(0);
        chunk.truncate(INFO_CHUNK);
        let total = u32::try_from(text.len()).ok()?.checked_add(1)?;
        let head = answer(&[result::SUCCESS, total, u32::try_from(chunk.len()).ok()?]);
        Some(Zeroizing::new([head.as_slice(), &chunk].concat()))
    }
}

#[cfg(test)]
mod tests;
