//! Journals as rows of a PostgreSQL database, many VMs in one: for a control plane. A commit is one transaction that also
//! checks the epoch. The lock is an advisory lock of the session, so it ends with the process or its connection.

use super::{Backend, Durability, Stored};
use crate::error::StateError;
use crate::format::BLOCK;
use crate::identity::{Digest, Kind, VmId};
use crate::lease::{Holder, Lease};
use postgres::error::SqlState;
use postgres::{Client, NoTls, Transaction};

const SCHEMA: &str = "\
CREATE TABLE IF NOT EXISTS state_journal (
    vm TEXT NOT NULL, kind SMALLINT NOT NULL, at BIGINT NOT NULL, bytes BYTEA NOT NULL, PRIMARY KEY (vm, kind, at));
CREATE TABLE IF NOT EXISTS state_lease (
    vm TEXT NOT NULL, kind SMALLINT NOT NULL, note BYTEA NOT NULL, PRIMARY KEY (vm, kind));";
/// The advisory lock under which the tables are made.
const SCHEMA_LOCK: i64 = 0x5ea1_5747;

/// A back end in a database.
pub struct Postgres {
    /// `None` while there is no connection.
    client: Option<Client>,
    address: String,
    place: String,
    vm: VmId,
    kind: Kind,
    durability: Durability,
    locked: bool,
    epoch: u64,
    lease: Option<Lease>,
}

fn fault(place: &str, what: &'static str, error: &postgres::Error) -> StateError {
    let place = place.to_owned();
    // The outer text names the step alone.
    let why = error.as_db_error().map_or_else(|| error.to_string(), |e| e.message().to_owned());
    match error.code() {
        Some(&SqlState::DISK_FULL) => StateError::Full { place, why },
        Some(&SqlState::READ_ONLY_SQL_TRANSACTION | &SqlState::INSUFFICIENT_PRIVILEGE) => {
            StateError::ReadOnly { place, why }
        }
        Some(&SqlState::DATA_CORRUPTED) => StateError::Damaged { place, why },
        _ => StateError::Io { place, what, why },
    }
}

impl Postgres {
    /// The state of this VM and kind in a database. `address` is a connection string; a password in it appears in no message.
    pub fn open(address: &str, vm: VmId, kind: Kind, durability: Durability) -> Result<Self, StateError> {
        let place = format!("PostgreSQL ({kind} of VM {vm})");
        let mut made = Self {
            client: None,
            address: address.to_owned(),
            place,
            vm,
            kind,
            durability,
            locked: false,
            epoch: 0,
            lease: None,
        };
        made.connect()?;
        Ok(made)
    }

    fn connect(&mut self) -> Result<(), StateError> {
        let synchronous = match self.durability {
            Durability::None => "SET synchronous_commit = off",
            Durability::Data | Durability::Full => "SET synchronous_commit = on",
        };
        let made = Client::connect(&self.address, NoTls).and_then(|mut client| {
            client.batch_execute(synchronous)?;
            // Two that make the tables at the same moment would disturb each other.
            client.execute("SELECT pg_advisory_lock($1)", &[&SCHEMA_LOCK])?;
            client.batch_execute(SCHEMA)?;
            client.execute("SELECT pg_advisory_unlock($1)", &[&SCHEMA_LOCK])?;
            Ok(client)
        });
        self.client = Some(made.map_err(|e| fault(&self.place, "connecting", &e))?);
        Ok(())
    }

