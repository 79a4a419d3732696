//! New keys that somebody else made, and the data key in memory that makes the key manager dispensable.

use super::*;
use crate::backend::{Durability, Folder, Memory, MemoryCell};
use crate::disk::HostFolder;
use crate::key::KeyError;
use crate::testing::{ByteKey, Place};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Mutex;

/// Counts what it is asked, can be down, and can wrap what it does not open again.
#[derive(Default)]
struct Manager {
    byte: u8,
    asked: AtomicUsize,
    down: AtomicBool,
    lies: bool,
}

impl Manager {
    fn new(byte: u8) -> Arc<Self> {
        Arc::new(Self { byte, ..Self::default() })
    }

    fn answer(&self) -> Result<ByteKey, KeyError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.down.load(Ordering::SeqCst) {
            true => Err(KeyError::Unavailable { manager: "byte".to_owned(), why: "it is down".to_owned() }),
            false => Ok(ByteKey(self.byte)),
        }
    }
}

impl KeyManager for Manager {
    fn name(&self) -> &str {
        "byte"
    }
    fn wrap(&self, context: &KeyContext, key: &DataKey) -> Result<WrappedKey, KeyError> {
        self.answer()?.wrap(context, key)
    }
    fn unwrap(&self, context: &KeyContext, wrapped: &WrappedKey) -> Result<DataKey, KeyError> {
        let key = self.answer()?.unwrap(context, wrapped)?;
        Ok(if self.lies { DataKey::new([0; 32]) } else { key })
    }
}

fn settings() -> Settings {
    Settings { vm: Some(VmId::new("vm-1").unwrap()), history: 3, ..Settings::new(Kind::Tpm) }
}

fn store(place: &Place, keys: &Arc<Manager>) -> Store {
    let disk = HostFolder::open(place.path(), None).unwrap();
    let backend = Folder::new(Box::new(disk), Kind::Tpm, Durability::None, true);
    Store::new(Box::new(backend), Some(keys.clone()), settings())
}

fn made(mut store: Store) -> Store {
    store.lock().unwrap();
    store.create(&[1; 100], "new").unwrap();
    for n in 2..=4 {
        store.commit(&[n; 100]).unwrap();
    }
    store
}

fn opens(place: &Place, byte: u8) -> Result<u8, StateError> {
    let mut store = store(place, &Manager::new(byte));
    store.verify()?;
    Ok(store.state().unwrap()[0])
}

#[test]
fn a_wrapped_key_from_elsewhere_is_stored_if_it_is_for_the_present_data_key() {
    let place = Place::new("install");
    let keys = Manager::new(5);
    let mut store = made(store(&place, &keys));
    let context = store.key_context().unwrap();
    let key = keys.unwrap(&context, store.wrapped_key().unwrap()).unwrap();
    let wrapped = ByteKey(9).wrap(&context, &key).unwrap();
    let asked = keys.asked.load(Ordering::SeqCst);
    let other = DataKeyId([7; 16]);
    match store.rewrap_with(other, wrapped.clone()) {
        Err(StateError::OtherDataKey { expected, found, .. }) => {
            assert_eq!((expected, found), (other, context.data_key))
        }
        unexpected => panic!("{unexpected:?}"),
    }
    assert_eq!(opens(&place, 5).unwrap(), 4, "nothing changed");
    let newest = store.newest();
    store.rewrap_with(context.data_key, wrapped).unwrap();
    assert_eq!(store.newest(), newest, "no record changes");
    assert_eq!(opens(&place, 9).unwrap(), 4);
    assert!(matches!(opens(&place, 5), Err(StateError::WrongKey { .. })));
    // The old manager may be gone: the data key is in memory, whatever the header says.
    keys.down.store(true, Ordering::SeqCst);
    store.commit(&[5; 100]).unwrap();
    store.unlock();
    store.lock().unwrap();
    store.load().unwrap();
    store.commit(&[6; 100]).unwrap();
    assert_eq!(keys.asked.load(Ordering::SeqCst), asked, "nobody was asked");
    assert_eq!(opens(&place, 9).unwrap(), 6);
}

