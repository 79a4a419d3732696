//! Key managers under a sealed state in use: what a running VM notices of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealwright_keys::{Phase, ShredFault, Shredding, open};
use sealwright_state::backend::{Durability, Folder};
use sealwright_state::disk::HostFolder;
use sealwright_state::{KeyError, KeyManager, Kind, Settings, StateError, Store, VmId};

/// A folder that goes away with the test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sealwright-keys-store-{name}-{}", std::process::id()));
        std::fs::create_dir_all(path.join("state")).unwrap();
        Self(path)
    }

    fn key(&self, name: &str, byte: u8) -> Arc<dyn KeyManager> {
        std::fs::write(self.0.join(name), [byte; 32]).unwrap();
        open(&format!("file:{}", self.0.join(name).display())).unwrap().into()
    }

    fn store(&self, keys: &Arc<dyn KeyManager>) -> Store {
        let disk = HostFolder::open(&self.0.join("state"), None).unwrap();
        let backend = Folder::new(Box::new(disk), Kind::Tpm, Durability::None, true);
        let settings = Settings { vm: Some(VmId::new("vm-1").unwrap()), ..Settings::new(Kind::Tpm) };
        Store::new(Box::new(backend), Some(Arc::clone(keys)), settings)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn created(place: &Place, keys: &Arc<dyn KeyManager>) -> Store {
    let mut store = place.store(keys);
    store.lock().unwrap();
    store.create(&[1; 100], "new").unwrap();
    store
}

fn contains(folder: &Path, what: &[u8]) -> bool {
    let files = std::fs::read_dir(folder).unwrap().flatten().filter(|entry| entry.path().is_file());
    files.into_iter().any(|file| std::fs::read(file.path()).unwrap().windows(what.len()).any(|part| part == what))
}

#[test]
fn the_wrapping_key_is_rotated_while_the_state_is_in_use() {
    let place = Place::new("rotation");
    let (old, new) = (place.key("old", 0x61), place.key("new", 0x62));
    let mut store = created(&place, &old);
    store.rewrap(Arc::clone(&new)).unwrap();
    store.commit(&[2; 100]).unwrap();
    assert!(!new.is_outdated(store.wrapped_key().unwrap()) && old.is_outdated(store.wrapped_key().unwrap()));
    drop(store);
    std::fs::remove_file(place.0.join("old")).unwrap();
    let mut again = place.store(&new);
    again.load().unwrap();
    assert_eq!(&**again.state().unwrap(), [2; 100]);
    let with_old = place.store(&place.key("old", 0x61)).load().unwrap_err();
    assert!(matches!(with_old, StateError::WrongKey { .. } | StateError::Key(KeyError::WrongKey { .. })), "{with_old}");
    for secret in [[0x61; 16], [0x62; 16], [2; 16]] {
        assert!(!contains(&place.0.join("state"), &secret));
    }
}

#[test]
fn a_running_vm_does_not_notice_that_its_key_manager_fails() {
    let place = Place::new("fails");
    let key = place.key("key", 0x63);
    let mut store = created(&place, &key);
    std::fs::rename(place.0.join("key"), place.0.join("gone")).unwrap();
    store.commit(&[2; 100]).unwrap();
    let missing: Arc<dyn KeyManager> = open("file:/proc/nonexistent/key").unwrap().into();
    assert!(matches!(store.rewrap(missing), Err(StateError::Key(KeyError::NotFound { .. }))));
    store.commit(&[3; 100]).unwrap();
    drop(store);
    let refused = place.store(&key).load().unwrap_err();
    assert!(refused.to_string().contains(place.0.join("key").to_str().unwrap()), "{refused}");
    std::fs::rename(place.0.join("gone"), place.0.join("key")).unwrap();
    let mut again = place.store(&key);
    again.load().unwrap();
    assert_eq!(&**again.state().unwrap(), [3; 100]);
}

/// A server that accepts and then says nothing.
#[cfg(feature = "vault")]
#[test]
fn a_key_manager_that_hangs_is_given_up_and_the_state_goes_on() {
    let place = Place::new("hangs");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    std::fs::write(place.0.join("token"), "t").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (token, ca) = (place.0.join("token"), concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/ca.pem"));
    let address = format!("vault:http://127.0.0.1:{port}/transit/k?timeout=1&token-file={}&ca={ca}", token.display());
    let hangs: Arc<dyn KeyManager> = open(&address).unwrap().into();
    let mut store = created(&place, &place.key("key", 0x64));
    let started = std::time::Instant::now();
    assert!(matches!(store.rewrap(hangs), Err(StateError::Key(KeyError::Timeout { .. }))));
    assert!(started.elapsed().as_secs() < 5);
    store.commit(&[2; 100]).unwrap();
    drop(store);
    place.store(&place.key("key", 0x64)).load().unwrap();
}

#[test]
fn what_is_to_be_shredded_is_not_opened() {
    let place = Place::new("shred");
    let key = place.key("key", 0x65);
    let store = created(&place, &key);
    let wrapped = store.wrapped_key().unwrap().clone();
    let vm = store.vm().unwrap().clone();
    drop(store);
    let mut order =
        Shredding::schedule(&vm, &[wrapped], "deleted by its owner", 100, core::time::Duration::from_secs(60));
    assert!(matches!(order.permits_use(), Err(ShredFault::Scheduled { due: 160, .. })));
    order.carry_out(&[&*key], 160).unwrap();
    // The file's key is shared, so erasing the wrapped key, that is the journal's header, is the shredding.
    assert_eq!((order.phase, order.shared.len()), (Phase::Done, 1));
    assert!(matches!(order.permits_use(), Err(ShredFault::Done(_))));
}
