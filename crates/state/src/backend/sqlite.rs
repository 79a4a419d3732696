//! Journals as rows of an SQLite database, many VMs in one: for a control plane. A commit is one transaction that also
//! checks the epoch, so here the epoch leaves no gap.

use super::{Backend, Durability, Stored};
use crate::error::StateError;
use crate::identity::{Kind, VmId};
use crate::lease::{Holder, Lease};
use core::time::Duration;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params};
use std::path::Path;

const SCHEMA: &str = "\
CREATE TABLE IF NOT EXISTS state_journal (
    vm TEXT NOT NULL, kind INTEGER NOT NULL, at INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (vm, kind, at));
CREATE TABLE IF NOT EXISTS state_lease (
    vm TEXT NOT NULL, kind INTEGER NOT NULL, note BLOB NOT NULL, process TEXT NOT NULL, PRIMARY KEY (vm, kind));";
/// How long a transaction waits for another one.
const PATIENCE: Duration = Duration::from_secs(10);

/// A back end in a database.
pub struct Sqlite {
    database: Connection,
    place: String,
    vm: VmId,
    kind: Kind,
    locked: bool,
    epoch: u64,
    lease: Option<Lease>,
}

impl Sqlite {
    /// The state of this VM and kind in a database, which is made if it is not there.
    pub fn open(path: &Path, vm: VmId, kind: Kind, durability: Durability) -> Result<Self, StateError> {
        let place = format!("{} ({kind} of VM {vm})", path.display());
        let made = Connection::open(path).and_then(|database| {
            database.busy_timeout(PATIENCE)?;
            database.pragma_update(None, "journal_mode", "wal")?;
            let synchronous = match durability {
                Durability::None => "off",
                Durability::Data => "full",
                Durability::Full => "extra",
            };
            database.pragma_update(None, "synchronous", synchronous)?;
            database.execute_batch(SCHEMA)?;
            Ok(database)
        });
        let database = made.map_err(|e| fault(&place, "opening", &e))?;
        Ok(Self { database, place, vm, kind, locked: false, epoch: 0, lease: None })
    }

    fn not_open(&self, what: &'static str) -> StateError {
        StateError::NotOpen { place: self.place.clone(), what }
    }

    /// One transaction that is undone unless the lease is still ours.
    fn write<T>(
        &mut self,
        what: &'static str,
        change: impl FnOnce(&Transaction<'_>, &str, u8) -> rusqlite::Result<T>,
    ) -> Result<T, StateError> {
        if !self.locked {
            return Err(self.not_open("writing without the lock"));
        }
        let failed = |e: rusqlite::Error| fault(&self.place, what, &e);
        let (vm, kind) = (self.vm.as_str(), self.kind as u8);
        let transaction = self.database.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let lease = noted(&transaction, vm, kind).map_err(failed)?.map(|(lease, _)| lease);
        if let Some(newer) = lease.as_ref().filter(|l| l.epoch > self.epoch) {
            return Err(StateError::Fenced {
                place: self.place.clone(),
                mine: self.epoch,
                found: newer.epoch,
                holder: Lease::who(Some(newer)),
            });
        }
        let done = change(&transaction, vm, kind).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(done)
    }

    fn write_lease(&mut self, what: &'static str, lease: &Lease) -> Result<(), StateError> {
        let (note, process) = (lease.encode(), this_process());
        self.write(what, |t, vm, kind| put_lease(t, vm, kind, &note, &process))?;
        self.lease = Some(lease.clone());
        Ok(())
    }
}

fn fault(place: &str, what: &'static str, error: &rusqlite::Error) -> StateError {
    let (place, why) = (place.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::TooBig) => StateError::Full { place, why },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => StateError::ReadOnly { place, why },
        Some(ErrorCode::NotADatabase) => {
            StateError::Foreign { place, expected: "an SQLite database".to_owned(), found: "something else".to_owned() }
        }
        Some(ErrorCode::DatabaseCorrupt) => StateError::Damaged { place, why },
        _ => StateError::Io { place, what, why },
    }
}

/// The note, and which process left it.
fn noted(database: &Connection, vm: &str, kind: u8) -> rusqlite::Result<Option<(Lease, String)>> {
    let row = database
        .query_row("SELECT note, process FROM state_lease WHERE vm = ?1 AND kind = ?2", params![vm, kind], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?))
        })
        .optional()?;
    Ok(row.and_then(|(note, process)| Some((Lease::decode(&note)?, process))))
}

