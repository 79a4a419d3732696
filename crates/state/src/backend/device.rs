//! A journal on a block device, or in a single file of fixed size that is written in place.
//!
//! Two superblocks say which half of the rest holds the journal. A new journal is written to the other half and synced
//! before they are changed, one after the other. So at every moment one of them is good and its half is whole.

use super::{Backend, Durability, MAX_JOURNAL, MAX_ORDER, Stored};
use crate::disk::{DiskFile, HostFile, read_exact, write_all, write_zeros};
use crate::error::StateError;
use crate::format::BLOCK;
use crate::identity::{Digest, Kind};
use crate::lease::{Holder, Lease};
use crate::reader::{Reader, put_sized};
use rustix::fs::{Mode, OFlags};
use std::path::Path;

const MAGIC: [u8; 8] = *b"SEALDEVC";
const VERSION: u16 = 1;
const BLOCK_SIZE: u64 = 4096;
/// Where the note of the writer is, behind the two superblocks.
const LEASE: u64 = 2 * BLOCK_SIZE;
/// Where an order is: in the same block, behind the note.
const ORDER: u64 = LEASE + 512;
/// Where the halves begin.
const HALVES: u64 = 3 * BLOCK_SIZE;
/// The least that a device must have.
const LEAST: u64 = 128 * 1024;
/// What a new single file gets.
const NEW_FILE: u64 = 2 * 1024 * 1024;
/// The fields before the digest.
const FIELDS: usize = 40;

/// What a superblock says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Super {
    number: u64,
    /// 0 no journal, 1 the first half, 2 the second.
    active: u8,
    half: u64,
    area: u64,
}

impl Super {
    fn encode(&self, kind: Kind) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(VERSION.to_be_bytes());
        out.extend([kind as u8, self.active, 0, 0, 0, 0]);
        for number in [self.number, self.half, self.area] {
            out.extend(number.to_be_bytes());
        }
        let digest = Digest::of(&[&out]);
        out.extend(digest.0);
        out.resize(BLOCK, 0);
        out
    }

    /// Where the active half begins.
    fn begin(&self) -> u64 {
        HALVES.saturating_add(if self.active == 2 { self.half } else { 0 })
    }
}

/// A back end on a device or in a single file.
pub struct Device {
    file: Box<dyn DiskFile>,
    place: String,
    kind: Kind,
    durability: Durability,
    locking: bool,
    current: Option<Super>,
    /// The highest number that a superblock may have.
    highest: u64,
    /// A superblock may say something else than `current`.
    unsure: bool,
    locked: bool,
    epoch: u64,
    lease: Option<Lease>,
}

impl Device {
    /// The state of this kind in an open file or device.
    pub fn new(
        file: Box<dyn DiskFile>,
        place: impl Into<String>,
        kind: Kind,
        durability: Durability,
        locking: bool,
    ) -> Self {
        Self {
            file,
            place: place.into(),
            kind,
            durability,
            locking,
            current: None,
            highest: 0,
            unsure: false,
            locked: false,
            epoch: 0,
            lease: None,
        }
    }

