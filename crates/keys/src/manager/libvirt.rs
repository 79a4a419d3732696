//! `libvirt:UUID` and `libvirt:vtpm/NAME`: a secret that libvirt keeps on this host.
//!
//! The secret is asked for over libvirt's own socket protocol (XDR over a Unix socket), whose numbers have stayed the same
//! since 2009, because old clients must reach new daemons. That needs no client library, which is LGPL, and no `virsh`,
//! which a sandboxed process may not start.

use core::time::Duration;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Instant;

use sealwright_state::key::{KeyContext, KeyId, KeyManager, WrappedKey};
use zeroize::Zeroizing;

use super::Scheme;
use crate::address::{Address, AddressFault, Template};
use crate::failure::Failure;
use crate::given::{Form, passphrase_options};
use crate::keeper::{Claim, Envelope, Keeper, Kept};
use crate::local::{Sealed, Stretch};
use crate::secret::{Secret, from_hex};

pub(super) static SCHEMES: &[Scheme] = &[Scheme {
    name: "libvirt",
    about: "a secret that libvirt keeps on this host, by UUID or by its usage vtpm",
    example: "libvirt:vtpm/{vm}",
    open: Some(open),
}];

/// Where the daemons listen: the one for secrets, and the one for everything.
const SOCKETS: &[&str] = &["/run/libvirt/virtsecretd-sock", "/run/libvirt/libvirt-sock"];
/// The number of the protocol, and its version.
const PROGRAM: u32 = 0x2000_8086;
const VERSION: u32 = 1;
/// VIR_SECRET_USAGE_TYPE_VTPM.
const USAGE_VTPM: u32 = 5;
/// VIR_ERR_NO_SECRET.
const NO_SECRET: u32 = 66;
/// More than any answer that is wanted: a secret has at most 64 KiB.
const MAX_MESSAGE: usize = 256 * 1024;

/// Procedures of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Procedure {
    Open = 1,
    AuthList = 66,
    AuthPolkit = 70,
    LookupByUuid = 141,
    GetValue = 145,
    Undefine = 146,
    LookupByUsage = 147,
}

fn open(address: &mut Address) -> Result<Box<dyn KeyManager>, AddressFault> {
    let place = address.plain_place()?;
    let which = match place.split_once('/') {
        Some(("vtpm", name)) if !name.is_empty() => Which::Usage(Template::new(name)),
        None => Which::Uuid(uuid_bytes(&place).ok_or_else(|| address.fault("must be libvirt:UUID or libvirt:vtpm/NAME"))?),
        _ => return Err(address.fault("must be libvirt:UUID or libvirt:vtpm/NAME")),
    };
    let socket = address.take_path("socket");
    let uri = address.take("uri").unwrap_or_else(|| "secret:///system".to_owned());
    let form = passphrase_options(address)?;
    let timeout = address.take_timeout()?;
    Ok(Box::new(Envelope(Libvirt { which, socket, uri, form, timeout })))
}

fn uuid_bytes(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    from_hex(digits.as_bytes())?.as_slice().try_into().ok()
}

fn uuid_text(bytes: [u8; 16]) -> String {
    sealwright_state::VmId::from_uuid(bytes).as_str().to_owned()
}

enum Which {
    Uuid([u8; 16]),
    Usage(Template),
}

struct Libvirt {
    which: Which,
    socket: Option<PathBuf>,
    uri: String,
    form: Form,
    timeout: Duration,
}

/// What names a secret in calls: UUID, usage type, usage name.
struct Found {
    uuid: [u8; 16],
    usage: u32,
    name: Vec<u8>,
}

impl Found {
    fn read(xdr: &mut Xdr<'_>) -> Option<Self> {
        Some(Self { uuid: *xdr.0.split_off(..16)?.first_chunk()?, usage: xdr.u32()?, name: xdr.opaque()?.to_vec() })
    }

    fn write(&self) -> Vec<u8> {
        let mut out = self.uuid.to_vec();
        out.extend(self.usage.to_be_bytes());
        put(&mut out, &self.name);
        out
    }
}

/// Bytes with their length, padded to whole words (RFC 4506, 4.10).
fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(bytes);
    out.resize(out.len().next_multiple_of(4), 0);
}

struct Xdr<'a>(&'a [u8]);

impl<'a> Xdr<'a> {
    fn u32(&mut self) -> Option<u32> {
        let (head, tail) = self.0.split_first_chunk::<4>()?;
        self.0 = tail;
        Some(u32::from_be_bytes(*head))
    }

