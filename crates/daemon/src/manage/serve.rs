//! The thread of the management socket: many clients, none waited for.

use super::connection::{Connection, Incoming, WHOLE};
use super::protocol::{Refusal, answer};
use super::service::Service;
use crate::listen::Listener;
use crate::log::{say, trace};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use std::time::Instant;

/// More than this, and who was silent for longest is dropped.
const MOST_CLIENTS: usize = 8;

/// Serves the socket on a thread of its own. If that fails, the TPM goes on without it.
pub(crate) fn start(listener: Listener, service: Service) -> std::io::Result<()> {
    // Who connects may be gone before it is accepted; that is not waited for.
    let flags = rustix::fs::fcntl_getfl(listener.as_fd())?;
    rustix::fs::fcntl_setfl(listener.as_fd(), flags | rustix::fs::OFlags::NONBLOCK)?;
    let run = move || {
        let error = serve(&listener, &service);
        say!("the management socket has ended: {error}; the TPM goes on without it");
    };
    std::thread::Builder::new().name("manage".to_owned()).spawn(run).map(|_| ())
}

/// True if the other end belongs to this user or to root.
fn is_allowed(fd: &impl AsFd, own: u32) -> bool {
    getsockopt(fd, PeerCredentials).is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own)
}

fn timeout(clients: &[Connection]) -> Option<Timespec> {
    let next = clients.iter().filter_map(Connection::deadline).min()?;
    Timespec::try_from(next.saturating_duration_since(Instant::now())).ok()
}

/// Ends with the error that made it impossible to go on.
fn serve(listener: &Listener, service: &Service) -> Errno {
    let mut clients: Vec<Connection> = Vec::new();
    loop {
        let mut waiting = vec![PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN)];
        waiting.extend(clients.iter().map(|client| PollFd::from_borrowed_fd(client.as_fd(), PollFlags::IN)));
        match poll(&mut waiting, timeout(&clients).as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return error,
        }
        let mut ready = waiting.iter().map(|fd| !fd.revents().is_empty());
        let comes = ready.next() == Some(true);
        let ready: Vec<bool> = ready.collect();
        let mut ready = ready.into_iter();
        clients.retain_mut(|client| match ready.next() {
            Some(true) => step(client, service),
            _ => true,
        });
        let now = Instant::now();
        clients.retain(|client| {
            let late = client.deadline().is_some_and(|deadline| deadline <= now);
            if late {
                let why = format!("the line was not complete within {} s", WHOLE.as_secs());
                client.send(&answer(Err(Refusal::malformed(why))));
            }
            !late
        });
        if comes {
            match listener.accept() {
                Ok(fd) => enter(fd, service.user, &mut clients),
                Err(Errno::AGAIN) => {}
                Err(error) => return error,
            }
        }
    }
}

/// Lets a client in, or says why not.
fn enter(fd: OwnedFd, user: u32, clients: &mut Vec<Connection>) {
    let client = Connection::new(fd);
    if !is_allowed(&client, user) {
        // Not at the usual level: it is others who could fill the log by this.
        trace!(1, "a client of another user was refused at the management socket");
        let why = "only the user of this program and root may ask here";
        client.send(&answer(Err(Refusal::new("denied", why))));
        return;
    }
    if clients.len() >= MOST_CLIENTS
        && let Some(oldest) = clients.iter().enumerate().min_by_key(|(_, client)| client.used).map(|(at, _)| at)
    {
        trace!(1, "too many clients of the management socket: the one that was silent for longest is dropped");
        clients.remove(oldest);
    }
    clients.push(client);
}

/// Reads from a client and answers its complete lines; false if it is to be dropped.
fn step(client: &mut Connection, service: &Service) -> bool {
    match client.receive() {
        Incoming::More => {}
        Incoming::TooLong => {
            client.send(&answer(Err(Refusal::malformed("the line is too long"))));
            return false;
        }
        Incoming::Gone => return false,
    }
    while let Some(line) = client.line() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let outcome = service.handle(&line, client);
        // What came with a line is for that line.
        client.descriptor = None;
        if !client.send(&answer(outcome)) {
            return false;
        }
    }
    true
}
