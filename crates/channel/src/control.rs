//! The client of the control channel.

use crate::address::Stream;
use crate::fault::Fault;
use crate::request::{Command, result};
use core::mem::MaybeUninit;
use core::time::Duration;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use zeroize::Zeroizing;

/// For an answer. INIT may read a state from a slow disk.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Between two attempts of LOCK_STORAGE.
const LOCK_STEP: Duration = Duration::from_millis(10);
/// Text bytes of one GET_INFO answer.
const INFO_CHUNK: usize = 3072;
/// The most data that is sent with one HASH_DATA.
const HASH_CHUNK: usize = 4096;
/// The largest blob that is taken. Daemons refuse 512 KiB and more themselves.
const MAX_BLOB: usize = 16 << 20;

/// Which part of the state a blob is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobKind {
    /// What is kept for ever.
    Permanent = 1,
    /// What is lost when the power goes.
    Volatile = 2,
    /// TPM_SaveState of TPM 1.2.
    SaveState = 3,
}

impl BlobKind {
    /// By the word that `swtpm_ioctl` has for it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "permanent" => Some(Self::Permanent),
            "volatile" => Some(Self::Volatile),
            "savestate" => Some(Self::SaveState),
            _ => None,
        }
    }
}

/// A state blob. Its bytes hold the secrets of the TPM unless they are encrypted.
#[derive(Clone, PartialEq, Eq)]
pub struct StateBlob {
    /// The content is still encrypted with the state key of the daemon.
    pub encrypted: bool,
    /// The blob.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl core::fmt::Debug for StateBlob {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "StateBlob {{ encrypted: {}, {} bytes }}", self.encrypted, self.bytes.len())
    }
}

/// Sizes of the command buffer in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferSize {
    /// What it is now.
    pub size: u32,
    /// What it must be at least.
    pub minimum: u32,
    /// What it can be at most.
    pub maximum: u32,
}

/// The keys of a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config(
    /// The flags as they came: 1 a state key is set, 2 a migration key is set.
    pub u32,
);

/// A connection to a control channel.
#[derive(Debug)]
pub struct Control {
    stream: Stream,
}

fn word(bytes: &[u8], index: usize) -> Option<u32> {
    let at = index.checked_mul(4)?;
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_be_bytes)
}

impl Control {
    /// On a connection. A character device has no control channel of this kind; its ioctls are not supported.
    pub fn new(stream: Stream) -> Result<Self, Fault> {
        if stream.is_device() {
            return Err(Fault::Address(
                "a character device is controlled by ioctl, which this program does not do; give --unix or --tcp"
                    .to_owned(),
            ));
        }
        stream.set_timeout(Some(TIMEOUT))?;
        Ok(Self { stream })
    }