    fn opaque(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        let (all, tail) = self.0.split_at_checked(length.checked_next_multiple_of(4)?)?;
        self.0 = tail;
        all.get(..length)
    }
}

/// One connection to a daemon.
struct Connection {
    stream: UnixStream,
    serial: u32,
    deadline: Instant,
    timeout: Duration,
}

fn broken() -> Failure {
    Failure::unavailable("its answer was not understood")
}

impl Connection {
    fn io(&self, error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Failure::timeout(self.timeout),
            _ => Failure::unavailable(format!("the connection to libvirt broke: {error}")),
        }
    }

    /// Sets the time that is left for the next read or write.
    fn hurry(&self) -> Result<(), Failure> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure::timeout(self.timeout));
        }
        let set = self.stream.set_read_timeout(Some(left)).and_then(|()| self.stream.set_write_timeout(Some(left)));
        set.map_err(|e| self.io(&e))
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<(), Failure> {
        let mut at = 0_usize;
        while let Some(room) = out.get_mut(at..).filter(|room| !room.is_empty()) {
            self.hurry()?;
            match self.stream.read(room) {
                Ok(0) => return Err(Failure::unavailable("libvirt closed the connection")),
                Ok(n) => at = at.saturating_add(n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.io(&e)),
            }
        }
        Ok(())
    }

    fn call(&mut self, procedure: Procedure, arguments: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
        self.serial = self.serial.wrapping_add(1);
        let length = u32::try_from(arguments.len().saturating_add(28)).unwrap_or(u32::MAX);
        // Length, program, version, procedure, type (0 a call, 1 a reply), serial, status (0 good, 1 an error).
        let header = [length, PROGRAM, VERSION, procedure as u32, 0, self.serial, 0];
        let message: Vec<u8> = header.iter().flat_map(|word| word.to_be_bytes()).chain(arguments.iter().copied()).collect();
        self.hurry()?;
        self.stream.write_all(&message).map_err(|e| self.io(&e))?;
        loop {
            let mut header = [0; 28];
            self.fill(&mut header)?;
            let mut xdr = Xdr(&header);
            let length = xdr.u32().and_then(|n| usize::try_from(n).ok()).and_then(|n| n.checked_sub(28));
            let length = length.filter(|n| *n <= MAX_MESSAGE).ok_or_else(broken)?;
            let mut words = [0; 6];
            for word in &mut words {
                *word = xdr.u32().ok_or_else(broken)?;
            }
            let mut body = Zeroizing::new(vec![0; length]);
            self.fill(&mut body)?;
            match words {
                [PROGRAM, VERSION, number, 1, serial, status] if number == procedure as u32 && serial == self.serial => {
                    return if status == 0 { Ok(body) } else { Err(refusal(procedure, &body)) };
                }
                // Events and keep-alives may come in between.
                [_, _, _, 2, ..] => {}
                _ => return Err(broken()),
            }
        }
    }

    fn log_in(&mut self, uri: &str) -> Result<(), Failure> {
        let ways = self.call(Procedure::AuthList, &[])?;
        let mut ways = Xdr(&ways);
        let count = ways.u32().filter(|count| *count <= 20).ok_or_else(broken)?;
        let ways: Option<Vec<u32>> = (0..count).map(|_| ways.u32()).collect();
        let ways = ways.ok_or_else(broken)?;
        if !ways.is_empty() && !ways.contains(&0) {
            if !ways.contains(&2) {
                return Err(Failure::refused("libvirt wants a SASL login; let this user in by polkit or by auth_unix_rw"));
            }
            self.call(Procedure::AuthPolkit, &[])?;
        }
        let mut arguments = 1_u32.to_be_bytes().to_vec();
        put(&mut arguments, uri.as_bytes());
        arguments.extend(0_u32.to_be_bytes());
        self.call(Procedure::Open, &arguments).map(drop)
    }
}

/// The error that libvirt sent: code, domain, message.
fn refusal(procedure: Procedure, body: &[u8]) -> Failure {
    let mut xdr = Xdr(body);
    let (code, _domain, present) = (xdr.u32(), xdr.u32(), xdr.u32());
    let message = if present == Some(1) { xdr.opaque().unwrap_or_default() } else { &[] };
    let message: String = String::from_utf8_lossy(message).chars().filter(|c| !c.is_control()).take(300).collect();
    match code {
        Some(_) if message.contains("private") => Failure::refused(format!(
            "{message}: libvirt gives private secrets only to what it starts itself; define the secret with private='no'"
        )),
        Some(_) if procedure == Procedure::GetValue && message.contains("does not have a value") => {
            Failure::unusable(format!("{message}; set it with virsh secret-set-value"))
        }
        Some(NO_SECRET) => Failure::not_found(message),
        Some(_) => Failure::refused(message),
        None => broken(),
    }
}

