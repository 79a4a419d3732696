//! Where a channel is, and the connection to it.

use crate::fault::Fault;
use core::time::Duration;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// For a connection to be made over TCP.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Where a channel is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// A TCP port.
    Tcp {
        /// A name or an address.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
    /// A character device.
    Device(PathBuf),
}

impl core::fmt::Display for Address {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "host '{host}' on port '{port}'"),
            Self::Unix(path) | Self::Device(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Address {
    /// Reads `[HOST]:[PORT]`, with 127.0.0.1 and `port` where a part is missing. An IPv6 address stands in brackets.
    pub fn tcp(text: &str, port: u16) -> Result<Self, Fault> {
        let (host, number) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, ""),
            Some((host, rest)) => match rest.strip_prefix(':') {
                Some(number) => (host, number),
                None => return Err(Fault::Address(format!("'{text}' is not an address; write [HOST]:PORT"))),
            },
            None => text.rsplit_once(':').unwrap_or((text, "")),
        };
        let number = match number {
            "" => port,
            digits => match digits.parse::<u64>() {
                Ok(number) => u16::try_from(number)
                    .map_err(|_| Fault::Address(format!("Port '{digits}' outside valid range.")))?,
                Err(_) => return Err(Fault::Address(format!("Invalid port '{digits}'"))),
            },
        };
        let host = if host.is_empty() { "127.0.0.1" } else { host };
        Ok(Self::Tcp { host: host.to_owned(), port: number })
    }

    /// Connects, or opens the device.
    pub fn connect(&self) -> Result<Stream, Fault> {
        let failed = |source| Fault::Connect { to: self.to_string(), source };
        match self {
            Self::Tcp { host, port } => {
                let mut last = io::Error::other("the name has no address");
                for target in (host.as_str(), *port).to_socket_addrs().map_err(failed)? {
                    match TcpStream::connect_timeout(&target, CONNECT_TIMEOUT) {
                        Ok(stream) => {
                            // Requests are small and waited for. Where this is not possible they are only slower.
                            let _ = stream.set_nodelay(true);
                            return Ok(Stream::Tcp(stream));
                        }
                        Err(error) => last = error,
                    }
                }
                Err(failed(last))
            }
            Self::Unix(path) => UnixStream::connect(path).map(Stream::Unix).map_err(failed),
            Self::Device(path) => {
                let file = File::options().read(true).write(true).open(path);
                file.map(Stream::Device).map_err(failed)
            }
        }
    }
}

/// A connection to a channel.
#[derive(Debug)]
#[non_exhaustive]
pub enum Stream {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a Unix socket.
    Unix(UnixStream),
    /// A character device: each write is a command, each read a response.
    Device(File),
}

impl Stream {
    /// A connection that somebody else made. `device` tells a character device from a socket.
    #[must_use]
    pub fn from_fd(fd: OwnedFd, device: bool) -> Self {
        // The type of socket makes no difference to reading and writing.
        if device { Self::Device(fd.into()) } else { Self::Unix(fd.into()) }
    }

    /// The longest wait of one read; none is for ever. Devices wait as long as their driver says.
    pub fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(timeout),
            Self::Unix(stream) => stream.set_read_timeout(timeout),
            Self::Device(_) => Ok(()),
        }
    }

    /// True for a character device.
    #[must_use]
    pub fn is_device(&self) -> bool {
        matches!(self, Self::Device(_))
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buf),
            Self::Unix(stream) => stream.read(buf),
            Self::Device(file) => file.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(buf),
            Self::Unix(stream) => stream.write(buf),
            Self::Device(file) => file.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
            Self::Device(file) => file.as_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn parts_of_a_tcp_address_may_be_missing() {
        for (text, host, port) in [
            ("", "127.0.0.1", 6545),
            (":", "127.0.0.1", 6545),
            (":1", "127.0.0.1", 1),
            ("tpm.example", "tpm.example", 6545),
            ("tpm.example:", "tpm.example", 6545),
            ("tpm.example:65535", "tpm.example", 65535),
            ("[::1]", "::1", 6545),
            ("[::1]:7", "::1", 7),
        ] {
            assert_eq!(Address::tcp(text, 6545).unwrap(), Address::Tcp { host: host.to_owned(), port });
        }
    }

    #[test]
    fn ports_that_are_none_are_refused() {
        for (text, part) in [(":66666", "outside"), (":x", "Invalid port"), (":-1", "Invalid"), ("[::1]x", "[HOST]")] {
            assert!(Address::tcp(text, 1).unwrap_err().to_string().contains(part), "{text}");
        }
    }
}
