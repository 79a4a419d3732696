//! Sockets: made, bound and accepted, for both channels.

use crate::failure::{Failure, failure};
use crate::options::Endpoint;
use crate::user;
use core::net::SocketAddr;
use core::time::Duration;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use sealwright_keys::descriptor;
use std::net::ToSocketAddrs;
use std::path::PathBuf;

/// Between two tries to accept a client while the system is short of something.
const SHORTAGE: Duration = Duration::from_millis(100);

/// A listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    fd: OwnedFd,
    path: Option<PathBuf>,
    /// It was made here.
    own: bool,
}

/// A name by which clients find the process. It is theirs to use who come next once this is dropped, although a thread may
/// still hold the socket.
#[derive(Debug)]
pub(crate) enum GivenUp {
    /// The file of a Unix socket.
    File(PathBuf),
    /// A TCP socket.
    Port(OwnedFd),
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        // After a change of user or root a file may be out of reach.
        let _ = match self {
            Self::File(path) => rustix::fs::unlink(&*path),
            Self::Port(socket) => rustix::net::shutdown(socket, rustix::net::Shutdown::Both),
        };
    }
}

/// What an [`Endpoint`] gave.
#[derive(Debug)]
pub(crate) enum Bound {
    /// Clients come.
    Listening(Listener),
    /// The client is there.
    Connected(OwnedFd),
}

/// For TCP: answers are small and waited for. On other sockets this fails, which is fine.
fn no_delay(fd: &OwnedFd) {
    let _ = rustix::net::sockopt::set_tcp_nodelay(fd, true);
}

fn socket(option: &str, number: i32) -> Result<OwnedFd, Failure> {
    let fd = descriptor(number).map_err(|e| failure!("--{option}: {e}"))?;
    match rustix::net::sockopt::socket_type(&fd) {
        Ok(SocketType::STREAM) => Ok(fd),
        _ => Err(failure!("--{option}: file descriptor {number} is not a stream socket")),
    }
}

/// A connected socket of the data channel, or a device: anything that commands can be read from, which a file cannot be.
fn data(option: &str, number: i32) -> Result<OwnedFd, Failure> {
    use rustix::fs::FileType;
    let fd = descriptor(number).map_err(|e| failure!("--{option}: {e}"))?;
    let found = rustix::fs::fstat(&fd).map_err(|e| failure!("--{option}: cannot look at descriptor {number}: {e}"))?;
    match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile | FileType::Directory | FileType::BlockDevice | FileType::Symlink => {
            Err(failure!("--{option}: file descriptor {number} is neither a socket nor a character device"))
        }
        _ => Ok(fd),
    }
}

fn device(option: &str, path: &PathBuf) -> Result<OwnedFd, Failure> {
    use rustix::fs::{FileType, OFlags};
    let failed = |e: Errno| failure!("--{option}: cannot open the device {}: {e}", path.display());
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(failed)?;
    let found = rustix::fs::fstat(&fd).map_err(failed)?;
    if FileType::from_raw_mode(found.st_mode) == FileType::CharacterDevice {
        Ok(fd)
    } else {
        Err(failure!("--{option}: {} is not a character device", path.display()))
    }
}

fn unix(option: &str, path: &PathBuf, mode: u32, uid: Option<&str>, gid: Option<&str>) -> Result<OwnedFd, Failure> {
    let failed = |what: &str, e: Errno| failure!("--{option}: cannot {what} the socket {}: {e}", path.display());
    match rustix::fs::unlink(path) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(e) => return Err(failed("replace", e)),
    }
    let address = SocketAddrUnix::new(path).map_err(|e| failed("name", e))?;
    let fd = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(|e| failed("make", e))?;
    // The socket appears with its mode. To set it by the path would set that of another file, if somebody who may write in
    // the folder puts a link there. No other thread runs yet that makes files.
    let before = rustix::process::umask(Mode::from_raw_mode(!mode & 0o777));
    let bound = rustix::net::bind(&fd, &address);
    rustix::process::umask(before);
    bound.map_err(|e| failed("bind", e))?;
    if uid.is_some() || gid.is_some() {
        let uid = uid.map(user::uid).transpose()?;
        let gid = gid.map(user::gid).transpose()?;
        rustix::fs::chownat(rustix::fs::CWD, path, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|e| failed("set the owner of", e))?;
    }
    rustix::net::listen(&fd, 1).map_err(|e| failed("listen on", e))?;
    Ok(fd)
}

