//! The TPM that is passed through: a character device, an open descriptor, or another TPM on a socket.

use crate::failure::{Failure, failure};
use core::net::SocketAddr;
use core::time::Duration;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use sealwright_channel::{Address, Control, Data, Fault, Stream};
use sealwright_keys::descriptor;
use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// For one response over a socket. Keys of old hardware take minutes.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Which TPM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// `--device`.
    Path(PathBuf),
    /// `--device-fd`.
    Descriptor(i32),
    /// `--socket`.
    Socket(String),
}

/// An open TPM. Nobody else gets it while this is open.
pub(crate) struct Device {
    data: Data,
    /// To connect again, for servers that close after each response.
    again: Option<Address>,
    name: String,
}

/// `HOST:PORT`, or the path of a Unix socket, with names looked up: later that may be forbidden to this process.
pub(crate) fn address(option: &str, text: &str) -> Result<Address, Failure> {
    if text.contains('/') {
        return Ok(Address::Unix(text.into()));
    }
    let wrong = || failure!("--{option}: '{text}' is neither HOST:PORT nor the path of a Unix socket");
    let found: Option<SocketAddr> = text.to_socket_addrs().map_err(|_| wrong())?.next();
    let found = found.ok_or_else(wrong)?;
    Ok(Address::Tcp { host: found.ip().to_string(), port: found.port() })
}

/// The control channel of the TPM on a socket.
pub(crate) fn control(text: &str) -> Result<Control, Failure> {
    let stream = address("socket-ctrl", text)?.connect().map_err(|fault| failure!("--socket-ctrl: {fault}"))?;
    Control::new(stream).map_err(|fault| failure!("--socket-ctrl: {fault}"))
}

fn open(path: &Path) -> Result<OwnedFd, Failure> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|error| match error {
        Errno::BUSY => {
            failure!("{}: another process uses this TPM; end it first, a TPM is given to one VM alone", path.display())
        }
        Errno::NOENT => failure!("{}: there is no such device on this host", path.display()),
        error => failure!("{}: cannot open the TPM: {error}", path.display()),
    })
}

/// Takes an open device for this process alone.
fn locked(fd: OwnedFd, name: &str) -> Result<Stream, Failure> {
    let kind = rustix::fs::fstat(&fd).map(|about| FileType::from_raw_mode(about.st_mode));
    let device = match kind {
        Ok(FileType::CharacterDevice) => true,
        Ok(FileType::Socket) => false,
        _ => return Err(failure!("{name}: this is neither a TPM device nor a socket")),
    };
    if device {
        // The kernel gives /dev/tpm0 to one process; /dev/tpmrm0 it gives to many.
        rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            Errno::AGAIN => failure!("{name}: this TPM is given to another VM already"),
            error => failure!("{name}: cannot lock the TPM: {error}"),
        })?;
    }
    Ok(Stream::from_fd(fd, device))
}

impl Device {
    /// Opens the TPM, for this process alone where that can be.
    pub(crate) fn open(source: &Source) -> Result<Self, Failure> {
        let (stream, name, again) = match source {
            Source::Path(path) => {
                let name = path.display().to_string();
                (locked(open(path)?, &name)?, name, None)
            }
            Source::Descriptor(number) => {
                let name = format!("descriptor {number}");
                let fd = descriptor(*number).map_err(|e| failure!("--device-fd: {e}"))?;
                (locked(fd, &name)?, name, None)
            }
            Source::Socket(text) => {
                let address = address("socket", text)?;
                let stream = address.connect().map_err(|fault| failure!("--socket: {fault}"))?;
                (stream, text.clone(), Some(address))
            }
        };
        let data = Data::new(stream, Some(TIMEOUT)).map_err(|fault| failure!("{name}: {fault}"))?;
        Ok(Self { data, again, name })
    }

    /// What people call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// True for the kernel's device with a resource manager, where other processes of the host are served too.
    pub(crate) fn is_shared(&self) -> bool {
        self.data.stream().is_device() && self.name.contains("tpmrm")
    }

    /// Where it is connected to anew.
    pub(crate) fn address(&self) -> Option<&Address> {
        self.again.as_ref()
    }

    fn connect(&mut self) -> Result<(), Fault> {
        if let Some(address) = &self.again {
            self.data = Data::new(address.connect()?, Some(TIMEOUT))?;
        }
        Ok(())
    }

    /// Connects anew if the other side has closed the connection.
    fn alive(&mut self) -> Result<(), Fault> {
        if self.again.is_none() {
            return Ok(());
        }
        let mut byte = [0];
        match rustix::net::recv(self.data.stream().as_fd(), &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            // Closed, or bytes that nobody asked for: both are the end of this connection.
            _ => self.connect(),
        }
    }

    /// Begins anew after a failure, with a connection on which no late response can come.
    pub(crate) fn recover(&mut self) -> Result<(), Fault> {
        self.connect()
    }

    /// One command and its response.
    pub(crate) fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        self.alive()?;
        self.data.transmit(command)
    }
}
