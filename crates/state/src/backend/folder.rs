//! A journal in a folder: `tpm.state`, replaced by way of `tpm.state.new`, and the lock file `.lock`.

use super::{Backend, Durability, MAX_JOURNAL, MAX_ORDER, Stored};
use crate::disk::{Disk, DiskFile, How, make_new, read_exact, replace, write_all, write_zeros};
use crate::error::StateError;
use crate::identity::Kind;
use crate::lease::{Holder, Lease};
use std::io::ErrorKind;

/// States of other programs, and of this one's first versions: not to be shadowed by a new TPM.
const OTHERS: [&str; 6] = [
    "tpm2-00.permall",
    "tpm2-00.volatilestate",
    "tpm-00.permall",
    "tpm2-00.permall.bak",
    "tpm-00.permall.bak",
    "vtpm2.state",
];

/// A back end in a folder.
pub struct Folder {
    disk: Box<dyn Disk>,
    kind: Kind,
    durability: Durability,
    locking: bool,
    journal: Option<Box<dyn DiskFile>>,
    lock: Option<Box<dyn DiskFile>>,
    locked: bool,
    epoch: u64,
    lease: Option<Lease>,
}

impl Folder {
    /// The state of this kind in a folder. With `locking` off nobody is excluded, but a newer writer still is noticed.
    pub fn new(disk: Box<dyn Disk>, kind: Kind, durability: Durability, locking: bool) -> Self {
        Self { disk, kind, durability, locking, journal: None, lock: None, locked: false, epoch: 0, lease: None }
    }

