//! The disk: what programs see (the cache), what the medium has, and what is on its way.
//!
//! Writes reach the medium with a sync of their file; names with a sync of the folder. A power cut leaves of what was not
//! synced: any set of the sectors of the writes, and the first so many changes of names.

use sealwright_state::disk::{Disk, DiskFile, How};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

/// What a disk writes whole.
const SECTOR: usize = 512;

/// What goes wrong at one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It fails and has done nothing.
    Refused,
    /// No room: writes fail and have done nothing; other calls work.
    Full,
    /// It fails half way: a write has written half; a sync has lost what it should have written, and will not say so again;
    /// anything else is done all the same.
    HalfWay,
    /// A read or write does only half of it, without fault. Other calls work.
    Short,
    /// The process is killed, half way through a write. What it wrote before stays.
    Kill,
    /// The power goes, half way through a write.
    PowerCut,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Refused, Self::Full, Self::HalfWay, Self::Short, Self::Kill, Self::PowerCut];
}

#[derive(Clone, Default)]
struct Content {
    cache: Vec<u8>,
    medium: Vec<u8>,
    /// Writes on their way: where, and what.
    moving: Vec<(usize, Vec<u8>)>,
}

#[derive(Clone)]
enum NameChange {
    Link(String, usize),
    Rename(String, String),
    Remove(String),
}

#[derive(Default)]
struct World {
    files: Vec<Content>,
    names: BTreeMap<String, usize>,
    names_on_medium: BTreeMap<String, usize>,
    names_moving: Vec<NameChange>,
    locked: Vec<usize>,
    calls: u64,
    /// What goes wrong next, by the number of the call, in order.
    plan: Vec<(u64, Fault)>,
    /// The process is gone: every call fails.
    dead: bool,
    power_cut: bool,
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Link(name, file) => {
                names.insert(name.clone(), *file);
            }
            Self::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
            Self::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

fn put(to: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if to.len() < at + bytes.len() {
        to.resize(at + bytes.len(), 0);
    }
    to[at..at + bytes.len()].copy_from_slice(bytes);
}

/// A row of pseudo-random numbers; the same for the same seed.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A folder on a disk with a plan of what goes wrong. Clones are the same disk.
#[derive(Clone, Default)]
pub struct FaultyDisk(Arc<Mutex<World>>);

impl FaultyDisk {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// From now on: these faults at the calls of these numbers, counted from now.
    pub fn plan(&self, faults: &[(u64, Fault)]) {
        let mut world = self.world();
        let calls = world.calls;
        world.plan = faults.iter().map(|(call, fault)| (calls + call, *fault)).collect();
        world.plan.sort();
    }

    /// Puts a file of zeros there, as a device is.
    pub fn make(&self, name: &str, size: usize) {
        let mut world = self.world();
        world.files.push(Content { cache: vec![0; size], medium: vec![0; size], moving: Vec::new() });
        let file = world.files.len() - 1;
        world.names.insert(name.to_owned(), file);
        world.names_on_medium.insert(name.to_owned(), file);
    }

    /// True if all that was planned has gone wrong.
    pub fn plan_is_due(&self) -> bool {
        self.world().plan.is_empty()
    }

    /// True if the process was killed or the power went.
    pub fn is_dead(&self) -> bool {
        self.world().dead
    }

    /// True if the power went.
    pub fn lost_power(&self) -> bool {
        self.world().power_cut
    }

    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.world().calls
    }

