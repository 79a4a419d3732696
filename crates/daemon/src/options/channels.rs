//! `--ctrl` and `--server`.

use super::Suboptions;
use crate::failure::{Failure, failure};
use std::path::PathBuf;

/// Where a channel's socket comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A Unix socket to create at this path.
    Path { path: PathBuf, mode: u32, uid: Option<String>, gid: Option<String> },
    /// A TCP port to listen on.
    Tcp { port: u16, address: String, interface: Option<String> },
    /// An open listening socket.
    Listening(i32),
    /// An open, connected socket; on the data channel it may be a character device.
    Connected(i32),
    /// A character device, which is opened.
    Device(PathBuf),
    /// A device of this host that is made by the kernel's vTPM proxy.
    Proxy,
}

/// The data channel: TPM commands and responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataChannel {
    /// Its socket.
    pub(crate) endpoint: Endpoint,
    /// Close the connection after every response.
    pub(crate) disconnect: bool,
}

/// The control channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ControlChannel {
    /// Its socket.
    pub(crate) endpoint: Endpoint,
    /// Exit when the control connection is lost.
    pub(crate) terminate: bool,
}

/// `--fd`, `fd=` and `clientfd=` never mean the standard streams.
pub(super) fn socket_descriptor(option: &str, fd: i32) -> Result<i32, Failure> {
    if fd <= 2 { Err(failure!("--{option}: file descriptor {fd} is a standard stream, not a socket")) } else { Ok(fd) }
}

fn unix_endpoint(s: &mut Suboptions, path: PathBuf) -> Result<Endpoint, Failure> {
    Ok(Endpoint::Path { path, mode: s.mode("mode")?.unwrap_or(0o770), uid: s.text("uid")?, gid: s.text("gid")? })
}

fn tcp_endpoint(s: &mut Suboptions, port: u16) -> Result<Endpoint, Failure> {
    let address = s.text("bindaddr")?.unwrap_or_else(|| "127.0.0.1".to_owned());
    Ok(Endpoint::Tcp { port, address, interface: s.text("ifname")? })
}

pub(super) fn server(text: &str, env_port: Option<&str>) -> Result<DataChannel, Failure> {
    let mut s = Suboptions::parse("server", text)?;
    let kind = s.text("type")?.unwrap_or_else(|| "tcp".to_owned());
    let fd = s.descriptor("fd")?.map(|n| socket_descriptor("server", n)).transpose()?;
    let disconnect = s.switch("disconnect").unwrap_or(false);
    let endpoint = match (kind.as_str(), fd) {
        ("tcp" | "unixio", Some(fd)) => {
            for name in ["port", "bindaddr", "ifname", "path", "mode", "uid", "gid"] {
                s.text(name)?;
            }
            Endpoint::Connected(fd)
        }
        ("unixio", None) => {
            let path = s.path("path")?.ok_or_else(|| failure!("--server type=unixio needs path= or fd="))?;
            unix_endpoint(&mut s, path)?
        }
        ("tcp", None) => {
            let port = match (s.port("port")?, env_port) {
                (Some(port), _) => port,
                (None, Some(text)) => {
                    text.parse().map_err(|_| failure!("TPM_PORT='{text}' is not a port number (0 to 65535)"))?
                }
                (None, None) => return Err(failure!("--server type=tcp needs port= or fd=")),
            };
            tcp_endpoint(&mut s, port)?
        }
        (other, _) => return Err(failure!("--server: type '{other}' is unknown; tcp and unixio are known")),
    };
    s.finish()?;
    Ok(DataChannel { endpoint, disconnect })
}

pub(super) fn ctrl(text: &str) -> Result<ControlChannel, Failure> {
    let mut s = Suboptions::parse("ctrl", text)?;
    let kind = s.text("type")?.ok_or_else(|| failure!("--ctrl needs type=unixio or type=tcp"))?;
    let fd = s.descriptor("fd")?.map(|n| socket_descriptor("ctrl", n)).transpose()?;
    let client = s.descriptor("clientfd")?.map(|n| socket_descriptor("ctrl", n)).transpose()?;
    let terminate = s.switch("terminate").unwrap_or(false);
    let endpoint = match (kind.as_str(), fd, client) {
        (_, Some(_), Some(_)) => return Err(failure!("--ctrl: fd= and clientfd= exclude each other")),
        ("unixio", None, Some(client)) => Endpoint::Connected(client),
        ("tcp", None, Some(_)) => return Err(failure!("--ctrl: clientfd= is for type=unixio only")),
        ("unixio" | "tcp", Some(fd), None) => Endpoint::Listening(fd),
        ("unixio", None, None) => {
            let path = s.path("path")?.ok_or_else(|| failure!("--ctrl type=unixio needs path=, fd= or clientfd="))?;
            unix_endpoint(&mut s, path)?
        }
        ("tcp", None, None) => {
            let port = s.port("port")?.ok_or_else(|| failure!("--ctrl type=tcp needs port= or fd="))?;
            tcp_endpoint(&mut s, port)?
        }
        (other, _, _) => return Err(failure!("--ctrl: type '{other}' is unknown; unixio and tcp are known")),
    };
    if matches!(endpoint, Endpoint::Listening(_) | Endpoint::Connected(_)) {
        for name in ["path", "port", "bindaddr", "ifname", "mode", "uid", "gid"] {
            s.text(name)?;
        }
    }
    s.finish()?;
    Ok(ControlChannel { endpoint, terminate })
}
