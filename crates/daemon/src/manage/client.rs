//! The other end of the management socket, for `vtpmd state`.

use super::protocol::{Change, MAX_LINE, Present, VERSION, hex};
use crate::failure::{Failure, failure};
use core::mem::MaybeUninit;
use core::time::Duration;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::pipe::PipeFlags;
use sealwright_state::DataKey;
use serde_json::{Value, json};
use std::io::{ErrorKind, IoSlice, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A change waits for a command of the guest that runs; making an RSA key may take a while.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection to a vtpmd that runs.
pub(crate) struct Client {
    stream: UnixStream,
    place: String,
}

/// Why a connection did not come about.
pub(crate) enum NoClient {
    /// Nobody listens there.
    Nobody(Failure),
    /// Somebody does, or it cannot be told.
    Other(Failure),
}

impl Client {
    /// Connects to the management socket at `path`.
    pub(crate) fn connect(path: &Path) -> Result<Self, NoClient> {
        let place = path.display().to_string();
        let stream = UnixStream::connect(path).map_err(|e| {
            let failure = failure!("--manage: cannot connect to {place}: {e}");
            match e.kind() {
                ErrorKind::NotFound | ErrorKind::ConnectionRefused => NoClient::Nobody(failure),
                _ => NoClient::Other(failure),
            }
        })?;
        let set = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        set.map_err(|e| NoClient::Other(failure!("--manage: {place}: {e}")))?;
        Ok(Self { stream, place })
    }

    /// Sends one line, with a descriptor if there is one, and takes the answer.
    fn ask(&mut self, request: &Value, descriptor: Option<BorrowedFd<'_>>) -> Result<Value, Failure> {
        let lost = |e: &dyn core::fmt::Display| {
            failure!(
                "{}: the vtpmd there gave no answer ({e}). If a change was asked for, the state has the old keys or the \
                 new ones, whole: vtpmd state show tells which",
                self.place
            )
        };
        let line = format!("{request}\n");
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors: Vec<BorrowedFd<'_>> = descriptor.into_iter().collect();
        if !descriptors.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(&descriptors));
        }
        // The descriptor goes with the first bytes; a line that does not fit is sent to its end without it.
        let mut rest = line.as_bytes();
        while !rest.is_empty() {
            let sent = rustix::net::sendmsg(&self.stream, &[IoSlice::new(rest)], &mut control, SendFlags::NOSIGNAL);
            rest = rest.get(sent.map_err(|e| lost(&e))?..).unwrap_or_default();
            control.clear();
        }
        let mut answer = Vec::new();
        let mut chunk = [0; 4096];
        while !answer.ends_with(b"\n") {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(lost(&"it closed the connection")),
                Ok(n) => answer.extend_from_slice(chunk.get(..n).unwrap_or_default()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(lost(&e)),
            }
            if answer.len() > MAX_LINE.saturating_mul(2) {
                return Err(lost(&"its answer has no end"));
            }
        }
        let answer: Value = serde_json::from_slice(&answer).map_err(|e| lost(&e))?;
        if let Some(found) = answer.get("ok") {
            return Ok(found.clone());
        }
        let message = answer.pointer("/error/message").and_then(Value::as_str);
        Err(failure!("{}: {}", self.place, message.unwrap_or("the vtpmd there refused, and did not say why")))
    }

    /// What the data key is now, and what a proof must be about.
    pub(crate) fn present(&mut self) -> Result<Present, Failure> {
        let answer = self.ask(&json!({ "version": VERSION, "request": "key" }), None)?;
        Present::from_json(&answer).ok_or_else(|| failure!("{}: the answer was not understood", self.place))
    }

    /// Changes the keys. `opened` is the present data key, if there is one.
    pub(crate) fn change(
        &mut self,
        present: &Present,
        change: &Change,
        opened: Option<&DataKey>,
    ) -> Result<(), Failure> {
        let mut request = change.to_json(present.id());
        if let (Some(opened), Some(fields)) = (opened, request.as_object_mut()) {
            let proof = opened.prove(&change.statement(&present.challenge, present.id()));
            fields.insert("proof".to_owned(), hex(&proof).into());
        }
        let pipe = match change {
            Change::Reseal { key, .. } => Some(filled_pipe(key)?),
            Change::Rewrap(_) | Change::Plain { .. } => None,
        };
        self.ask(&request, pipe.as_ref().map(AsFd::as_fd)).map(|_| ())
    }
}

/// The reading end of a pipe that holds the key.
fn filled_pipe(key: &DataKey) -> Result<OwnedFd, Failure> {
    let made = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)
        .and_then(|(read, write)| rustix::io::write(&write, key.expose()).map(|n| (n, read)));
    match made {
        Ok((32, read)) => Ok(read),
        Ok(_) => Err(failure!("cannot hand over the data key: the pipe took a part of it only")),
        Err(e) => Err(failure!("cannot hand over the data key: {e}")),
    }
}