    /// The journal's file.
    pub fn file_name(kind: Kind) -> &'static str {
        match kind {
            Kind::Tpm => "tpm.state",
            Kind::Nvram => "nvram.state",
        }
    }

    fn temporary(&self) -> &'static str {
        match self.kind {
            Kind::Tpm => "tpm.state.new",
            Kind::Nvram => "nvram.state.new",
        }
    }

    fn order_name(&self) -> &'static str {
        match self.kind {
            Kind::Tpm => "tpm.order",
            Kind::Nvram => "nvram.order",
        }
    }

    /// Removes a file, whether it is there or not.
    fn remove_file(&self, name: &str) -> Result<(), StateError> {
        match self.disk.remove(name) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.fault("removing", &error)),
            _ => Ok(()),
        }
    }

    /// For TPMs that of swtpm, so that the two exclude each other.
    fn lock_name(&self) -> &'static str {
        match self.kind {
            Kind::Tpm => ".lock",
            Kind::Nvram => "nvram.lock",
        }
    }

    fn fault(&self, what: &'static str, error: &std::io::Error) -> StateError {
        StateError::io(&self.place(), what, error)
    }

    fn fenced(&self, lease: Option<&Lease>) -> StateError {
        let found = lease.map_or(0, |l| l.epoch);
        StateError::Fenced { place: self.place(), mine: self.epoch, found, holder: Lease::who(lease) }
    }

    fn read_lease(file: &dyn DiskFile) -> std::io::Result<Option<Lease>> {
        let mut note = vec![0; Lease::SIZE];
        let mut length = 0_usize;
        while let Some(room) = note.get_mut(length..).filter(|r| !r.is_empty()) {
            match file.read_at(u64::try_from(length).unwrap_or(u64::MAX), room) {
                Ok(0) => break,
                Ok(n) => length = length.saturating_add(n),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(note.get(..length).and_then(Lease::decode))
    }

    /// Fails if another writer took over.
    fn check_mine(&mut self) -> Result<(), StateError> {
        if !self.locked {
            return Err(StateError::NotOpen { place: self.place(), what: "writing without the lock" });
        }
        let lost = match &self.lock {
            Some(lock) => !lock.is_linked().map_err(|e| self.fault("reading the lock file", &e))?,
            None => true,
        };
        if lost {
            // Somebody removed the lock file. If nobody has locked a new one, it is ours again.
            let mine = self.lease.clone();
            self.take_lock()?;
            if let Some(lease) = mine.filter(|m| self.lease.as_ref().is_none_or(|l| l.epoch <= m.epoch)) {
                self.write_lease(&lease).map_err(|e| self.fault("writing the lock file", &e))?;
            }
        }
        let Some(lock) = &self.lock else { return Ok(()) };
        let lease = Self::read_lease(&**lock).map_err(|e| self.fault("reading the lock file", &e))?;
        if lease.as_ref().is_some_and(|l| l.epoch > self.epoch) {
            return Err(self.fenced(lease.as_ref()));
        }
        Ok(())
    }

    /// Opens and locks the lock file, and reads its note.
    fn take_lock(&mut self) -> Result<(), StateError> {
        let opened = self.disk.open(self.lock_name(), How::Create);
        let file = opened.map_err(|e| self.fault("opening the lock file", &e))?;
        let locked = !self.locking || file.try_lock().map_err(|e| self.fault("locking", &e))?;
        let lease = Self::read_lease(&*file).map_err(|e| self.fault("reading the lock file", &e))?;
        if !locked {
            return Err(StateError::Locked { place: self.place(), holder: Lease::who(lease.as_ref()) });
        }
        self.lock = Some(file);
        self.lease = lease;
        Ok(())
    }

    fn write_lease(&mut self, lease: &Lease) -> std::io::Result<()> {
        if let Some(lock) = &self.lock {
            write_all(&**lock, 0, &lease.encode())?;
        }
        self.lease = Some(lease.clone());
        Ok(())
    }

    fn sync(&self, file: &dyn DiskFile) -> std::io::Result<()> {
        match self.durability {
            Durability::None => Ok(()),
            Durability::Data => file.sync_data(),
            Durability::Full => file.sync_all(),
        }
    }

    fn write_new(&self, bytes: &[u8], area: u64) -> Result<Box<dyn DiskFile>, StateError> {
        let file = make_new(&*self.disk, self.temporary()).map_err(|e| self.fault("making a new file", &e))?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        write_all(&*file, 0, bytes)
            .and_then(|()| write_zeros(&*file, length, area))
            .map_err(|e| self.fault("writing", &e))?;
        self.sync(&*file).map_err(|e| self.fault("syncing", &e))?;
        Ok(file)
    }
}

impl Backend for Folder {
    fn place(&self) -> String {
        self.disk.path(Self::file_name(self.kind))
    }

    fn open(&mut self) -> Result<Option<Stored>, StateError> {
        let name = Self::file_name(self.kind);
        self.journal = None;
        let opened = match self.disk.open(name, How::Write) {
            Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
                self.disk.open(name, How::Read)
            }
            opened => opened,
        };
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.fault("opening", &error)),
        };
        let size = file.size().map_err(|e| self.fault("reading", &e))?;
        let length = usize::try_from(size).ok().filter(|_| size <= MAX_JOURNAL);
        let length = length.ok_or_else(|| StateError::Foreign {
            place: self.place(),
            expected: format!("a {} state", self.kind),
            found: format!("{size} bytes, more than any state has"),
        })?;
        self.journal = Some(file);
        Ok(Some(Stored::Open(length)))
    }

    fn read_at(&mut self, at: u64, length: usize) -> Result<Vec<u8>, StateError> {
        let journal =
            self.journal.as_ref().ok_or_else(|| StateError::NotOpen { place: self.place(), what: "reading" })?;
        let mut bytes = vec![0; length];
        read_exact(&**journal, at, &mut bytes).map_err(|e| self.fault("reading", &e))?;
        Ok(bytes)
    }

    fn append(&mut self, at: u64, bytes: &[u8]) -> Result<(), StateError> {
        self.check_mine()?;
        let journal =
            self.journal.as_ref().ok_or_else(|| StateError::NotOpen { place: self.place(), what: "writing" })?;
        if !journal.is_linked().map_err(|e| self.fault("looking at the file", &e))? {
            let why = "the file was removed".to_owned();
            return Err(StateError::Io { place: self.place(), what: "writing", why });
        }
        write_all(&**journal, at, bytes).map_err(|e| self.fault("writing", &e))?;
        self.sync(&**journal).map_err(|e| self.fault("syncing", &e))?;
        if self.durability == Durability::Full {
            self.disk.sync().map_err(|e| self.fault("syncing the folder", &e))?;
        }
        Ok(())
    }

    fn discard(&mut self, at: u64, length: usize) {
        let mine = self.check_mine().is_ok();
        if let Some(journal) = self.journal.as_ref().filter(|_| mine) {
            let end = at.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
            // If this fails too, the journal is replaced before the next write all the same.
            let _ = write_zeros(&**journal, at, end).and_then(|()| self.sync(&**journal));
        }
    }

    fn replace(&mut self, bytes: &[u8], area: u64) -> Result<(), StateError> {
        self.check_mine()?;
        let file = match self.write_new(bytes, area) {
            Ok(file) => file,
            Err(fault) => {
                let _ = self.disk.remove(self.temporary());
                return Err(fault);
            }
        };
        let name = Self::file_name(self.kind);
        self.disk.rename(self.temporary(), name).map_err(|e| self.fault("replacing", &e))?;
        if self.durability != Durability::None {
            self.disk.sync().map_err(|e| self.fault("syncing the folder", &e))?;
        }
        self.journal = Some(file);
        Ok(())
    }

    fn remove(&mut self) -> Result<(), StateError> {
        self.check_mine()?;
        self.journal = None;
        self.remove_file(Self::file_name(self.kind))?;
        if self.durability != Durability::None {
            self.disk.sync().map_err(|e| self.fault("syncing the folder", &e))?;
        }
        if let Some(lease) = self.lease.clone() {
            let gone = Lease { present: false, ..lease };
            self.write_lease(&gone).map_err(|e| self.fault("writing the lock file", &e))?;
        }
        Ok(())
    }

    fn erase(&mut self) -> Result<(), StateError> {
        self.check_mine()?;
        self.journal = None;
        // What another program left was the same TPM once.
        let others = OTHERS.iter().filter(|_| self.kind == Kind::Tpm).copied();
        let all: Vec<&str> = others.chain([self.temporary(), Self::file_name(self.kind)]).collect();
        for name in &all {
            match self.disk.open(name, How::Write) {
                Ok(file) => {
                    let size = file.size().map_err(|e| self.fault("reading", &e))?;
                    write_zeros(&*file, 0, size)
                        .and_then(|()| file.sync_all())
                        .map_err(|e| self.fault("overwriting", &e))?;
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(self.fault("opening", &error)),
            }
        }
        for name in all {
            self.remove_file(name)?;
        }
        self.remove()
    }

    fn order(&mut self) -> Result<Option<Vec<u8>>, StateError> {
        let file = match self.disk.open(self.order_name(), How::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.fault("opening the order", &error)),
        };
        let size = file.size().map_err(|e| self.fault("reading the order", &e))?;
        // One that is too long is cut, and then does not make sense to whoever reads it.
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(MAX_ORDER).min(MAX_ORDER)];
        read_exact(&*file, 0, &mut bytes).map_err(|e| self.fault("reading the order", &e))?;
        Ok(Some(bytes))
    }

    fn set_order(&mut self, order: Option<&[u8]>) -> Result<(), StateError> {
        self.check_mine()?;
        match super::order_of(order)? {
            Some(order) => {
                replace(&*self.disk, self.order_name(), &order).map_err(|e| self.fault("writing the order", &e))
            }
            None => {
                self.remove_file(self.order_name())?;
                self.disk.sync().map_err(|e| self.fault("syncing the folder", &e))
            }
        }
    }

    fn lock(&mut self) -> Result<Option<Lease>, StateError> {
        if self.locked {
            return Ok(self.lease.clone());
        }
        self.take_lock()?;
        let before = self.lease.clone();
        self.locked = true;
        let (epoch, present) = before.as_ref().map_or((0, false), |l| (l.epoch, l.present));
        self.epoch = self.epoch.max(epoch);
        let noted = self.write_lease(&Lease { epoch, present, holder: Some(Holder::here()) });
        if let Err(error) = noted {
            self.lock = None;
            self.locked = false;
            return Err(self.fault("writing the lock file", &error));
        }
        Ok(before)
    }

    fn claim(&mut self, lease: &Lease) -> Result<(), StateError> {
        self.check_mine()?;
        let first = lease.present && !self.lease.as_ref().is_some_and(|l| l.present);
        // Before the note is written: a write that fails may have written it all the same.
        self.epoch = self.epoch.max(lease.epoch);
        self.write_lease(lease).map_err(|e| self.fault("writing the lock file", &e))?;
        if let (true, Some(lock)) = (first, &self.lock) {
            self.sync(&**lock).map_err(|e| self.fault("syncing the lock file", &e))?;
        }
        Ok(())
    }

    fn unlock(&mut self) {
        if core::mem::take(&mut self.locked) {
            if let Some(lease) = self.lease.clone() {
                let _ = self.write_lease(&Lease { holder: None, ..lease });
            }
            self.lock = None;
        }
    }

    fn is_locked(&self) -> bool {
        self.locked
    }

    fn lease(&mut self) -> Option<Lease> {
        if self.locked {
            return self.lease.clone();
        }
        let file = self.disk.open(self.lock_name(), How::Read).ok()?;
        Self::read_lease(&*file).ok()?
    }

    fn trace(&mut self) -> Option<String> {
        let lock = self.disk.path(self.lock_name());
        self.lease()
            .filter(|l| l.present)
            .map(|l| format!("{lock} says that there has been one, written by epoch {}", l.epoch))
    }

    fn other(&mut self) -> Option<String> {
        let there = |name: &&&str| matches!(self.disk.exists(name), Ok(true));
        OTHERS.iter().find(there).filter(|_| self.kind == Kind::Tpm).map(|name| self.disk.path(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.unlock();
    }
}
