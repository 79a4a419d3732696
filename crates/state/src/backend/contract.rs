//! What every back end promises, asked of each.

use super::{Backend, Device, Durability, Folder, Memory, MemoryCell};
use crate::disk::HostFolder;
use crate::error::StateError;
use crate::identity::Kind;
use crate::lease::{Holder, Lease};
use crate::testing::Place;
use std::sync::{Arc, Mutex};

/// A place on which several back ends can be opened.
trait Rig {
    fn new(name: &str) -> Self;
    fn open(&self) -> Box<dyn Backend>;
}

struct InMemory(Arc<Mutex<MemoryCell>>);

impl Rig for InMemory {
    fn new(_: &str) -> Self {
        Self(Arc::default())
    }
    fn open(&self) -> Box<dyn Backend> {
        Box::new(Memory::on(self.0.clone()))
    }
}

struct InFolder(Place);

impl Rig for InFolder {
    fn new(name: &str) -> Self {
        Self(Place::new(name))
    }
    fn open(&self) -> Box<dyn Backend> {
        let disk = HostFolder::open(self.0.path(), None).unwrap();
        Box::new(Folder::new(Box::new(disk), Kind::Tpm, Durability::Full, true))
    }
}

/// A single file; a block device is opened in the same way.
struct InFile(Place);

impl Rig for InFile {
    fn new(name: &str) -> Self {
        Self(Place::new(name))
    }
    fn open(&self) -> Box<dyn Backend> {
        Box::new(Device::open(&self.0.file("one"), None, Kind::Tpm, Durability::Data, true).unwrap())
    }
}

#[cfg(feature = "sqlite")]
struct InDatabase(Place);

#[cfg(feature = "sqlite")]
impl Rig for InDatabase {
    fn new(name: &str) -> Self {
        Self(Place::new(name))
    }
    fn open(&self) -> Box<dyn Backend> {
        let vm = crate::identity::VmId::new("vm").unwrap();
        Box::new(super::Sqlite::open(&self.0.file("db"), vm, Kind::Tpm, Durability::Data).unwrap())
    }
}

/// The server is named by `SEALWRIGHT_POSTGRES`; each test has a VM of its own.
#[cfg(feature = "postgres")]
struct InPostgres(crate::identity::VmId);

#[cfg(feature = "postgres")]
impl Rig for InPostgres {
    fn new(name: &str) -> Self {
        let unique = format!("{name}-{}-{}", std::process::id(), crate::lease::now());
        Self(crate::identity::VmId::new(unique).unwrap())
    }
    fn open(&self) -> Box<dyn Backend> {
        let address =
            std::env::var("SEALWRIGHT_POSTGRES").expect("SEALWRIGHT_POSTGRES names the server for these tests");
        Box::new(super::Postgres::open(&address, self.0.clone(), Kind::Tpm, Durability::Data).unwrap())
    }
}

fn locked(rig: &impl Rig) -> Box<dyn Backend> {
    let mut backend = rig.open();
    backend.lock().unwrap();
    backend.claim(&Lease { epoch: 1, present: true, holder: Some(Holder::here()) }).unwrap();
    backend
}

fn begins_with(found: &[u8], bytes: &[u8]) -> bool {
    found.starts_with(bytes) && found[bytes.len()..].iter().all(|b| *b == 0)
}

fn starts_with_nothing(rig: &impl Rig) {
    let mut backend = rig.open();
    assert_eq!(backend.read().unwrap(), None);
    assert_eq!(backend.lease(), None);
    assert_eq!(backend.trace(), None);
    assert!(!backend.place().is_empty());
}

fn keeps_what_is_replaced_and_appended(rig: &impl Rig) {
    let mut one = locked(rig);
    assert_eq!(one.read().unwrap(), None);
    one.replace(&[1; 5000], 12_288).unwrap();
    one.append(8192, &[2; 4096]).unwrap();
    assert_eq!(one.read_at(8192, 4096).unwrap(), [2; 4096]);
    let expected = [&[1; 5000][..], &[0; 3192], &[2; 4096]].concat();
    assert!(begins_with(&rig.open().read().unwrap().unwrap(), &expected));
    one.replace(&[3; 4096], 8192).unwrap();
    assert!(begins_with(&one.read().unwrap().unwrap(), &[3; 4096]));
    assert!(begins_with(&rig.open().read().unwrap().unwrap(), &[3; 4096]));
    one.replace(&[4; 70_000], 0).unwrap();
    assert!(begins_with(&one.read().unwrap().unwrap(), &[4; 70_000]));
    assert!(one.read_at(200_000_000, 1).is_err());
}

fn what_was_discarded_is_gone(rig: &impl Rig) {
    let mut one = locked(rig);
    one.replace(&[1; 4096], 12_288).unwrap();
    one.append(4096, &[2; 4096]).unwrap();
    one.discard(4096, 4096);
    assert!(begins_with(&rig.open().read().unwrap().unwrap(), &[1; 4096]));
}