#[test]
fn a_data_key_from_elsewhere_seals_everything_that_is_kept() {
    let place = Place::new("given");
    let keys = Manager::new(5);
    let mut store = made(store(&place, &keys));
    let before = store.key_context().unwrap();
    let (id, key) = (DataKeyId([7; 16]), DataKey::new([8; 32]));
    let wrapped = ByteKey(9).wrap(&KeyContext { data_key: id, ..before.clone() }, &key).unwrap();
    assert!(store.reseal_with(before.data_key, key.clone(), wrapped.clone(), "").is_err());
    assert!(store.reseal_with(DataKeyId::NONE, key.clone(), wrapped.clone(), "").is_err());
    let made = store.reseal_with(id, key.clone(), wrapped, "yearly").unwrap();
    assert_eq!((made.key, made.reason.as_str()), (id, "yearly"));
    assert!(store.history().unwrap().iter().all(|g| g.key == id));
    assert!(store.is_proof(b"x", &key.prove(b"x")) && !store.is_proof(b"y", &key.prove(b"x")));
    keys.down.store(true, Ordering::SeqCst);
    store.load().unwrap();
    store.commit(&[5; 100]).unwrap();
    assert_eq!(opens(&place, 9).unwrap(), 5);
    assert!(opens(&place, 5).is_err());
}

#[test]
fn a_plain_state_takes_a_key_and_then_stays_sealed() {
    let cell: Arc<Mutex<MemoryCell>> = Arc::default();
    let plain = || Store::new(Box::new(Memory::on(cell.clone())), None, settings());
    let mut store = made(plain());
    let unsealed = cell.lock().unwrap().journal.clone();
    assert!(store.key_context().is_none() && !store.is_sealed());
    store.check_present(DataKeyId::NONE).unwrap();
    let (id, key) = (DataKeyId([7; 16]), DataKey::new([8; 32]));
    let context = KeyContext { vm: VmId::new("vm-1").unwrap(), kind: Kind::Tpm, data_key: id };
    assert!(matches!(
        store.rewrap_with(DataKeyId::NONE, ByteKey(9).wrap(&context, &key).unwrap()),
        Err(StateError::NotSealed { .. })
    ));
    store.reseal_with(id, key.clone(), ByteKey(9).wrap(&context, &key).unwrap(), "now encrypted").unwrap();
    assert!(store.is_sealed());
    store.load().unwrap();
    store.commit(&[5; 100]).unwrap();
    assert!(matches!(plain().load(), Err(StateError::KeyMissing { .. })));
    cell.lock().unwrap().journal = unsealed;
    assert!(matches!(store.load(), Err(StateError::NotSealed { .. })), "a plain one is not taken for it any more");
}

#[test]
fn a_manager_that_is_down_or_lies_changes_nothing() {
    let place = Place::new("down");
    let mut store = made(store(&place, &Manager::new(5)));
    let bytes = std::fs::read(place.file("tpm.state")).unwrap();
    let down = Manager::new(9);
    down.down.store(true, Ordering::SeqCst);
    let liar = Arc::new(Manager { byte: 9, lies: true, ..Manager::default() });
    assert!(matches!(store.rewrap(down.clone()), Err(StateError::Key(KeyError::Unavailable { .. }))));
    assert!(matches!(store.reseal(Some(down), ""), Err(StateError::Key(KeyError::Unavailable { .. }))));
    assert!(matches!(store.rewrap(liar.clone()), Err(StateError::Key(KeyError::WrongKey { .. }))));
    assert!(matches!(store.reseal(Some(liar), ""), Err(StateError::Key(KeyError::WrongKey { .. }))));
    assert_eq!(std::fs::read(place.file("tpm.state")).unwrap(), bytes);
    store.commit(&[5; 100]).unwrap();
    assert_eq!(opens(&place, 5).unwrap(), 5);
}

#[test]
fn a_disk_that_fails_leaves_the_old_keys() {
    let cell: Arc<Mutex<MemoryCell>> = Arc::default();
    let on = |byte: u8| Store::new(Box::new(Memory::on(cell.clone())), Some(Manager::new(byte)), settings());
    let mut store = made(on(5));
    let context = store.key_context().unwrap();
    cell.lock().unwrap().full = true;
    assert!(matches!(store.rewrap(Manager::new(9)), Err(StateError::Full { .. })));
    assert!(matches!(store.reseal(Some(Manager::new(9)), ""), Err(StateError::Full { .. })));
    assert_eq!(store.key_context(), Some(context));
    cell.lock().unwrap().full = false;
    store.commit(&[5; 100]).unwrap();
    let mut again = on(5);
    again.verify().unwrap();
    assert_eq!(again.state().unwrap()[0], 5);
}