impl Libvirt {
    fn connect(&self) -> Result<Connection, Failure> {
        let deadline = Instant::now().checked_add(self.timeout).unwrap_or_else(Instant::now);
        let paths: Vec<PathBuf> = match &self.socket {
            Some(path) => vec![path.clone()],
            None => SOCKETS.iter().map(PathBuf::from).collect(),
        };
        let mut last = None;
        for path in &paths {
            match UnixStream::connect(path) {
                Ok(stream) => {
                    let mut connection = Connection { stream, serial: 0, deadline, timeout: self.timeout };
                    connection.log_in(&self.uri)?;
                    return Ok(connection);
                }
                Err(e) => last = Some(format!("{}: {e}", path.display())),
            }
        }
        Err(Failure::unavailable(last.unwrap_or_default()))
    }

    fn find(connection: &mut Connection, procedure: Procedure, arguments: &[u8]) -> Result<Found, Failure> {
        let answer = connection.call(procedure, arguments)?;
        Found::read(&mut Xdr(&answer)).ok_or_else(broken)
    }

    fn value(&self, connection: &mut Connection, found: &Found) -> Result<Secret, Failure> {
        let mut arguments = found.write();
        arguments.extend(0_u32.to_be_bytes());
        let answer = connection.call(Procedure::GetValue, &arguments)?;
        let value = Xdr(&answer).opaque().ok_or_else(broken)?;
        self.form.read(&Secret::new(value.to_vec()))
    }

    fn stretch(&self) -> Stretch {
        if let Form::Passphrase(stretch) = self.form { stretch } else { Stretch::ARGON2ID }
    }
}

impl Keeper for Libvirt {
    fn name(&self) -> &'static str {
        "libvirt"
    }

    fn key(&self, context: &KeyContext) -> KeyId {
        let name = match &self.which {
            Which::Uuid(uuid) => uuid_text(*uuid),
            Which::Usage(name) => format!("vtpm/{}", name.fill(context)),
        };
        KeyId::new(name).unwrap_or_default()
    }

    fn keep(&self, context: &KeyContext) -> Result<Kept, Failure> {
        let mut connection = self.connect()?;
        let found = match &self.which {
            Which::Uuid(uuid) => Self::find(&mut connection, Procedure::LookupByUuid, uuid)?,
            Which::Usage(name) => {
                let mut arguments = USAGE_VTPM.to_be_bytes().to_vec();
                put(&mut arguments, name.fill(context).as_bytes());
                Self::find(&mut connection, Procedure::LookupByUsage, &arguments)?
            }
        };
        let secret = self.value(&mut connection, &found)?;
        let key = KeyId::new(uuid_text(found.uuid)).unwrap_or_default();
        Ok(Kept { key, version: 0, secret, stretch: self.stretch(), token: Vec::new() })
    }

    fn recover(&self, claim: &Claim<'_>) -> Result<Secret, Failure> {
        let uuid = uuid_bytes(claim.key.as_str()).ok_or_else(|| Failure::damaged("it names no secret of libvirt"))?;
        let mut connection = self.connect()?;
        let found = Self::find(&mut connection, Procedure::LookupByUuid, &uuid)?;
        self.value(&mut connection, &found)
    }

    fn is_outdated(&self, wrapped: &WrappedKey, _sealed: &Sealed<'_>) -> bool {
        matches!(self.which, Which::Uuid(uuid) if uuid_text(uuid) != wrapped.key_id.as_str())
    }

    fn destroy(&self, key: &KeyId) -> Result<(), Failure> {
        let uuid = uuid_bytes(key.as_str()).ok_or_else(|| Failure::not_found("that is no UUID"))?;
        let shared = || Failure::unsupported(format!("destroy the secret {key}, because other VMs may use it"));
        let Which::Usage(template) = &self.which else { return Err(shared()) };
        let mut connection = self.connect()?;
        let found = Self::find(&mut connection, Procedure::LookupByUuid, &uuid)?;
        let name = String::from_utf8_lossy(&found.name);
        if found.usage != USAGE_VTPM || !template.made(&name) {
            return Err(shared());
        }
        connection.call(Procedure::Undefine, &found.write()).map(drop)
    }
}

#[cfg(test)]
#[path = "libvirt_tests.rs"]
mod tests;