fn put_lease(database: &Connection, vm: &str, kind: u8, note: &[u8], process: &str) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO state_lease (vm, kind, note, process) VALUES (?1, ?2, ?3, ?4)";
    database.execute(sql, params![vm, kind, note, process]).map(|_| ())
}

/// This process, so that it is not taken for a later one of the same number: the host's start, and its own.
fn this_process() -> String {
    process(std::process::id()).unwrap_or_default()
}

fn process(pid: u32) -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before the last parenthesis may hold spaces; the start is the 20th field behind it.
    let started = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.to_owned();
    Some(format!("{} {pid} {started}", boot.trim()))
}

/// True if the holder is surely gone: it ran on this host, since its last start or an earlier one, and does not run now.
fn is_gone(lease: &Lease, left_by: &str) -> bool {
    let Some(holder) = &lease.holder else { return true };
    holder.host == Holder::here().host && process(holder.pid).as_deref() != Some(left_by)
}

impl Backend for Sqlite {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn open(&mut self) -> Result<Option<Stored>, StateError> {
        let read = || {
            let sql = "SELECT at, bytes FROM state_journal WHERE vm = ?1 AND kind = ?2 ORDER BY at";
            let mut statement = self.database.prepare_cached(sql)?;
            let mut rows = statement.query(params![self.vm.as_str(), self.kind as u8])?;
            let mut journal: Option<Vec<u8>> = None;
            while let Some(row) = rows.next()? {
                let at = usize::try_from(row.get::<_, i64>(0)?).unwrap_or(usize::MAX);
                let journal = journal.get_or_insert_default();
                // Only zeros are between rows, up to a whole block.
                if at > journal.len() && at.saturating_sub(journal.len()) < crate::format::BLOCK {
                    journal.resize(at, 0);
                }
                journal.extend(row.get::<_, Vec<u8>>(1)?);
            }
            Ok(journal.map(Stored::Whole))
        };
        read().map_err(|e| fault(&self.place, "reading", &e))
    }