#[test]
fn keys_that_changed_while_the_lock_was_away() {
    let place = Place::new("away");
    let keys = Manager::new(5);
    let mut source = made(store(&place, &keys));
    let asked = || keys.asked.load(Ordering::SeqCst);
    let by_another = |byte: u8, change: &dyn Fn(&mut Store)| {
        let mut other = store(&place, &Manager::new(byte));
        other.lock().unwrap();
        other.load().unwrap();
        change(&mut other);
    };
    // Only the wrapping key: the data key in memory does.
    source.unlock();
    by_another(5, &|other| other.rewrap(Manager::new(9)).unwrap());
    keys.down.store(true, Ordering::SeqCst);
    let before = asked();
    source.lock().unwrap();
    source.commit(&[4; 100]).unwrap();
    assert_eq!(asked(), before);
    source.unlock();
    // The data key too, by the manager that is known here, which is down for a while.
    by_another(9, &|other| other.rewrap(Manager::new(5)).unwrap());
    by_another(5, &|other| drop(other.reseal(Some(Manager::new(5)), "new").unwrap()));
    let refused = source.lock().unwrap_err();
    assert!(matches!(&refused, StateError::KeyChanged { .. }), "{refused}");
    assert!(refused.to_string().contains("it is down"), "{refused}");
    assert!(!source.is_locked());
    keys.down.store(false, Ordering::SeqCst);
    source.lock().unwrap();
    source.commit(&[4; 100]).unwrap();
    source.unlock();
    // The data key, by somebody who is not known here.
    by_another(5, &|other| drop(other.reseal(Some(Manager::new(9)), "new").unwrap()));
    for _ in 0..2 {
        let refused = source.lock().unwrap_err();
        assert!(refused.to_string().contains("Start this program again"), "{refused}");
    }
    assert_eq!(opens(&place, 9).unwrap(), 4);
}

#[test]
fn another_content_is_refused_again_and_again_until_the_old_one_is_forgotten() {
    let place = Place::new("again");
    let mut source = made(store(&place, &Manager::new(5)));
    source.unlock();
    let mut other = store(&place, &Manager::new(5));
    other.lock().unwrap();
    other.load().unwrap();
    other.commit(&[9; 100]).unwrap();
    drop(other);
    for _ in 0..3 {
        assert!(matches!(source.lock(), Err(StateError::Changed { .. })));
    }
    source.forget();
    source.lock().unwrap();
    source.load().unwrap();
    assert_eq!(source.state().unwrap()[0], 9);
    source.forget();
    assert!(source.is_open(), "the one writer forgets nothing");
}

#[test]
fn a_prepared_state_is_made_without_its_key_manager() {
    for vm in [settings().vm, None] {
        let place = Place::new("prepared");
        let keys = Manager::new(5);
        let disk = HostFolder::open(place.path(), None).unwrap();
        let backend = Folder::new(Box::new(disk), Kind::Tpm, Durability::None, true);
        let mut store = Store::new(Box::new(backend), Some(keys.clone()), Settings { vm, ..settings() });
        store.prepare().unwrap();
        store.prepare().unwrap();
        assert_eq!(keys.asked.load(Ordering::SeqCst), 1);
        assert!(std::fs::read_dir(place.path()).unwrap().next().is_none(), "nothing is stored");
        keys.down.store(true, Ordering::SeqCst);
        assert!(store.create(&[1; 100], "without the lock").is_err());
        store.lock().unwrap();
        store.create(&[1; 100], "new").unwrap();
        drop(store);
        let mut again = Store::new(
            Box::new(Folder::new(
                Box::new(HostFolder::open(place.path(), None).unwrap()),
                Kind::Tpm,
                Durability::None,
                true,
            )),
            Some(Manager::new(5)),
            Settings::new(Kind::Tpm),
        );
        again.verify().unwrap();
    }
}