    /// Opens a block device or a single file. A file that is not there is made, with `mode` or else 0640 less the umask.
    pub fn open(
        path: &Path,
        mode: Option<u32>,
        kind: Kind,
        durability: Durability,
        locking: bool,
    ) -> std::io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let fd = rustix::fs::open(path, flags, Mode::from_raw_mode(mode.unwrap_or(0o640)))?;
        Ok(Self::new(Box::new(HostFile::new(fd)), path.display().to_string(), kind, durability, locking))
    }

    fn fault(&self, what: &'static str, error: &std::io::Error) -> StateError {
        StateError::io(&self.place, what, error)
    }

    fn sync(&self) -> std::io::Result<()> {
        match self.durability {
            Durability::None => Ok(()),
            Durability::Data => self.file.sync_data(),
            Durability::Full => self.file.sync_all(),
        }
    }

    /// The block at `at`, zeros where the file has none.
    fn block(&self, at: u64) -> Result<Vec<u8>, StateError> {
        let mut block = vec![0; BLOCK];
        match read_exact(&*self.file, at, &mut block) {
            Ok(()) => Ok(block),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(block),
            Err(error) => Err(self.fault("reading", &error)),
        }
    }

    fn decode(&self, block: &[u8]) -> Result<Option<Super>, StateError> {
        let mut r = Reader(block);
        if r.array() != Some(MAGIC) {
            return Ok(None);
        }
        let version = r.u16().unwrap_or(0);
        if version > VERSION {
            return Err(StateError::Version { place: self.place.clone(), found: version, known: VERSION });
        }
        let (Some(kind), Some(active), Some(_)) = (r.u8(), r.u8(), r.u32()) else { return Ok(None) };
        let (Some(number), Some(half), Some(area)) = (r.u64(), r.u64(), r.u64()) else { return Ok(None) };
        let fields = block.get(..FIELDS).unwrap_or_default();
        if r.array() != Some(Digest::of(&[fields]).0) || active > 2 || area > half || half > MAX_JOURNAL {
            return Ok(None);
        }
        if kind != self.kind as u8 {
            let found = Kind::from_number(kind).map_or("another state".to_owned(), |k| format!("a {k} state"));
            return Err(StateError::Foreign {
                place: self.place.clone(),
                expected: format!("a {} state", self.kind),
                found,
            });
        }
        Ok(Some(Super { number, active, half, area }))
    }

    /// Reads the superblocks.
    fn look(&mut self) -> Result<(), StateError> {
        let blocks = [self.block(0)?, self.block(BLOCK_SIZE)?];
        let mut found = Vec::new();
        for block in &blocks {
            found.push(self.decode(block)?);
        }
        let newest = found.iter().flatten().max_by_key(|s| s.number).copied();
        let zero = |block: &Vec<u8>| block.iter().all(|b| *b == 0);
        if newest.is_none() && !blocks.iter().all(zero) {
            let place = self.place.clone();
            return Err(if blocks.iter().any(|b| b.starts_with(&MAGIC)) {
                // While the device was made one superblock is cut off and the other not begun.
                if blocks.get(1).is_some_and(zero) {
                    self.current = None;
                    return Ok(());
                }
                StateError::Damaged { place, why: "both of its superblocks have wrong checksums".to_owned() }
            } else {
                let swtpm = blocks.iter().any(|b| b.starts_with(b"nilmptws"));
                let found = if swtpm {
                    "the state of a TPM of swtpm (--state-format swtpm goes on with it, vtpmd state import takes it over)"
                } else {
                    "something that is not a state of this program"
                };
                let found = found.to_owned();
                StateError::Foreign { place, expected: format!("a {} state", self.kind), found }
            });
        }
        self.highest = self.highest.max(newest.map_or(0, |s| s.number));
        self.unsure = found.first() != found.get(1);
        self.current = newest;
        Ok(())
    }

    /// Writes both superblocks, one after the other.
    fn publish(&mut self, mut new: Super) -> Result<(), StateError> {
        self.highest = self.highest.saturating_add(1);
        new.number = self.highest;
        self.unsure = true;
        let block = new.encode(self.kind);
        for at in [0, BLOCK_SIZE] {
            write_all(&*self.file, at, &block).map_err(|e| self.fault("writing the superblock", &e))?;
            self.sync().map_err(|e| self.fault("syncing the superblock", &e))?;
        }
        self.unsure = false;
        self.current = Some(new);
        Ok(())
    }

    /// What the superblocks say is what is known here, or is made so.
    fn settled(&mut self) -> Result<Super, StateError> {
        if let (Some(current), false) = (self.current, self.unsure) {
            return Ok(current);
        }
        if let Some(current) = self.current {
            self.publish(current)?;
            return self.current.ok_or_else(|| self.unread("its superblocks"));
        }
        let size = self.file.size().map_err(|e| self.fault("reading the size", &e))?;
        let half = size.saturating_sub(HALVES) / 2 / BLOCK_SIZE * BLOCK_SIZE;
        if size < LEAST {
            let why = format!("it has {size} bytes, and at least {LEAST} are needed");
            return Err(StateError::Full { place: self.place.clone(), why });
        }
        self.publish(Super { number: 0, active: 0, half: half.min(MAX_JOURNAL), area: 0 })?;
        self.current.ok_or_else(|| self.unread("its superblocks"))
    }

    fn unread(&self, what: &'static str) -> StateError {
        StateError::NotOpen { place: self.place.clone(), what }
    }

    fn read_lease(&self) -> Result<Option<Lease>, StateError> {
        Ok(self.block(LEASE)?.get(..Lease::SIZE).and_then(Lease::decode))
    }

    fn write_lease(&mut self, lease: &Lease) -> Result<(), StateError> {
        write_all(&*self.file, LEASE, &lease.encode()).map_err(|e| self.fault("writing the note", &e))?;
        self.lease = Some(lease.clone());
        Ok(())
    }

    fn check_mine(&self) -> Result<(), StateError> {
        if !self.locked {
            return Err(self.unread("writing without the lock"));
        }
        let lease = self.read_lease()?;
        match lease.as_ref().filter(|l| l.epoch > self.epoch) {
            None => Ok(()),
            Some(newer) => Err(StateError::Fenced {
                place: self.place.clone(),
                mine: self.epoch,
                found: newer.epoch,
                holder: Lease::who(Some(newer)),
            }),
        }
    }

    fn journal(&self) -> Result<Super, StateError> {
        self.current.filter(|s| s.active != 0).ok_or_else(|| self.unread("it has no journal"))
    }
}

