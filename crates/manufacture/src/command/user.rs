//! Who runs this, and the change to another user.

use crate::failure::{Failure, failure};
use rustix::fs::{Gid, Uid};
use std::path::PathBuf;

/// The lines of a file like `/etc/passwd`, as their fields.
fn entries(file: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect()
}

fn number(fields: &[String], at: usize) -> Option<u32> {
    fields.get(at)?.parse().ok()
}

fn entry_of(file: &str, id: u32) -> Option<Vec<String>> {
    entries(file).into_iter().find(|fields| number(fields, 2) == Some(id))
}

fn first(entry: Option<Vec<String>>) -> String {
    entry.and_then(|fields| fields.into_iter().next()).unwrap_or_else(|| "<unknown>".to_owned())
}

/// Name of the user.
pub(crate) fn name() -> String {
    first(entry_of("/etc/passwd", rustix::process::geteuid().as_raw()))
}

/// Name of the user's group.
pub(super) fn group() -> String {
    first(entry_of("/etc/group", rustix::process::getegid().as_raw()))
}

/// The user's home.
pub(crate) fn home() -> Option<PathBuf> {
    entry_of("/etc/passwd", rustix::process::getuid().as_raw())?.get(5).map(PathBuf::from)
}

/// True for root.
pub(super) fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// Keeps what is in this process's memory, seeds of TPMs and keys of CAs, out of core dumps and away from other processes of
/// the user.
pub(super) fn protect() -> Result<(), Failure> {
    if sealwright_keys::protect(false).no_dumps { Ok(()) } else { Err(failure!("cannot switch off core dumps")) }
}

/// Becomes this user, by name or number, for ever. Called before any other thread exists: the system call is for one
/// thread, and threads inherit.
pub(super) fn become_user(user: &str) -> Result<(), Failure> {
    let known = entries("/etc/passwd").into_iter().find(|fields| fields.first().is_some_and(|name| name == user));
    let (uid, gid, account) = match (known, user.parse::<u32>()) {
        (Some(fields), _) => match (number(&fields, 2), number(&fields, 3)) {
            (Some(uid), Some(gid)) => (uid, gid, fields.into_iter().next()),
            _ => return Err(failure!("Error: the entry of user '{user}' in /etc/passwd is damaged.")),
        },
        // As swtpm does: the group of the same number.
        (None, Ok(id)) => (id, id, None),
        (None, Err(_)) => return Err(failure!("Error: User '{user}' does not exist.")),
    };
    if rustix::process::getuid().as_raw() == uid && rustix::process::getgid().as_raw() == gid {
        return Ok(());
    }
    let mut groups = vec![Gid::from_raw(gid)];
    for group in entries("/etc/group") {
        let member =
            group.get(3).is_some_and(|members| members.split(',').any(|member| Some(member) == account.as_deref()));
        groups.extend(number(&group, 2).filter(|_| member).map(Gid::from_raw));
    }
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    rustix::thread::set_thread_groups(&groups)
        .and_then(|()| rustix::thread::set_thread_res_gid(gid, gid, gid))
        .and_then(|()| rustix::thread::set_thread_res_uid(uid, uid, uid))
        .map_err(|error| failure!("Error: cannot change to user '{user}': {error}"))?;
    // The change may have undone it (fs.suid_dumpable).
    protect()
}