fn removes(rig: &impl Rig) {
    let mut one = locked(rig);
    one.remove().unwrap();
    one.replace(&[1; 4096], 8192).unwrap();
    one.remove().unwrap();
    assert_eq!(one.read().unwrap(), None);
    assert_eq!(rig.open().read().unwrap(), None);
    drop(one);
    assert_eq!(rig.open().trace(), None, "what was removed on purpose is not missed");
}

fn an_order_stands_until_it_is_taken_back(rig: &impl Rig) {
    let mut one = locked(rig);
    if matches!(one.set_order(Some(b"x")), Err(StateError::NotOpen { .. })) {
        assert_eq!(one.order().unwrap(), None, "who cannot keep orders has none");
        return;
    }
    one.replace(&[1; 4096], 8192).unwrap();
    let long = vec![0x41; super::MAX_ORDER];
    for order in [&b"first"[..], &long, b"second"] {
        one.set_order(Some(order)).unwrap();
        assert_eq!(rig.open().order().unwrap().as_deref(), Some(order));
    }
    let too_long = vec![0x41; super::MAX_ORDER + 1];
    assert!(matches!(one.set_order(Some(&too_long)), Err(StateError::TooLarge { .. })));
    assert_eq!(rig.open().order().unwrap().as_deref(), Some(&b"second"[..]));
    assert!(begins_with(&rig.open().read().unwrap().unwrap(), &[1; 4096]), "the journal is as it was");
    one.unlock();
    assert!(rig.open().set_order(None).is_err(), "not without the lock");
    let mut other = locked(rig);
    assert!(other.order().unwrap().is_some());
    other.set_order(None).unwrap();
    assert_eq!(rig.open().order().unwrap(), None);
}

fn erases(rig: &impl Rig) {
    let mut one = locked(rig);
    one.erase().unwrap();
    one.replace(&[0x5A; 4096], 8192).unwrap();
    one.append(4096, &[0xA5; 4096]).unwrap();
    let kept = one.set_order(Some(b"the end")).is_ok();
    one.erase().unwrap();
    one.erase().unwrap();
    assert_eq!(one.read().unwrap(), None);
    assert_eq!(rig.open().read().unwrap(), None);
    assert_eq!(rig.open().order().unwrap().is_some(), kept, "the order is not erased with it");
}

fn has_one_writer(rig: &impl Rig) {
    let mut one = locked(rig);
    assert!(one.is_locked());
    let mut two = rig.open();
    match two.lock() {
        Err(StateError::Locked { holder, .. }) => {
            assert!(holder.contains(&format!("process {} on host", std::process::id())), "{holder}");
        }
        other => panic!("{other:?}"),
    }
    assert!(!two.is_locked());
    // A refused one must not take the lock away by leaving.
    drop(two);
    assert!(rig.open().lock().is_err());
    one.unlock();
    assert!(!one.is_locked());
    let before = rig.open().lock().unwrap().unwrap();
    assert_eq!((before.epoch, before.present, before.holder), (1, true, None));
}

fn a_newer_epoch_ends_the_older(rig: &impl Rig) {
    let mut old = locked(rig);
    old.replace(&[1; 4096], 12_288).unwrap();
    old.unlock();
    let mut new = rig.open();
    new.lock().unwrap();
    new.claim(&Lease { epoch: 2, present: true, holder: Some(Holder::here()) }).unwrap();
    // The old one has not given up: whatever it thinks of its lock, it cannot write.
    let refused =
        |e: StateError| matches!(e, StateError::Fenced { .. } | StateError::NotOpen { .. } | StateError::Locked { .. });
    assert!(refused(old.append(4096, &[9; 4096]).unwrap_err()));
    assert!(refused(old.replace(&[9; 4096], 0).unwrap_err()));
    assert!(refused(old.remove().unwrap_err()));
    old.discard(0, 4096);
    assert!(begins_with(&new.read().unwrap().unwrap(), &[1; 4096]));
    new.append(4096, &[2; 4096]).unwrap();
}

macro_rules! contract {
    ($($rig:ident: $type:ty,)*) => { $(mod $rig {
        use super::*;
        contract!(@ $type, starts_with_nothing, keeps_what_is_replaced_and_appended, what_was_discarded_is_gone, removes,
            an_order_stands_until_it_is_taken_back, erases,
            has_one_writer, a_newer_epoch_ends_the_older);
    })* };
    (@ $type:ty, $($test:ident),*) => { $(#[test] fn $test() { super::$test(&<$type>::new(stringify!($test))); })* };
}

contract! {
    memory: InMemory,
    folder: InFolder,
    file: InFile,
}

#[cfg(feature = "sqlite")]
contract! {
    sqlite: InDatabase,
}

#[cfg(feature = "postgres")]
contract! {
    postgres: InPostgres,
}
