//! Users and groups by name or number, and the change to another user.

use crate::failure::{Failure, failure};
use rustix::fs::{Gid, Uid};

/// The fields of the line of `name` in a file like `/etc/passwd`.
fn entry(file: &str, name: &str) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(file).ok()?;
    let found = text.lines().map(|l| l.split(':').map(str::to_owned).collect::<Vec<_>>());
    found.into_iter().find(|fields| fields.first().is_some_and(|f| f == name))
}

fn number(fields: &[String], at: usize) -> Option<u32> {
    fields.get(at)?.parse().ok()
}

/// A user id of a name or number.
pub(crate) fn uid(text: &str) -> Result<Uid, Failure> {
    let id = text.parse().ok().or_else(|| number(&entry("/etc/passwd", text)?, 2));
    id.map(Uid::from_raw).ok_or_else(|| failure!("there is no user '{text}'"))
}

/// A group id of a name or number.
pub(crate) fn gid(text: &str) -> Result<Gid, Failure> {
    let id = text.parse().ok().or_else(|| number(&entry("/etc/group", text)?, 2));
    id.map(Gid::from_raw).ok_or_else(|| failure!("there is no group '{text}'"))
}

/// An account to run as.
#[derive(Debug)]
pub(crate) struct Account {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl Account {
    /// The account of a user name or number, from `/etc/passwd` and `/etc/group`.
    pub(crate) fn find(name: &str) -> Result<Self, Failure> {
        let unknown = || failure!("--runas: there is no user '{name}'");
        let by_number = || {
            let text = std::fs::read_to_string("/etc/passwd").ok()?;
            let mut lines = text.lines().map(|l| l.split(':').map(str::to_owned).collect::<Vec<_>>());
            lines.find(|fields| fields.get(2).is_some_and(|f| f == name))
        };
        let fields = entry("/etc/passwd", name).or_else(by_number).ok_or_else(unknown)?;
        let (Some(uid), Some(gid)) = (number(&fields, 2), number(&fields, 3)) else { return Err(unknown()) };
        let user = fields.first().map(String::as_str).unwrap_or_default();
        let mut groups = vec![Gid::from_raw(gid)];
        for line in std::fs::read_to_string("/etc/group").unwrap_or_default().lines() {
            let group: Vec<String> = line.split(':').map(str::to_owned).collect();
            let member = group.get(3).is_some_and(|m| m.split(',').any(|m| m == user));
            if let (true, Some(id)) = (member, number(&group, 2)) {
                groups.push(Gid::from_raw(id));
            }
        }
        Ok(Self { uid: Uid::from_raw(uid), gid: Gid::from_raw(gid), groups })
    }

    /// Becomes this account for ever. Called before any other thread exists: the system call is for one thread, and
    /// threads inherit.
    pub(crate) fn become_it(&self) -> Result<(), Failure> {
        let changed = rustix::thread::set_thread_groups(&self.groups)
            .and_then(|()| rustix::thread::set_thread_res_gid(self.gid, self.gid, self.gid))
            .and_then(|()| rustix::thread::set_thread_res_uid(self.uid, self.uid, self.uid));
        changed.map_err(|e| failure!("--runas: cannot change to user {}: {e}", self.uid.as_raw()))
    }
}
