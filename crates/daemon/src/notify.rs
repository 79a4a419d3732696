//! `READY=1` for systemd, when it asks for it by NOTIFY_SOCKET.

use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

/// Tells systemd that the TPM is ready. Without systemd this does nothing.
pub(crate) fn ready() {
    let Ok(path) = std::env::var("NOTIFY_SOCKET") else { return };
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes()),
        None => SocketAddrUnix::new(&*path),
    };
    let Ok(address) = address else { return };
    let Ok(fd) = rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None) else {
        return;
    };
    // Nobody to tell it to if this fails: systemd reports a service that never became ready.
    let _ = rustix::net::sendto(&fd, b"READY=1", SendFlags::NOSIGNAL, &address);
}
