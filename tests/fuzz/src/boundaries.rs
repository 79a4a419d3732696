//! The other places where bytes come in that somebody may have made: files of states and keys, and blobs of migrations. Each
//! has good inputs to begin with and a function that must bear anything.

use crate::attack::damaged;
use crate::{memory, record};
use sealwright_core::{Engine, Platform, PlatformFault};
use sealwright_crypto::RUST;
use sealwright_differential::wire::Random;
use sealwright_state::backend::{Memory, MemoryCell};
use sealwright_state::swtpm::{self, Kdf, KeySize, SwtpmKey};
use sealwright_state::{KeyId, Kind, Settings, Store, WrappedKey};
use sealwright_tpm2::Tpm2;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// One of them.
struct Boundary {
    name: &'static str,
    /// Inputs that are accepted.
    good: fn() -> Vec<Vec<u8>>,
    /// Takes an input in; true if it was accepted.
    run: fn(&[u8]) -> bool,
}

const ALL: &[Boundary] = &[
    Boundary { name: "journal", good: journals, run: read_journal },
    Boundary { name: "wrapped-key", good: wrapped_keys, run: |bytes| WrappedKey::decode(bytes).is_some() },
    Boundary { name: "swtpm-envelope", good: envelopes, run: open_envelope },
    Boundary { name: "swtpm-migration", good: migrations, run: open_migration },
    Boundary { name: "libtpms-permanent", good: || vec![libtpms_state()], run: read_libtpms },
];

/// Kibibytes by which the process may grow.
const GROWTH: u64 = 64 * 1024;

struct Host(Random);

impl Platform for Host {
    fn entropy(&mut self, out: &mut [u8]) -> Result<(), PlatformFault> {
        out.copy_from_slice(&self.0.bytes(out.len()));
        Ok(())
    }
    fn now(&mut self) -> u64 {
        0
    }
    fn commit(&mut self, _: &[u8]) -> Result<(), PlatformFault> {
        Ok(())
    }
}

fn libtpms_state() -> Vec<u8> {
    let made = Tpm2::manufacture(&RUST, &mut Host(Random(1))).ok();
    made.and_then(|tpm| tpm.to_libtpms_permanent().ok()).map(|bytes| bytes.to_vec()).unwrap_or_default()
}

fn read_libtpms(bytes: &[u8]) -> bool {
    let Ok(tpm) = Tpm2::from_libtpms_permanent(&RUST, bytes) else { return false };
    let _ = (tpm.to_libtpms_permanent(), tpm.save_permanent());
    true
}

fn key() -> SwtpmKey {
    SwtpmKey::from_passphrase(b"fuzz", Kdf::Sha512, KeySize::Aes256)
}

fn envelopes() -> Vec<Vec<u8>> {
    let blob = libtpms_state();
    [None, Some(&key())].into_iter().filter_map(|key| swtpm::seal(&blob, key).ok()).map(|b| b.to_vec()).collect()
}

fn open_envelope(bytes: &[u8]) -> bool {
    let _ = swtpm::protection(bytes);
    let plain = swtpm::open(bytes, None).is_ok();
    swtpm::open(bytes, Some(&key())).is_ok() || plain
}

fn migrations() -> Vec<Vec<u8>> {
    let (blob, key) = (libtpms_state(), key());
    let wrapped = [(None, None), (Some(&key), None), (Some(&key), Some(&key))]
        .map(|(state, migration)| swtpm::wrap_migration(&blob, state, migration));
    wrapped.into_iter().flatten().map(|bytes| bytes.to_vec()).collect()
}

fn open_migration(bytes: &[u8]) -> bool {
    let plain = swtpm::unwrap_migration(bytes, None, None).is_ok();
    swtpm::unwrap_migration(bytes, Some(&key()), Some(&key())).is_ok() || plain
}

fn wrapped_keys() -> Vec<Vec<u8>> {
    let key = |key_id| WrappedKey { manager: "file".into(), key_id, version: 3, bytes: vec![7; 60] };
    KeyId::new("a key").and_then(|id| key(id).encode()).into_iter().collect()
}

fn store(cell: &Arc<Mutex<MemoryCell>>) -> Store {
    Store::new(Box::new(Memory::on(Arc::clone(cell))), None, Settings::new(Kind::Tpm))
}

fn journals() -> Vec<Vec<u8>> {
    let cell = Arc::new(Mutex::new(MemoryCell::default()));
    let mut store = store(&cell);
    let made = store.lock().and_then(|()| store.create(&[1; 300], "new").map(|_| ()));
    let grown = made.and_then(|()| (2..6).try_for_each(|n| store.commit(&[n; 300]).map(|_| ())));
    let journal = cell.lock().ok().and_then(|cell| cell.journal.clone());
    grown.ok().and(journal).into_iter().collect()
}

fn read_journal(bytes: &[u8]) -> bool {
    let mut cell = MemoryCell::default();
    cell.journal = Some(bytes.to_vec());
    let mut store = store(&Arc::new(Mutex::new(cell)));
    if store.load().is_err() {
        return false;
    }
    let _ = (store.state().is_ok(), store.lock().and_then(|()| store.commit(b"next").map(|_| ())));
    true
}

/// Damages the good inputs of each boundary whose name contains `name`, `count` times.
pub(crate) fn run(name: &str, count: u64, seed: u64) -> Result<(), String> {
    let chosen: Vec<&Boundary> = ALL.iter().filter(|b| name == "all" || b.name.contains(name)).collect();
    if chosen.is_empty() {
        let names: Vec<_> = ALL.iter().map(|b| b.name).collect();
        return Err(format!("no boundary is named {name}; there are {}", names.join(", ")));
    }
    for boundary in chosen {
        let (begin, mut chance, mut accepted) = (Instant::now(), Random(seed), 0u64);
        let good = (boundary.good)();
        if good.is_empty() {
            return Err(format!("{}: no good input could be made", boundary.name));
        }
        let start = memory("VmRSS:");
        for _ in 0..count {
            let chosen: &Vec<u8> = chance.pick(&good);
            let mut input = damaged(chosen, &mut chance);
            while chance.below(4) == 0 {
                input = damaged(&input, &mut chance);
            }
            record::begin(&input);
            accepted += u64::from((boundary.run)(&input));
            record::end();
        }
        let (seconds, peak) = (begin.elapsed().as_secs_f64(), memory("VmHWM:"));
        println!("{:18} {count} inputs, {accepted} accepted, {seconds:.1} s, {start} to {peak} KiB", boundary.name);
        if peak > start.saturating_add(GROWTH) {
            return Err(format!("{}: the process has grown", boundary.name));
        }
    }
    Ok(())
}