    fn failed(command: Command) -> impl Fn(io::Error) -> Fault {
        move |source| {
            let late = matches!(source.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            let source = if late { io::Error::new(ErrorKind::TimedOut, "no answer in time") } else { source };
            Fault::Channel { command, source }
        }
    }

    fn send(&mut self, command: Command, body: &[&[u8]]) -> Result<(), Fault> {
        // One piece: older daemons take what one read gives for the whole request.
        let number = (command as u32).to_be_bytes();
        let request = Zeroizing::new([&[&number[..]], body].concat().concat());
        self.stream.write_all(&request).map_err(Self::failed(command))
    }

    /// Reads an answer of `length` bytes and gives what is behind the result. Other results than success come with
    /// fewer bytes or with zeros; of these only those that are already there are read.
    fn answer(&mut self, command: Command, length: usize) -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; length];
        let mut filled = 0;
        loop {
            let room = bytes.get_mut(filled..).unwrap_or_default();
            match self.stream.read(room) {
                Ok(0) => {
                    let gone = io::Error::new(ErrorKind::UnexpectedEof, "the connection was closed");
                    return Err(Self::failed(command)(gone));
                }
                Ok(n) => filled = filled.saturating_add(n),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Self::failed(command)(error)),
            }
            match (filled >= 4).then(|| word(&bytes, 0)).flatten() {
                Some(code) if code != result::SUCCESS => return Err(Fault::Refused { command, code }),
                _ if filled >= length => return Ok(bytes.get(4..).unwrap_or_default().to_vec()),
                _ => {}
            }
        }
    }

    fn run(&mut self, command: Command, body: &[&[u8]]) -> Result<(), Fault> {
        self.send(command, body)?;
        self.answer(command, 4).map(|_| ())
    }

    fn number(&mut self, command: Command) -> Result<u32, Fault> {
        self.send(command, &[])?;
        let answer = self.answer(command, 8)?;
        word(&answer, 0).ok_or(Fault::Nonsense(command))
    }

    /// What the daemon can do: bits of [`crate::capability`].
    pub fn capabilities(&mut self) -> Result<u32, Fault> {
        self.number(Command::GetCapability)
    }

    /// Power on, or a power cycle. A volatile state that is stored is continued, and with `delete_volatile` deleted
    /// after that.
    pub fn init(&mut self, delete_volatile: bool) -> Result<(), Fault> {
        self.run(Command::Init, &[&u32::from(delete_volatile).to_be_bytes()])
    }

    /// Power off.
    pub fn stop(&mut self) -> Result<(), Fault> {
        self.run(Command::Stop, &[])
    }

    /// Power off; the daemon ends after its answer.
    pub fn shutdown(&mut self) -> Result<(), Fault> {
        self.run(Command::Shutdown, &[])
    }

    /// The tpmEstablished bit.
    pub fn established(&mut self) -> Result<bool, Fault> {
        self.number(Command::GetTpmEstablished).map(|word| word >> 24 != 0)
    }

    /// Clears the tpmEstablished bit, from this locality.
    pub fn reset_established(&mut self, locality: u8) -> Result<(), Fault> {
        self.run(Command::ResetTpmEstablished, &[&[locality]])
    }

    /// The locality of the next commands of the data channel.
    pub fn set_locality(&mut self, locality: u8) -> Result<(), Fault> {
        self.run(Command::SetLocality, &[&[locality]])
    }

    /// Begins a hash sequence of the interface: the H-CRTM before Startup, the D-CRTM after it.
    pub fn hash_start(&mut self) -> Result<(), Fault> {
        self.run(Command::HashStart, &[])
    }

    /// Data of the hash sequence.
    pub fn hash_data(&mut self, data: &[u8]) -> Result<(), Fault> {
        data.chunks(HASH_CHUNK).try_for_each(|piece| {
            let length = u32::try_from(piece.len()).map_err(|_| Fault::Nonsense(Command::HashData))?;
            self.run(Command::HashData, &[&length.to_be_bytes(), piece])
        })
    }

    /// Ends the hash sequence.
    pub fn hash_end(&mut self) -> Result<(), Fault> {
        self.run(Command::HashEnd, &[])
    }

    /// A whole hash sequence over all that `data` has.
    pub fn hash(&mut self, data: &mut dyn Read) -> Result<(), Fault> {
        self.hash_start()?;
        let mut chunk = [0; HASH_CHUNK];
        loop {
            match data.read(&mut chunk) {
                Ok(0) => return self.hash_end(),
                Ok(n) => self.hash_data(chunk.get(..n).unwrap_or_default())?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Self::failed(Command::HashData)(error)),
            }
        }
    }

    /// Stops the command that runs on the data channel.
    pub fn cancel(&mut self) -> Result<(), Fault> {
        self.run(Command::CancelTpmCmd, &[])
    }

    /// Has the volatile state written to the storage of the daemon.
    pub fn store_volatile(&mut self) -> Result<(), Fault> {
        self.run(Command::StoreVolatile, &[])
    }

    /// Which keys the daemon has.
    pub fn config(&mut self) -> Result<Config, Fault> {
        self.number(Command::GetConfig).map(Config)
    }

    /// Reads a state blob, without the encryption by the state key if `decrypted`. None if there is no such blob.
    pub fn state_blob(&mut self, kind: BlobKind, decrypted: bool) -> Result<Option<StateBlob>, Fault> {
        let command = Command::GetStateBlob;
        let mut blob = StateBlob { encrypted: false, bytes: Zeroizing::new(Vec::new()) };
        loop {
            let at = u32::try_from(blob.bytes.len()).map_err(|_| Fault::Nonsense(command))?;
            let body = [u32::from(decrypted), kind as u32, at].map(u32::to_be_bytes);
            self.send(command, &[body.as_flattened()])?;
            let head = match self.answer(command, 16) {
                Err(Fault::Refused { code, .. }) if code & result::NON_FATAL != 0 => return Ok(None),
                other => other?,
            };
            let size = |index| word(&head, index).and_then(|n| usize::try_from(n).ok());
            let (Some(flags), Some(total), Some(length)) = (word(&head, 0), size(1), size(2)) else {
                return Err(Fault::Nonsense(command));
            };
            // `total` counts from the offset.
            if total > MAX_BLOB || length > total || (length == 0 && total > 0) {
                return Err(Fault::Nonsense(command));
            }
            blob.encrypted = flags & 2 != 0;
            let mut part = Zeroizing::new(vec![0; length]);
            self.stream.read_exact(&mut part).map_err(Self::failed(command))?;
            blob.bytes.extend_from_slice(&part);
            if blob.bytes.len() > MAX_BLOB {
                return Err(Fault::Nonsense(command));
            }
            if length == total {
                return Ok(Some(blob));
            }
        }
    }

    /// Gives a state blob to a TPM that is off.
    pub fn set_state_blob(&mut self, kind: BlobKind, blob: &StateBlob) -> Result<(), Fault> {
        let length = u32::try_from(blob.bytes.len()).map_err(|_| Fault::Nonsense(Command::SetStateBlob))?;
        let head = [if blob.encrypted { 2 } else { 0 }, kind as u32, length].map(u32::to_be_bytes);
        self.run(Command::SetStateBlob, &[head.as_flattened(), &blob.bytes])
    }

    /// Asks for the buffer size (0), or sets it while the TPM is off.
    pub fn set_buffer_size(&mut self, size: u32) -> Result<BufferSize, Fault> {
        let command = Command::SetBufferSize;
        self.send(command, &[&size.to_be_bytes()])?;
        let answer = self.answer(command, 16)?;
        match (word(&answer, 0), word(&answer, 1), word(&answer, 2)) {
            (Some(size), Some(minimum), Some(maximum)) => Ok(BufferSize { size, minimum, maximum }),
            _ => Err(Fault::Nonsense(command)),
        }
    }

    /// Facts about the TPM as JSON; `flags` choose them (1 specification, 2 attributes, 4 features, …).
    pub fn info(&mut self, flags: u64) -> Result<String, Fault> {
        let command = Command::GetInfo;
        let mut text = Vec::new();
        loop {
            let offset = u32::try_from(text.len()).map_err(|_| Fault::Nonsense(command))?;
            self.send(command, &[&flags.to_be_bytes(), &offset.to_be_bytes(), &[0; 4]])?;
            let head = self.answer(command, 12)?;
            let size = |index| word(&head, index).and_then(|n| usize::try_from(n).ok());
            let (Some(total), Some(length)) = (size(0), size(1)) else { return Err(Fault::Nonsense(command)) };
            if length == 0 || length > INFO_CHUNK || total > MAX_BLOB {
                return Err(Fault::Nonsense(command));
            }
            let mut part = vec![0; length];
            self.stream.read_exact(&mut part).map_err(Self::failed(command))?;
            text.extend_from_slice(&part);
            if text.len() >= total {
                break;
            }
        }
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        text.truncate(end);
        String::from_utf8(text).map_err(|_| Fault::Nonsense(command))
    }

    /// Has the daemon take the lock of its storage, in at most `retries` attempts 10 ms apart.
    pub fn lock_storage(&mut self, retries: u32) -> Result<(), Fault> {
        self.stream.set_timeout(Some(TIMEOUT.saturating_add(LOCK_STEP.saturating_mul(retries))))?;
        let outcome = self.run(Command::LockStorage, &[&retries.to_be_bytes()]);
        self.stream.set_timeout(Some(TIMEOUT))?;
        outcome
    }

    /// Gives the daemon the socket of the data channel; only over a Unix socket. The caller keeps the other end.
    pub fn set_data_fd(&mut self, socket: BorrowedFd<'_>) -> Result<(), Fault> {
        let command = Command::SetDataFd;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let sockets = [socket];
        if !ancillary.push(SendAncillaryMessage::ScmRights(&sockets)) {
            return Err(Fault::Nonsense(command));
        }
        let number = (command as u32).to_be_bytes();
        let pieces = [IoSlice::new(&number)];
        rustix::net::sendmsg(self.stream.as_fd(), &pieces, &mut ancillary, SendFlags::NOSIGNAL)
            .map_err(|error| Self::failed(command)(error.into()))?;
        self.answer(command, 4).map(|_| ())
    }
}

#[cfg(test)]
mod tests;