    fn read_at(&mut self, at: u64, length: usize) -> Result<Vec<u8>, StateError> {
        let from = i64::try_from(at).unwrap_or(i64::MAX);
        let sql =
            "SELECT at, bytes FROM state_journal WHERE vm = ?1 AND kind = ?2 AND at <= ?3 ORDER BY at DESC LIMIT 1";
        let row = self.database.prepare_cached(sql).and_then(|mut statement| {
            let of = params![self.vm.as_str(), self.kind as u8, from];
            statement.query_row(of, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))).optional()
        });
        let row = row.map_err(|e| fault(&self.place, "reading", &e))?;
        let found = row.and_then(|(begin, bytes)| {
            let offset = usize::try_from(from.checked_sub(begin)?).ok()?;
            bytes.get(offset..offset.checked_add(length)?).map(<[u8]>::to_vec)
        });
        let gone = || StateError::Torn { place: self.place.clone(), why: "a record is not there any more".to_owned() };
        found.ok_or_else(gone)
    }

    fn append(&mut self, at: u64, bytes: &[u8]) -> Result<(), StateError> {
        let at = i64::try_from(at).unwrap_or(i64::MAX);
        self.write("writing", |t, vm, kind| {
            t.prepare_cached("INSERT INTO state_journal (vm, kind, at, bytes) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![vm, kind, at, bytes])
                .map(|_| ())
        })
    }

    fn discard(&mut self, at: u64, _: usize) {
        let at = i64::try_from(at).unwrap_or(i64::MAX);
        // If this fails too, the journal is replaced before the next write all the same.
        let _ = self.write("wiping", |t, vm, kind| {
            t.execute("DELETE FROM state_journal WHERE vm = ?1 AND kind = ?2 AND at >= ?3", params![vm, kind, at])
        });
    }

    fn replace(&mut self, bytes: &[u8], _: u64) -> Result<(), StateError> {
        self.write("replacing", |t, vm, kind| {
            t.execute("DELETE FROM state_journal WHERE vm = ?1 AND kind = ?2", params![vm, kind])?;
            let sql = "INSERT INTO state_journal (vm, kind, at, bytes) VALUES (?1, ?2, 0, ?3)";
            t.execute(sql, params![vm, kind, bytes]).map(|_| ())
        })
    }

    fn remove(&mut self) -> Result<(), StateError> {
        let note = self.lease.clone().map(|l| Lease { present: false, ..l });
        let (encoded, process) = (note.as_ref().map(Lease::encode), this_process());
        self.write("removing", |t, vm, kind| {
            t.execute("DELETE FROM state_journal WHERE vm = ?1 AND kind = ?2", params![vm, kind])?;
            encoded.map_or(Ok(()), |note| put_lease(t, vm, kind, &note, &process))
        })?;
        self.lease = note;
        Ok(())
    }

    fn reserves(&self) -> bool {
        false
    }

    fn lock(&mut self) -> Result<Option<Lease>, StateError> {
        if self.locked {
            return Ok(self.lease.clone());
        }
        let failed = |e: rusqlite::Error| fault(&self.place, "locking", &e);
        let (vm, kind) = (self.vm.as_str(), self.kind as u8);
        let transaction = self.database.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let before = noted(&transaction, vm, kind).map_err(failed)?;
        if let Some((lease, _)) = before.as_ref().filter(|(lease, left_by)| !is_gone(lease, left_by)) {
            return Err(StateError::Locked { place: self.place.clone(), holder: Lease::who(Some(lease)) });
        }
        let before = before.map(|(lease, _)| lease);
        let (epoch, present) = before.as_ref().map_or((0, false), |l| (l.epoch, l.present));
        let mine = Lease { epoch, present, holder: Some(Holder::here()) };
        put_lease(&transaction, vm, kind, &mine.encode(), &this_process()).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        self.locked = true;
        self.epoch = self.epoch.max(epoch);
        self.lease = Some(mine);
        Ok(before)
    }

    fn claim(&mut self, lease: &Lease) -> Result<(), StateError> {
        // Before the note is written: a commit whose answer is lost may have written it all the same.
        self.epoch = self.epoch.max(lease.epoch);
        self.write_lease("claiming", lease)
    }

    fn unlock(&mut self) {
        if self.locked {
            if let Some(lease) = self.lease.clone() {
                let _ = self.write_lease("unlocking", &Lease { holder: None, ..lease });
            }
            self.locked = false;
        }
    }

    fn is_locked(&self) -> bool {
        self.locked
    }

    fn lease(&mut self) -> Option<Lease> {
        if self.locked {
            return self.lease.clone();
        }
        noted(&self.database, self.vm.as_str(), self.kind as u8).ok()?.map(|(lease, _)| lease)
    }

    fn trace(&mut self) -> Option<String> {
        let lease = self.lease().filter(|l| l.present)?;
        Some(format!("the database says that there has been one, written by epoch {}", lease.epoch))
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ByteKey, Place};
    use crate::{KeyManager, Settings, Store};
    use std::sync::Arc;

    fn open(place: &Place, vm: &str) -> Sqlite {
        Sqlite::open(&place.file("db"), VmId::new(vm).unwrap(), Kind::Tpm, Durability::Data).unwrap()
    }

    #[test]
    fn many_states_share_a_database() {
        let place = Place::new("rows");
        let store = |vm: &str| {
            let keys: Arc<dyn KeyManager> = Arc::new(ByteKey(3));
            Store::new(Box::new(open(&place, vm)), Some(keys), Settings::new(Kind::Tpm))
        };
        let mut both = ["a", "b"].map(store);
        for (n, one) in (1..).zip(&mut both) {
            one.lock().unwrap();
            one.create(&[n; 100], "new").unwrap();
            for more in 0..150 {
                one.commit(&[n, more]).unwrap();
            }
        }
        drop(both);
        for (n, vm) in (1..).zip(["a", "b"]) {
            let mut again = store(vm);
            again.verify().unwrap();
            assert_eq!(&**again.state().unwrap(), [n, 149]);
        }
    }

    #[test]
    fn the_lock_of_a_process_that_is_gone_is_taken() {
        let place = Place::new("gone");
        let mut one = open(&place, "a");
        one.lock().unwrap();
        assert!(matches!(open(&place, "a").lock(), Err(StateError::Locked { .. })));
        open(&place, "b").lock().unwrap();
        one.database.execute("UPDATE state_lease SET process = 'of an earlier start'", []).unwrap();
        let mut two = open(&place, "a");
        assert_eq!(two.lock().unwrap().unwrap().holder, Some(one.lease.clone().unwrap().holder.unwrap()));
        two.claim(&Lease { epoch: 1, present: false, holder: Some(Holder::here()) }).unwrap();
        assert!(matches!(one.append(0, b"x"), Err(StateError::Fenced { .. })));
    }
}