impl Backend for Device {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn open(&mut self) -> Result<Option<Stored>, StateError> {
        self.look()?;
        let Ok(current) = self.journal() else { return Ok(None) };
        Ok(Some(Stored::Open(usize::try_from(current.area).unwrap_or_default())))
    }

    fn read_at(&mut self, at: u64, length: usize) -> Result<Vec<u8>, StateError> {
        let current = self.journal()?;
        let end = at.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        if end > current.area {
            return Err(StateError::Torn {
                place: self.place.clone(),
                why: "a record is not there any more".to_owned(),
            });
        }
        let mut bytes = vec![0; length];
        match read_exact(&*self.file, current.begin().saturating_add(at), &mut bytes) {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(StateError::Torn {
                place: self.place.clone(),
                why: "it is smaller than when it was made".to_owned(),
            }),
            Err(error) => Err(self.fault("reading", &error)),
        }
    }

    fn append(&mut self, at: u64, bytes: &[u8]) -> Result<(), StateError> {
        self.check_mine()?;
        let current = self.journal()?;
        let end = at.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if end > current.area {
            return Err(StateError::Full { place: self.place.clone(), why: "its half is full".to_owned() });
        }
        write_all(&*self.file, current.begin().saturating_add(at), bytes).map_err(|e| self.fault("writing", &e))?;
        self.sync().map_err(|e| self.fault("syncing", &e))
    }

    fn discard(&mut self, at: u64, length: usize) {
        if let (Ok(()), Ok(current)) = (self.check_mine(), self.journal()) {
            let end = at.saturating_add(u64::try_from(length).unwrap_or(u64::MAX)).min(current.area);
            let begin = current.begin();
            // If this fails too, the journal is replaced before the next write all the same.
            let _ = write_zeros(&*self.file, begin.saturating_add(at), begin.saturating_add(end))
                .and_then(|()| self.sync());
        }
    }

    fn replace(&mut self, bytes: &[u8], area: u64) -> Result<(), StateError> {
        self.check_mine()?;
        // The half that is written now must not be the one that a superblock points at.
        let current = self.settled()?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let area = area.max(length);
        if area > current.half {
            let why = format!("{area} bytes are needed, and {} are there", current.half);
            return Err(StateError::Full { place: self.place.clone(), why });
        }
        let new = Super { active: if current.active == 1 { 2 } else { 1 }, area, ..current };
        write_all(&*self.file, new.begin(), bytes)
            .and_then(|()| {
                write_zeros(&*self.file, new.begin().saturating_add(length), new.begin().saturating_add(area))
            })
            .map_err(|e| self.fault("writing", &e))?;
        self.sync().map_err(|e| self.fault("syncing", &e))?;
        self.publish(new)
    }

    fn remove(&mut self) -> Result<(), StateError> {
        self.check_mine()?;
        let current = self.settled()?;
        self.publish(Super { active: 0, area: 0, ..current })?;
        if let Some(lease) = self.lease.clone() {
            self.write_lease(&Lease { present: false, ..lease })?;
        }
        Ok(())
    }