    /// The number of the advisory lock: the same for all who open this state.
    fn lock_number(&self) -> i64 {
        let digest = Digest::of(&[b"sealwright state\0", &[self.kind as u8], self.vm.as_str().as_bytes()]);
        let [a, b, c, d, e, f, g, h, ..] = digest.0;
        i64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    fn try_lock(&mut self) -> Result<(), StateError> {
        let number = self.lock_number();
        let place = self.place.clone();
        let client = self.client.as_mut().ok_or_else(|| gone(&place))?;
        let row = client.query_one("SELECT pg_try_advisory_lock($1)", &[&number]);
        if row.and_then(|row| row.try_get::<_, bool>(0)).map_err(|e| fault(&place, "locking", &e))? {
            return Ok(());
        }
        let lease = self.noted()?;
        Err(StateError::Locked { place, holder: Lease::who(lease.as_ref()) })
    }

    /// The connection; made again if it was lost, with the lock.
    fn client(&mut self) -> Result<&mut Client, StateError> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            self.connect()?;
            if self.locked
                && let Err(fault) = self.try_lock()
            {
                self.client = None;
                return Err(fault);
            }
        }
        let place = self.place.clone();
        self.client.as_mut().ok_or_else(|| gone(&place))
    }

    fn noted(&mut self) -> Result<Option<Lease>, StateError> {
        let (vm, kind, place) = (self.vm.clone(), self.kind as i16, self.place.clone());
        let sql = "SELECT note FROM state_lease WHERE vm = $1 AND kind = $2";
        let row = self.client()?.query_opt(sql, &[&vm.as_str(), &kind]).map_err(|e| fault(&place, "reading", &e))?;
        Ok(row.and_then(|row| Lease::decode(&row.try_get::<_, Vec<u8>>(0).ok()?)))
    }

    /// One transaction that is undone unless the lease is still ours.
    fn write(
        &mut self,
        what: &'static str,
        change: impl FnOnce(&mut Transaction<'_>, &str, i16) -> Result<(), postgres::Error>,
    ) -> Result<(), StateError> {
        let place = self.place.clone();
        if !self.locked {
            return Err(StateError::NotOpen { place, what: "writing without the lock" });
        }
        let (vm, kind, mine) = (self.vm.clone(), self.kind as i16, self.epoch);
        let failed = |e: postgres::Error| fault(&place, what, &e);
        let mut transaction = self.client()?.transaction().map_err(failed)?;
        let sql = "SELECT note FROM state_lease WHERE vm = $1 AND kind = $2 FOR UPDATE";
        let row = transaction.query_opt(sql, &[&vm.as_str(), &kind]).map_err(failed)?;
        let lease = row.and_then(|row| Lease::decode(&row.try_get::<_, Vec<u8>>(0).ok()?));
        if let Some(newer) = lease.as_ref().filter(|l| l.epoch > mine) {
            let holder = Lease::who(Some(newer));
            return Err(StateError::Fenced { place: place.clone(), mine, found: newer.epoch, holder });
        }
        change(&mut transaction, vm.as_str(), kind).map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    fn write_lease(&mut self, what: &'static str, lease: &Lease) -> Result<(), StateError> {
        let note = lease.encode();
        self.write(what, |t, vm, kind| put_lease(t, vm, kind, &note))?;
        self.lease = Some(lease.clone());
        Ok(())
    }
}

fn gone(place: &str) -> StateError {
    StateError::Io { place: place.to_owned(), what: "connecting", why: "there is no connection".to_owned() }
}

fn put_lease(t: &mut Transaction<'_>, vm: &str, kind: i16, note: &[u8]) -> Result<(), postgres::Error> {
    let sql =
        "INSERT INTO state_lease (vm, kind, note) VALUES ($1, $2, $3) ON CONFLICT (vm, kind) DO UPDATE SET note = $3";
    t.execute(sql, &[&vm, &kind, &note]).map(|_| ())
}

impl Backend for Postgres {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn open(&mut self) -> Result<Option<Stored>, StateError> {
        let (vm, kind, place) = (self.vm.clone(), self.kind as i16, self.place.clone());
        let sql = "SELECT at, bytes FROM state_journal WHERE vm = $1 AND kind = $2 ORDER BY at";
        let rows = self.client()?.query(sql, &[&vm.as_str(), &kind]).map_err(|e| fault(&place, "reading", &e))?;
        let mut journal: Option<Vec<u8>> = None;
        for row in rows {
            let fields = row.try_get::<_, i64>(0).and_then(|at| Ok((at, row.try_get::<_, Vec<u8>>(1)?)));
            let (at, bytes) = fields.map_err(|e| fault(&place, "reading", &e))?;
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            let journal = journal.get_or_insert_default();
            // Only zeros are between rows, up to a whole block.
            if at > journal.len() && at.saturating_sub(journal.len()) < BLOCK {
                journal.resize(at, 0);
            }
            journal.extend(bytes);
        }
        Ok(journal.map(Stored::Whole))
    }

    fn read_at(&mut self, at: u64, length: usize) -> Result<Vec<u8>, StateError> {
        let (vm, kind, place) = (self.vm.clone(), self.kind as i16, self.place.clone());
        let from = i64::try_from(at).unwrap_or(i64::MAX);
        let sql =
            "SELECT at, bytes FROM state_journal WHERE vm = $1 AND kind = $2 AND at <= $3 ORDER BY at DESC LIMIT 1";
        let row = self.client()?.query_opt(sql, &[&vm.as_str(), &kind, &from]);
        let row = row.map_err(|e| fault(&place, "reading", &e))?;
        let found = row.and_then(|row| {
            let begin: i64 = row.try_get(0).ok()?;
            let bytes: Vec<u8> = row.try_get(1).ok()?;
            let offset = usize::try_from(from.checked_sub(begin)?).ok()?;
            bytes.get(offset..offset.checked_add(length)?).map(<[u8]>::to_vec)
        });
        found.ok_or_else(|| StateError::Torn { place, why: "a record is not there any more".to_owned() })
    }

    fn append(&mut self, at: u64, bytes: &[u8]) -> Result<(), StateError> {
        let at = i64::try_from(at).unwrap_or(i64::MAX);
        self.write("writing", |t, vm, kind| {
            let sql = "INSERT INTO state_journal (vm, kind, at, bytes) VALUES ($1, $2, $3, $4)";
            t.execute(sql, &[&vm, &kind, &at, &bytes]).map(|_| ())
        })
    }

    fn discard(&mut self, at: u64, _: usize) {
        let at = i64::try_from(at).unwrap_or(i64::MAX);
        // If this fails too, the journal is replaced before the next write all the same.
        let _ = self.write("wiping", |t, vm, kind| {
            let sql = "DELETE FROM state_journal WHERE vm = $1 AND kind = $2 AND at >= $3";
            t.execute(sql, &[&vm, &kind, &at]).map(|_| ())
        });
    }

    fn replace(&mut self, bytes: &[u8], _: u64) -> Result<(), StateError> {
        self.write("replacing", |t, vm, kind| {
            t.execute("DELETE FROM state_journal WHERE vm = $1 AND kind = $2", &[&vm, &kind])?;
            let sql = "INSERT INTO state_journal (vm, kind, at, bytes) VALUES ($1, $2, 0, $3)";
            t.execute(sql, &[&vm, &kind, &bytes]).map(|_| ())
        })
    }

    fn remove(&mut self) -> Result<(), StateError> {
        let note = self.lease.clone().map(|l| Lease { present: false, ..l });
        let encoded = note.as_ref().map(Lease::encode);
        self.write("removing", |t, vm, kind| {
            t.execute("DELETE FROM state_journal WHERE vm = $1 AND kind = $2", &[&vm, &kind])?;
            encoded.map_or(Ok(()), |note| put_lease(t, vm, kind, &note))
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
        self.client()?;
        self.try_lock()?;
        let before = self.noted()?;
        let (epoch, present) = before.as_ref().map_or((0, false), |l| (l.epoch, l.present));
        self.epoch = self.epoch.max(epoch);
        self.locked = true;
        if let Err(fault) = self.write_lease("locking", &Lease { epoch, present, holder: Some(Holder::here()) }) {
            self.unlock();
            return Err(fault);
        }
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
            let number = self.lock_number();
            if let Some(client) = &mut self.client {
                let _ = client.execute("SELECT pg_advisory_unlock($1)", &[&number]);
            }
        }
    }

    fn is_locked(&self) -> bool {
        self.locked
    }

    fn lease(&mut self) -> Option<Lease> {
        if self.locked { self.lease.clone() } else { self.noted().ok()? }
    }

    fn trace(&mut self) -> Option<String> {
        let lease = self.lease().filter(|l| l.present)?;
        Some(format!("the database says that there has been one, written by epoch {}", lease.epoch))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_made_again_with_its_lock() {
        let address =
            std::env::var("SEALWRIGHT_POSTGRES").expect("SEALWRIGHT_POSTGRES names the server for these tests");
        let vm = VmId::new(format!("lost-{}-{}", std::process::id(), crate::lease::now())).unwrap();
        let open = || Postgres::open(&address, vm.clone(), Kind::Tpm, Durability::Data).unwrap();
        let mut one = open();
        one.lock().unwrap();
        one.replace(&[1; 4096], 0).unwrap();
        let process: i32 = one.client().unwrap().query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
        let mut other = Client::connect(&address, NoTls).unwrap();
        other.execute("SELECT pg_terminate_backend($1)", &[&process]).unwrap();
        // The first call may be the one that finds out; the store above then replaces the journal.
        if one.append(4096, &[2; 4096]).is_err() {
            one.replace(&[3; 4096], 0).unwrap();
        }
        assert!(matches!(open().lock(), Err(StateError::Locked { .. })));
        assert!(one.read().unwrap().is_some_and(|j| j.starts_with(&[3; 4096]) || j.ends_with(&[2; 4096])));
    }
}
