//! `READY=1` for systemd, when it asks for it by NOTIFY_SOCKET.

use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

/// The way to systemd, if it waits to hear something.
pub(crate) struct Notify(Option<OwnedFd>);

impl Notify {
    /// Connects, before this process confines itself. Without systemd this does nothing.
    pub(crate) fn connect() -> Self {
        Self(std::env::var("NOTIFY_SOCKET").ok().and_then(|path| connected(&path)))
    }

    /// Tells systemd that the TPM is ready.
    pub(crate) fn ready(self) {
        if let Some(fd) = self.0 {
            // Nobody to tell it to if this fails: systemd reports a service that never became ready.
            let _ = rustix::net::send(&fd, b"READY=1", SendFlags::NOSIGNAL);
        }
    }
}

fn connected(path: &str) -> Option<OwnedFd> {
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes()),
        None => SocketAddrUnix::new(path),
    };
    let fd = rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()?;
    rustix::net::connect(&fd, &address.ok()?).ok()?;
    Some(fd)
}
