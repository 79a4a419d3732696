//! Against our own engine on a socket; against vtpmd and swtpm as processes in `cargo xtask test keys`.

use super::*;
use crate::tpm::double::{Double, Mood, double, execute, start};
use sealwright_state::anchor::contract::{Traits, run};
use sealwright_state::backend::Memory;
use sealwright_state::{Settings, Store};
use std::sync::Arc;

const TRAITS: Traits = Traits { many: false };

impl Double {
    fn anchor(&self, options: &str) -> Box<dyn Anchor> {
        let path = self.folder.path("tpm");
        open_anchor(&format!("tpm:{}?timeout=10&index=0x01800100{options}", path.display())).unwrap()
    }
}

fn vm(name: &str) -> VmId {
    VmId::new(name).unwrap()
}

fn mark(sequence: u64) -> Mark {
    Mark { sequence, digest: Digest::of(&[&sequence.to_be_bytes()]), epoch: 7 }
}

#[test]
fn runs_the_contract() {
    let tpm = double();
    run(&mut || tpm.anchor(""), TRAITS);
    std::fs::write(tpm.folder.path("pin"), "1234\n").unwrap();
    run(&mut || tpm.anchor(&format!("&auth-file={}", tpm.folder.path("pin").display())), TRAITS);
}

/// How often a command of this code was sent.
fn sent(tpm: &Double, code: u8) -> usize {
    let seen = tpm.seen.lock().unwrap();
    seen.windows(10).filter(|head| head.starts_with(&[0x80, 2, 0, 0]) && head.ends_with(&[0, 0, 1, code])).count()
}

#[test]
fn a_run_takes_two_writes_however_long_it_is() {
    let tpm = double();
    let cell = Arc::default();
    for (run, writes) in [(1, 2), (2, 4), (3, 4)] {
        let settings = Settings { vm: Some(vm("a")), ..Settings::new(Kind::Tpm) };
        let store = Store::new(Box::new(Memory::on(Arc::clone(&cell))), None, settings);
        let mut store = store.with_anchor(tpm.anchor(""));
        store.lock().unwrap();
        if run == 1 {
            store.create(b"0", "new").unwrap();
        } else {
            store.load().unwrap();
        }
        // A run without commits takes none.
        (0..if run == 3 { 0 } else { 200 }).for_each(|_| drop(store.commit(b"1").unwrap()));
        store.settle().unwrap();
        store.unlock();
        assert_eq!(sent(&tpm, 0x37), writes, "TPM2_NV_Write in run {run}");
    }
    assert_eq!(sent(&tpm, 0x2A), 1, "TPM2_NV_DefineSpace");
}

#[test]
fn the_interval_of_the_address_is_its_pace() {
    let tpm = double();
    assert_eq!(tpm.anchor("").pace(), Pace::Writer(None));
    assert_eq!(tpm.anchor("&interval=3600").pace(), Pace::Writer(Some(Duration::from_secs(3600))));
}

#[test]
fn survives_the_host() {
    let tpm = double();
    let mut anchor = tpm.anchor("");
    anchor.prepare().unwrap();
    anchor.advance(&vm("a"), Kind::Tpm, mark(3)).unwrap();
    start(&mut tpm.engine.lock().unwrap());
    drop(anchor);
    assert_eq!(tpm.anchor("").read(&vm("a"), Kind::Tpm).unwrap(), Some(mark(3)));
    // Nothing is left loaded in a TPM without a resource manager: TPM2_GetCapability of objects and sessions.
    for first in [0x80, 0x02] {
        let command = [0x80, 1, 0, 0, 0, 22, 0, 0, 1, 0x7A, 0, 0, 0, 1, first, 0, 0, 0, 0, 0, 0, 10];
        let answer = execute(&mut tpm.engine.lock().unwrap(), &command);
        assert_eq!(answer[15..19], [0; 4], "handles {first:#x} are left");
    }
}