    /// The disk as the next start finds it, one of the many ways that `seed` chooses from; without a seed and a power cut
    /// everything is there.
    pub fn restarted(&self, seed: u64, power_cut: bool) -> Self {
        let world = self.world();
        let cut = power_cut || world.power_cut;
        let mut numbers = Numbers(seed);
        let names = if cut {
            let mut names = world.names_on_medium.clone();
            let reached = numbers.next() as usize % (world.names_moving.len() + 1);
            world.names_moving[..reached].iter().for_each(|change| change.apply(&mut names));
            names
        } else {
            world.names.clone()
        };
        let mut files = vec![Content::default(); world.files.len()];
        // In the order of their numbers, as they draw from one row of random ones.
        for (number, before) in world.files.iter().enumerate() {
            let file = &mut files[number];
            if cut {
                file.medium = before.medium.clone();
                // Seeds 0 and 1 are nothing and everything; the others any set of sectors.
                for (at, bytes) in &before.moving {
                    let at = *at;
                    let mut done = 0;
                    while done < bytes.len() {
                        let to_end = SECTOR - (at + done) % SECTOR;
                        let end = (done + to_end).min(bytes.len());
                        let reaches = match seed {
                            0 => false,
                            1 => true,
                            _ => numbers.next().is_multiple_of(2),
                        };
                        if reaches {
                            put(&mut file.medium, at + done, &bytes[done..end]);
                        }
                        done = end;
                    }
                }
            } else {
                file.medium = before.cache.clone();
            }
            // Files without a name are gone.
            if names.values().any(|named| *named == number) {
                file.cache = file.medium.clone();
            } else {
                *file = Content::default();
            }
        }
        let world = World { files, names: names.clone(), names_on_medium: names, ..World::default() };
        Self(Arc::new(Mutex::new(world)))
    }

    /// What a program would find, by name.
    pub fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let world = self.world();
        world.names.iter().map(|(name, file)| (name.clone(), world.files[*file].cache.clone())).collect()
    }

    /// Counts a call, and says what goes wrong with it.
    fn call(&self) -> io::Result<(MutexGuard<'_, World>, Option<Fault>)> {
        let mut world = self.world();
        if world.dead {
            return Err(io::Error::other("the process is gone"));
        }
        world.calls += 1;
        let due = world.plan.first().filter(|(call, _)| *call == world.calls).map(|(_, fault)| *fault);
        if due.is_some() {
            world.plan.remove(0);
        }
        if matches!(due, Some(Fault::Kill | Fault::PowerCut)) {
            world.dead = true;
            world.power_cut = due == Some(Fault::PowerCut);
        }
        Ok((world, due))
    }

    /// A call that changes names: `change` is done unless the fault comes first.
    fn change(&self, change: impl FnOnce(&mut World) -> io::Result<()>) -> io::Result<()> {
        let (mut world, fault) = self.call()?;
        match fault {
            Some(Fault::Refused) => Err(refused()),
            Some(Fault::HalfWay | Fault::Kill | Fault::PowerCut) => {
                change(&mut world)?;
                Err(refused())
            }
            _ => change(&mut world),
        }
    }

    /// A call that only looks.
    fn look<T>(&self, look: impl FnOnce(&mut World) -> io::Result<T>) -> io::Result<T> {
        let (mut world, fault) = self.call()?;
        match fault {
            None | Some(Fault::Full | Fault::Short) => look(&mut world),
            Some(_) => Err(refused()),
        }
    }
}

fn refused() -> io::Error {
    io::Error::other("input/output error")
}

impl Disk for FaultyDisk {
    fn path(&self, name: &str) -> String {
        format!("faulty/{name}")
    }