fn tcp(option: &str, port: u16, address: &str, interface: Option<&str>) -> Result<OwnedFd, Failure> {
    let found = (address, port).to_socket_addrs().ok().and_then(|mut all| all.next());
    let mut target = found.ok_or_else(|| failure!("--{option}: '{address}' is not an address"))?;
    if let (Some(name), SocketAddr::V6(v6)) = (interface, &mut target) {
        let text = std::fs::read_to_string(format!("/sys/class/net/{name}/ifindex")).unwrap_or_default();
        let index = text.trim().parse().map_err(|_| failure!("--{option}: there is no interface '{name}'"))?;
        v6.set_scope_id(index);
    }
    let failed = |what: &str, e: Errno| failure!("--{option}: cannot {what} {target}: {e}");
    let family = if target.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let fd = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(|e| failed("make a socket for", e))?;
    rustix::net::sockopt::set_socket_reuseaddr(&fd, true).map_err(|e| failed("use", e))?;
    rustix::net::bind(&fd, &target).map_err(|e| failed("bind", e))?;
    rustix::net::listen(&fd, 1).map_err(|e| failed("listen on", e))?;
    Ok(fd)
}

/// Makes or takes the socket of a channel.
pub(crate) fn bind(option: &str, endpoint: &Endpoint) -> Result<Bound, Failure> {
    Ok(match endpoint {
        Endpoint::Connected(number) if option == "server" => Bound::Connected(data(option, *number)?),
        Endpoint::Connected(number) => Bound::Connected(socket(option, *number)?),
        Endpoint::Device(path) => Bound::Connected(device("chardev", path)?),
        Endpoint::Proxy => Bound::Connected(crate::proxy::create()?),
        Endpoint::Listening(number) => {
            Bound::Listening(Listener { fd: socket(option, *number)?, path: None, own: false })
        }
        Endpoint::Path { path, mode, uid, gid } => {
            let fd = unix(option, path, *mode, uid.as_deref(), gid.as_deref())?;
            Bound::Listening(Listener { fd, path: Some(path.clone()), own: true })
        }
        Endpoint::Tcp { port, address, interface } => {
            let fd = tcp(option, *port, address, interface.as_deref())?;
            Bound::Listening(Listener { fd, path: None, own: true })
        }
    })
}

impl Listener {
    /// The next client. Clients that left again while they waited are passed over, and a want of descriptors or
    /// memory is waited out: it is no reason to end a TPM.
    pub(crate) fn accept(&self) -> rustix::io::Result<OwnedFd> {
        loop {
            match rustix::net::accept_with(&self.fd, SocketFlags::CLOEXEC) {
                Ok(fd) => {
                    no_delay(&fd);
                    return Ok(fd);
                }
                Err(error @ (Errno::AGAIN | Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP)) => {
                    return Err(error);
                }
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => std::thread::sleep(SHORTAGE),
                Err(_) => {}
            }
        }
    }

    /// What is given up at the end of a socket that this process made: its file, or, of a port, a second handle.
    pub(crate) fn to_give_up(&self) -> Option<GivenUp> {
        match &self.path {
            Some(path) => Some(GivenUp::File(path.clone())),
            None if self.own => self.fd.try_clone().ok().map(GivenUp::Port),
            None => None,
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_socket_has_its_mode_whatever_the_umask() {
        let folder = Folder::new("listen");
        let path = folder.path().join("socket");
        for mode in [0o600, 0o660, 0o777] {
            drop(unix("ctrl", &path, mode, None, None).unwrap());
            assert_eq!(std::fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        }
    }
}