#[test]
fn another_value_is_refused() {
    let tpm = double();
    let pin = tpm.folder.path("pin");
    let with = format!("&auth-file={}", pin.display());
    std::fs::write(&pin, "1234").unwrap();
    tpm.anchor(&with).advance(&vm("a"), Kind::Tpm, mark(3)).unwrap();
    std::fs::write(&pin, "4321").unwrap();
    let refused = tpm.anchor(&with).read(&vm("a"), Kind::Tpm).unwrap_err().to_string();
    assert!(refused.contains("auth-file") && refused.contains("0x01800100"), "{refused}");
    assert!(tpm.anchor("").read(&vm("a"), Kind::Tpm).unwrap_err().to_string().contains("something else"));
}

#[test]
fn what_is_taken_away_in_use_is_noticed() {
    let tpm = double();
    let mut anchor = tpm.anchor("");
    anchor.advance(&vm("a"), Kind::Tpm, mark(3)).unwrap();
    tpm.anchor("").forget(&vm("a"), Kind::Tpm).unwrap();
    let gone = anchor.advance(&vm("a"), Kind::Tpm, mark(4)).unwrap_err().to_string();
    assert!(gone.contains("cleared"), "{gone}");
    assert_eq!(anchor.read(&vm("a"), Kind::Tpm).unwrap(), None);
}

#[test]
fn faults_are_named_and_pass() {
    let tpm = double();
    let mut anchor = tpm.anchor("");
    anchor.advance(&vm("a"), Kind::Tpm, mark(3)).unwrap();
    for mood in [Mood::Closes, Mood::Nonsense] {
        *tpm.mood.lock().unwrap() = mood;
        let error = anchor.read(&vm("a"), Kind::Tpm).unwrap_err();
        assert!(matches!(error, StateError::Anchor { .. }), "{error}");
        *tpm.mood.lock().unwrap() = Mood::Good;
        start(&mut tpm.engine.lock().unwrap());
        assert_eq!(anchor.read(&vm("a"), Kind::Tpm).unwrap(), Some(mark(3)), "after {mood:?}");
    }
    // What is held open is not opened again, if it is a socket: the process may not be allowed to.
    anchor.prepare().unwrap();
    *tpm.mood.lock().unwrap() = Mood::Closes;
    anchor.read(&vm("a"), Kind::Tpm).unwrap_err();
    *tpm.mood.lock().unwrap() = Mood::Good;
    let lost = anchor.read(&vm("a"), Kind::Tpm).unwrap_err().to_string();
    assert!(lost.contains("start it again"), "{lost}");
    let mut none = open_anchor("tpm:/proc/nonexistent/tpm?index=0x01800100").unwrap();
    let absent = none.read(&vm("a"), Kind::Tpm).unwrap_err().to_string();
    assert!(absent.contains("no such device"), "{absent}");
}

#[test]
fn addresses_are_checked() {
    let refused = |address: &str| open_anchor(address).err().unwrap().to_string();
    assert!(refused("tpm:").contains("index=0x01800100"));
    assert!(refused("tpm:?index=0x81000001").contains("no NV Index"));
    assert!(refused("tpm:?index=0x01800100&interval=1").contains("wears"));
    assert!(refused("tpm:tpm0?index=0x01800100").contains("absolute"));
    assert!(refused("tpm:?index=0x01800100&pcrs=sha256:7").contains("pcrs"));
    assert!(refused("vault:x?index=0x01800100").contains("no anchor"));
}

#[test]
fn every_changed_byte_of_the_content_is_found() {
    let content = encode(&vm("a"), Kind::Tpm, mark(3));
    assert_eq!(content.len(), usize::from(SIZE));
    assert_eq!(decode(&content, &vm("a"), Kind::Tpm).unwrap(), mark(3));
    for at in 0..content.len() {
        let mut bad = content.clone();
        bad[at] ^= 1;
        assert!(decode(&bad, &vm("a"), Kind::Tpm).is_err(), "byte {at}");
        assert!(decode(&content[..at], &vm("a"), Kind::Tpm).is_err(), "cut at {at}");
    }
}
