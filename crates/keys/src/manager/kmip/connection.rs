//! A connection to a KMIP server: mutual TLS, one request at a time, all of it within one time limit.

use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Instant;

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, ServerName};
use zeroize::Zeroizing;

use super::ttlv::{Item, Out, tag};
use crate::failure::Failure;
use crate::tls::{Identity, provider};

/// More than any answer that is wanted.
const MAX_ANSWER: usize = 1 << 20;

/// Operations (KMIP 1.4, 9.1.3.2.27).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Create = 0x01,
    Locate = 0x08,
    GetAttributes = 0x0B,
    Activate = 0x12,
    Revoke = 0x13,
    Destroy = 0x14,
    Encrypt = 0x1F,
    Decrypt = 0x20,
}

/// Where a server is and how it is spoken to.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) version: (i32, i32),
    pub(super) timeout: Duration,
    pub(super) tls: Arc<ClientConfig>,
}

/// The TLS side of an identity; `None` if the key does not fit the certificate.
pub(super) fn config(identity: &Identity) -> Option<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(identity.roots.iter().cloned());
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().ok()?;
    let (chain, pem) = identity.client.as_ref()?;
    let key = PrivateKeyDer::from_pem_slice(pem.bytes()).ok()?;
    builder.with_root_certificates(roots).with_client_auth_cert(chain.clone(), key).ok().map(Arc::new)
}

/// A socket whose reads and writes end at one instant.
struct Timed {
    socket: TcpStream,
    deadline: Instant,
}

impl Timed {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Timed {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(self.left()?)?;
        self.socket.read(out)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(self.left()?)?;
        self.socket.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// An open connection.
pub(super) struct Connection<'a> {
    server: &'a Server,
    stream: StreamOwned<ClientConnection, Timed>,
}

impl Server {
    fn explain(&self, error: &io::Error) -> Failure {
        let (host, port) = (&self.host, self.port);
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Failure::timeout(self.timeout),
            io::ErrorKind::UnexpectedEof => Failure::unavailable(format!("{host}:{port} closed the connection")),
            _ => Failure::unavailable(format!("{host}:{port}: {error}")),
        }
    }

    /// Connects. TLS begins with the first request.
    pub(super) fn connect(&self) -> Result<Connection<'_>, Failure> {
        let deadline = Instant::now().checked_add(self.timeout).unwrap_or_else(Instant::now);
        let addresses = (self.host.as_str(), self.port).to_socket_addrs();
        let addresses = addresses.map_err(|e| Failure::unavailable(format!("the host {} is not known: {e}", self.host)))?;
        let mut last = io::ErrorKind::NotFound.into();
        for address in addresses {
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            match TcpStream::connect_timeout(&address, left) {
                Ok(socket) => {
                    let name = ServerName::try_from(self.host.clone()).map_err(|e| Failure::unusable(format!("{e}")))?;
                    let connection = ClientConnection::new(Arc::clone(&self.tls), name);
                    let connection = connection.map_err(|e| Failure::unusable(format!("TLS cannot be set up: {e}")))?;
                    // Requests are small and wait for their answers.
                    drop(socket.set_nodelay(true));
                    let stream = StreamOwned::new(connection, Timed { socket, deadline });
                    return Ok(Connection { server: self, stream });
                }
                Err(e) => last = e,
            }
        }
        Err(self.explain(&last))
    }
}

/// The payload of an answer.
pub(super) struct Answer(Zeroizing<Vec<u8>>);

impl Answer {
    /// The payload's first item of this tag.
    pub(super) fn get(&self, tag: u32) -> Option<Item<'_>> {
        self.payload()?.get(tag)
    }

    pub(super) fn payload(&self) -> Option<Item<'_>> {
        Item::read(&mut &self.0[..])?.get(tag::BATCH_ITEM)?.get(tag::RESPONSE_PAYLOAD)
    }
}

fn broken() -> Failure {
    Failure::unavailable("its answer was not understood")
}

impl Connection<'_> {
    /// One operation.
    pub(super) fn call(&mut self, operation: Operation, payload: Out) -> Result<Answer, Failure> {
        let (major, minor) = self.server.version;
        let version = Out::new().integer(tag::PROTOCOL_VERSION_MAJOR, major).integer(tag::PROTOCOL_VERSION_MINOR, minor);
        let header = Out::new().structure(tag::PROTOCOL_VERSION, version).integer(tag::BATCH_COUNT, 1);
        let item = Out::new().enumeration(tag::OPERATION, operation as u32).structure(tag::REQUEST_PAYLOAD, payload);
        let message = Out::new().structure(tag::REQUEST_HEADER, header).structure(tag::BATCH_ITEM, item);
        let message = Out::new().structure(tag::REQUEST_MESSAGE, message);
        let sent = self.stream.write_all(message.bytes()).and_then(|()| self.stream.flush());
        sent.map_err(|e| self.server.explain(&e))?;

        let mut head = [0; 8];
        self.stream.read_exact(&mut head).map_err(|e| self.server.explain(&e))?;
        let [.., a, b, c, d] = head;
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if !head.starts_with(&[0x42, 0, 0x7B, 1]) || length > MAX_ANSWER {
            return Err(broken());
        }
        let mut whole = Zeroizing::new(vec![0; length.saturating_add(8)]);
        if let Some((start, rest)) = whole.split_first_chunk_mut::<8>() {
            *start = head;
            self.stream.read_exact(rest).map_err(|e| self.server.explain(&e))?;
        }
        let answer = Answer(whole);
        judge(operation, &answer)?;
        Ok(answer)
    }
}

/// Result Status, Reason and Message (KMIP 1.4, 6.9 to 6.11; reasons 9.1.3.2.29).
fn judge(operation: Operation, answer: &Answer) -> Result<(), Failure> {
    let message = Item::read(&mut &answer.0[..]).filter(|item| item.tag == tag::RESPONSE_MESSAGE).ok_or_else(broken)?;
    let item = message.get(tag::BATCH_ITEM).ok_or_else(broken)?;
    let status = item.get(tag::RESULT_STATUS).and_then(Item::enumeration).ok_or_else(broken)?;
    if status == 0 {
        return Ok(());
    }
    let reason = item.get(tag::RESULT_REASON).and_then(Item::enumeration).unwrap_or_default();
    let said = item.get(tag::RESULT_MESSAGE).and_then(Item::text).unwrap_or_default();
    let said: String = said.chars().filter(|c| !c.is_control()).take(300).collect();
    let what = format!("{operation:?}: {said} (reason {reason:#x})");
    // Servers before 2.0 have no reason of their own for keys in the wrong state.
    let inactive = matches!(reason, 0x0B | 0x0C | 0x43) && ["ctive", "tate", "evoked"].iter().any(|word| said.contains(word));
    Err(match reason {
        _ if inactive => Failure::disabled(what),
        0x01 | 0x36 | 0x37 => Failure::not_found(what),
        0x03 | 0x0C | 0x39 => Failure::refused(what),
        0x05 | 0x08 => Failure::unusable(format!("it cannot do that; {what}")),
        // It is the one operation whose input came from storage.
        0x07 | 0x0A | 0x0B | 0x100 if operation == Operation::Decrypt => Failure::damaged(what),
        0x0D => Failure::disabled(format!("the key is archived; {what}")),
        _ => Failure::unavailable(what),
    })
}
