//! Golden files: states written by each version of the format, in `golden/`. They are never changed; every version reads
//! them for ever. Their key is in [`KEY`].

use super::{Settings, Store};
use crate::backend::{Memory, MemoryCell};
use crate::generation::Content;
use crate::identity::{Kind, VmId};
use crate::key::{DataKey, KeyContext, KeyError, KeyId, KeyManager, WrappedKey};
use std::sync::{Arc, Mutex};

/// The "wrapping key" of the golden files: the wrapped key is the data key, each byte combined with this one by
/// exclusive or.
const KEY: u8 = 0x5a;

struct Golden;

impl KeyManager for Golden {
    fn name(&self) -> &str {
        "golden"
    }
    fn wrap(&self, _: &KeyContext, key: &DataKey) -> Result<WrappedKey, KeyError> {
        let bytes = key.expose().iter().map(|b| b ^ KEY).collect();
        Ok(WrappedKey { manager: "golden".to_owned(), key_id: KeyId::new("xor").unwrap(), version: 1, bytes })
    }
    fn unwrap(&self, _: &KeyContext, wrapped: &WrappedKey) -> Result<DataKey, KeyError> {
        let key: Vec<u8> = wrapped.bytes.iter().map(|b| b ^ KEY).collect();
        Ok(DataKey::from_slice(&key).unwrap())
    }
}

const VM: &str = "8b2e63f0-5a0a-4c5e-9d3b-6f1c2a7e9b10";

fn store(journal: Option<Vec<u8>>, kind: Kind, sealed: bool) -> (Store, Arc<Mutex<MemoryCell>>) {
    let cell: Arc<Mutex<MemoryCell>> = Arc::default();
    cell.lock().unwrap().journal = journal;
    let settings = Settings { vm: Some(VmId::new(VM).unwrap()), ..Settings::new(kind) };
    let keys = sealed.then(|| Arc::new(Golden) as Arc<dyn KeyManager>);
    (Store::new(Box::new(Memory::on(cell.clone())), keys, settings), cell)
}

/// What every golden file of version 1 holds.
fn script(store: &mut Store, kind: Kind, sealed: bool) {
    store.lock().unwrap();
    store.create(b"first state", "made for the golden file").unwrap();
    store.commit(b"second state").unwrap();
    store.store_volatile(b"volatile state").unwrap();
    store.commit(&[0x77; 5000]).unwrap();
    if sealed {
        store.reseal(Some(Arc::new(Golden)), "a new data key").unwrap();
    }
    if kind == Kind::Nvram {
        store.remove_volatile().unwrap();
    }
}

const FILES: [(&str, Kind, bool); 3] =
    [("v1-tpm-sealed", Kind::Tpm, true), ("v1-tpm-plain", Kind::Tpm, false), ("v1-nvram-sealed", Kind::Nvram, true)];

fn path(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{name}.state"))
}

#[test]
fn golden_files_are_read() {
    for (name, kind, sealed) in FILES {
        let bytes = std::fs::read(path(name)).unwrap();
        let (mut store, _) = store(Some(bytes), kind, sealed);
        let count = store.verify().unwrap();
        let history = store.history().unwrap();
        assert_eq!(count, history.len());
        assert_eq!(history[0].reason, "made for the golden file", "{name}");
        assert_eq!(&**store.state_at(1).unwrap(), b"first state");
        assert_eq!(&**store.state_at(2).unwrap(), b"second state");
        assert_eq!(&**store.state().unwrap(), [0x77; 5000]);
        assert_eq!(history[2].content, Content::Volatile);
        let volatile = store.volatile().unwrap();
        match kind {
            Kind::Tpm => assert_eq!(&**volatile.unwrap(), b"volatile state"),
            Kind::Nvram => assert!(volatile.is_none()),
        }
        let resealed = history.iter().filter(|g| g.was != crate::identity::Digest::NONE).count();
        assert_eq!(resealed, if sealed { 4 } else { 0 }, "{name}");
        // And written on.
        store.lock().unwrap();
        store.commit(b"next").unwrap();
        store.verify().unwrap();
    }
}

/// Makes golden files that are not there yet; those that are there are left alone.
#[test]
#[ignore = "run by hand for a new version of the format"]
fn make_golden_files() {
    for (name, kind, sealed) in FILES {
        if path(name).exists() {
            continue;
        }
        let (mut store, cell) = store(None, kind, sealed);
        script(&mut store, kind, sealed);
        std::fs::write(path(name), cell.lock().unwrap().journal.as_ref().unwrap()).unwrap();
    }
}