    fn erase(&mut self) -> Result<(), StateError> {
        self.check_mine()?;
        let current = self.settled()?;
        let end = HALVES.saturating_add(current.half.saturating_mul(2));
        write_zeros(&*self.file, HALVES, end)
            .and_then(|()| self.file.sync_all())
            .map_err(|e| self.fault("overwriting", &e))?;
        self.remove()
    }

    fn order(&mut self) -> Result<Option<Vec<u8>>, StateError> {
        let block = self.block(ORDER)?;
        let mut r = Reader(&block);
        let length = r.u16().map(usize::from).unwrap_or_default();
        if length == 0 {
            return Ok(None);
        }
        // One that was cut off while it was written does not make sense to whoever reads it.
        Ok(Some(r.bytes(length.min(MAX_ORDER)).unwrap_or_default().to_vec()))
    }

    fn set_order(&mut self, order: Option<&[u8]>) -> Result<(), StateError> {
        self.check_mine()?;
        let mut bytes = Vec::new();
        put_sized(&mut bytes, &super::order_of(order)?.unwrap_or_default()).unwrap_or_default();
        bytes.resize(MAX_ORDER.saturating_add(2), 0);
        write_all(&*self.file, ORDER, &bytes)
            .and_then(|()| self.file.sync_all())
            .map_err(|e| self.fault("writing the order", &e))
    }

    fn capacity(&self) -> u64 {
        let of_file =
            |size: u64| if size == 0 { NEW_FILE } else { size }.saturating_sub(HALVES) / 2 / BLOCK_SIZE * BLOCK_SIZE;
        let half = self.current.map(|s| s.half);
        half.unwrap_or_else(|| self.file.size().map_or(0, of_file)).min(MAX_JOURNAL)
    }

    fn lock(&mut self) -> Result<Option<Lease>, StateError> {
        if self.locked {
            return Ok(self.lease.clone());
        }
        // Nothing is written to a place that holds something else.
        self.look()?;
        if self.locking && !self.file.try_lock().map_err(|e| self.fault("locking", &e))? {
            return Err(StateError::Locked {
                place: self.place.clone(),
                holder: Lease::who(self.read_lease()?.as_ref()),
            });
        }
        let before = self.grow().and_then(|()| self.read_lease()).inspect_err(|_| self.give_back())?;
        let (epoch, present) = before.as_ref().map_or((0, false), |l| (l.epoch, l.present));
        if let Err(fault) = self.write_lease(&Lease { epoch, present, holder: Some(Holder::here()) }) {
            self.give_back();
            return Err(fault);
        }
        self.locked = true;
        self.epoch = self.epoch.max(epoch);
        Ok(before)
    }

    fn claim(&mut self, lease: &Lease) -> Result<(), StateError> {
        self.check_mine()?;
        let first = lease.present && !self.lease.as_ref().is_some_and(|l| l.present);
        // Before the note is written: a write that fails may have written it all the same.
        self.epoch = self.epoch.max(lease.epoch);
        self.write_lease(lease)?;
        if first {
            self.sync().map_err(|e| self.fault("syncing the note", &e))?;
        }
        Ok(())
    }

    fn unlock(&mut self) {
        if core::mem::take(&mut self.locked) {
            if let Some(lease) = self.lease.clone() {
                let _ = self.write_lease(&Lease { holder: None, ..lease });
            }
            self.give_back();
        }
    }

    fn is_locked(&self) -> bool {
        self.locked
    }

    fn lease(&mut self) -> Option<Lease> {
        if self.locked { self.lease.clone() } else { self.read_lease().ok()? }
    }

    fn trace(&mut self) -> Option<String> {
        let lease = self.lease().filter(|l| l.present)?;
        Some(format!("its note says that there has been one, written by epoch {}", lease.epoch))
    }
}

impl Device {
    /// Gives a file that was just made its size. A device that is too small refuses.
    fn grow(&self) -> Result<(), StateError> {
        let size = self.file.size().map_err(|e| self.fault("reading the size", &e))?;
        if self.current.is_some() || size >= LEAST {
            return Ok(());
        }
        write_zeros(&*self.file, size, NEW_FILE).map_err(|e| self.fault("writing", &e))
    }

    fn give_back(&self) {
        if self.locking {
            self.file.unlock();
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.unlock();
    }
}