    fn open(&self, name: &str, how: How) -> io::Result<Box<dyn DiskFile>> {
        let mut file = None;
        self.change(|world| {
            let found = world.names.get(name).copied();
            let link = match (how, found) {
                (How::Read | How::Write, None) => return Err(io::ErrorKind::NotFound.into()),
                (How::Read | How::Write | How::Create, Some(found)) => {
                    file = Some(found);
                    false
                }
                (How::New, Some(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
                (How::Create | How::New, None) => true,
            };
            if link {
                world.files.push(Content::default());
                let made = world.files.len() - 1;
                let change = NameChange::Link(name.to_owned(), made);
                change.apply(&mut world.names);
                world.names_moving.push(change);
                file = Some(made);
            }
            Ok(())
        })?;
        let file = file.ok_or_else(refused)?;
        Ok(Box::new(FaultyFile { disk: self.clone(), file, locked: Mutex::new(false) }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change(|world| {
            if !world.names.contains_key(from) {
                return Err(io::ErrorKind::NotFound.into());
            }
            let change = NameChange::Rename(from.to_owned(), to.to_owned());
            change.apply(&mut world.names);
            world.names_moving.push(change);
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change(|world| {
            if !world.names.contains_key(name) {
                return Err(io::ErrorKind::NotFound.into());
            }
            let change = NameChange::Remove(name.to_owned());
            change.apply(&mut world.names);
            world.names_moving.push(change);
            Ok(())
        })
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        self.look(|world| Ok(world.names.contains_key(name)))
    }

    fn sync(&self) -> io::Result<()> {
        let (mut world, fault) = self.call()?;
        match fault {
            None | Some(Fault::Full | Fault::Short) => {
                world.names_on_medium = world.names.clone();
                world.names_moving.clear();
                Ok(())
            }
            Some(_) => Err(refused()),
        }
    }
}

/// A file on it.
struct FaultyFile {
    disk: FaultyDisk,
    file: usize,
    locked: Mutex<bool>,
}

impl FaultyFile {
    fn sync(&self) -> io::Result<()> {
        let (mut world, fault) = self.disk.call()?;
        let file = &mut world.files[self.file];
        match fault {
            None | Some(Fault::Full | Fault::Short) => {
                for (at, bytes) in core::mem::take(&mut file.moving) {
                    put(&mut file.medium, at, &bytes);
                }
                Ok(())
            }
            Some(Fault::HalfWay) => {
                // As Linux does: the pages are clean now, and the next sync knows nothing of them.
                file.moving.clear();
                Err(refused())
            }
            Some(_) => Err(refused()),
        }
    }
}

impl DiskFile for FaultyFile {
    fn size(&self) -> io::Result<u64> {
        self.disk.look(|world| Ok(world.files[self.file].cache.len() as u64))
    }

    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<usize> {
        let (world, fault) = self.disk.call()?;
        let rest = world.files[self.file].cache.get(at as usize..).unwrap_or_default();
        let length = match fault {
            None | Some(Fault::Full) => rest.len().min(out.len()),
            Some(Fault::Short) => rest.len().min(out.len().div_ceil(2)),
            Some(_) => return Err(refused()),
        };
        out[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        let (mut world, fault) = self.disk.call()?;
        let taken = match fault {
            None => bytes,
            Some(Fault::Full) => return Err(io::ErrorKind::StorageFull.into()),
            Some(Fault::Refused) => return Err(refused()),
            // Not on a sector's end, so that a torn sector is among what is tried.
            Some(Fault::Short | Fault::HalfWay | Fault::Kill | Fault::PowerCut) => &bytes[..bytes.len().div_ceil(2)],
        };
        let file = &mut world.files[self.file];
        put(&mut file.cache, at as usize, taken);
        file.moving.push((at as usize, taken.to_vec()));
        match fault {
            None | Some(Fault::Short) => Ok(taken.len()),
            Some(_) => Err(refused()),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync()
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.disk.look(|world| {
            let mut mine = self.locked.lock().unwrap();
            if !*mine && world.locked.contains(&self.file) {
                return Ok(false);
            }
            if !core::mem::replace(&mut *mine, true) {
                world.locked.push(self.file);
            }
            Ok(true)
        })
    }

    fn unlock(&self) {
        if core::mem::take(&mut *self.locked.lock().unwrap()) {
            self.disk.world().locked.retain(|file| *file != self.file);
        }
    }

    fn is_linked(&self) -> io::Result<bool> {
        self.disk.look(|world| Ok(world.names.values().any(|file| *file == self.file)))
    }
}

impl Drop for FaultyFile {
    fn drop(&mut self) {
        self.unlock();
    }
}
