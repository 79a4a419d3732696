use super::*;
use crate::seal::LocalKey;
use crate::testing::CounterMaker;
use sealwright_state::Store;
use sealwright_state::backend::{Memory, MemoryCell};
use sealwright_state::{KeyManager, Settings};
use std::sync::Mutex;

type Cell = Arc<Mutex<MemoryCell>>;

fn tpm_with(memory: &Cell, key: Option<&[u8]>, migration_key: Option<&[u8]>, manners: Manners) -> Tpm {
    let key = key.map(|k| Arc::new(SealKey::test(k)));
    let keys = key.as_ref().map(|key| Arc::new(LocalKey(key.clone())) as Arc<dyn KeyManager>);
    let settings = Settings::new(sealwright_state::Kind::Tpm);
    let store = Store::new(Box::new(Memory::on(memory.clone())), keys, settings);
    Tpm::new(Box::new(CounterMaker), store, key, migration_key.map(SealKey::test), manners, Arc::default())
}

fn tpm(memory: &Cell, key: Option<&[u8]>, migration_key: Option<&[u8]>) -> Tpm {
    tpm_with(memory, key, migration_key, Manners::default())
}

fn run(tpm: &mut Tpm, code: u8) -> u32 {
    let mut response = vec![0; MAX_RESPONSE];
    let n = tpm.execute(0, &[0x80, 1, 0, 0, 0, 10, 0, 0, 0, code], &mut response);
    assert_eq!(n, 10);
    u32::from_be_bytes(response[6..10].try_into().unwrap())
}

#[test]
fn off_means_failure_and_on_means_answers() {
    let memory = Cell::default();
    let mut one = tpm(&memory, None, None);
    assert_eq!(run(&mut one, 1), 0x101);
    one.init(false).unwrap();
    assert_eq!(run(&mut one, 1), 1);
    one.stop();
    assert_eq!(run(&mut one, 1), 0x101);
    one.init(false).unwrap();
    assert_eq!(run(&mut one, 1), 2);
}

#[test]
fn a_commit_that_fails_changes_nothing() {
    let memory = Cell::default();
    let mut one = tpm(&memory, None, None);
    one.init(false).unwrap();
    memory.lock().unwrap().full = true;
    assert_eq!(run(&mut one, 1), 0x923);
    memory.lock().unwrap().full = false;
    assert_eq!(run(&mut one, 1), 1);
}

#[test]
fn missing_is_new_but_damaged_and_lost_are_not() {
    let memory = Cell::default();
    tpm(&memory, None, None).init(false).unwrap();
    let good = memory.lock().unwrap().journal.clone().unwrap();
    for bad in [Vec::new(), good[..good.len() - 4096].to_vec(), vec![7; 200]] {
        memory.lock().unwrap().journal = Some(bad.clone());
        let mut one = tpm(&memory, None, None);
        assert!(one.check_stored().is_err());
        assert_eq!(one.init(false).unwrap_err().code, result::FAIL);
        assert_eq!(memory.lock().unwrap().journal.as_ref(), Some(&bad));
    }
}

#[test]
fn a_sealed_state_opens_with_its_key_only() {
    let memory = Cell::default();
    tpm(&memory, Some(&[1; 32]), None).init(false).unwrap();
    tpm(&memory, Some(&[1; 32]), None).init(false).unwrap();
    assert!(tpm(&memory, Some(&[2; 32]), None).check_stored().unwrap_err().why.contains("another key"));
    assert!(tpm(&memory, None, None).check_stored().unwrap_err().why.contains("no key"));
    let plain = Cell::default();
    tpm(&plain, None, None).init(false).unwrap();
    assert!(tpm(&plain, Some(&[1; 32]), None).check_stored().unwrap_err().why.contains("not encrypted"));
}

#[test]
fn a_migration_carries_permanent_and_volatile_state() {
    for keys in [(None, None), (Some(&[1_u8; 32][..]), None), (Some(&[1; 32][..]), Some(&[3_u8; 32][..]))] {
        for decrypted in [true, false] {
            let (source, target) = (Cell::default(), Cell::default());
            let mut from = tpm(&source, keys.0, keys.1);
            from.init(false).unwrap();
            run(&mut from, 1);
            let (permanent, sealed) = from.state_blob(1, decrypted).unwrap();
            assert_eq!(sealed, keys.0.is_some() && !decrypted);
            let (volatile, _) = from.state_blob(2, decrypted).unwrap();
            assert!(from.host.store.is_locked());
            assert_eq!(from.state_blob(3, decrypted).unwrap_err().code, result::RETRY);
            assert!(!from.host.store.is_locked());

            let mut to = tpm(&target, keys.0, keys.1);
            assert_eq!(to.set_state_blob(2, &volatile).unwrap_err().code, result::RETRY);
            to.set_state_blob(1, &permanent).unwrap();
            to.set_state_blob(2, &volatile).unwrap();
            to.init(true).unwrap();
            assert_eq!(to.engine.as_mut().unwrap().save_volatile(&mut to.host), [1, 1, 0]);
            assert_eq!(run(&mut to, 1), 2);
            if keys.1.is_some() {
                let mut other = tpm(&Cell::default(), keys.0, None);
                assert_eq!(other.set_state_blob(1, &permanent).unwrap_err().code, result::KEY_NOT_FOUND);
            }
        }
    }
}

#[test]
fn a_stored_volatile_state_is_continued_and_deleted_when_asked() {
    let memory = Cell::default();
    let mut one = tpm(&memory, None, None);
    one.init(false).unwrap();
    run(&mut one, 0);
    one.store_volatile().unwrap();
    drop(one);
    let mut two = tpm(&memory, None, None);
    two.init(false).unwrap();
    assert_eq!(two.engine.as_mut().unwrap().save_volatile(&mut two.host), [0, 1, 0]);
    assert!(two.host.store.has_volatile().unwrap());
    two.init(true).unwrap();
    assert!(!two.host.store.has_volatile().unwrap());
}

#[test]
fn a_bad_blob_drops_what_was_received() {
    let memory = Cell::default();
    let mut one = tpm(&memory, None, None);
    let good = envelope::wrap_plain(Kind::Permanent, &[9]).unwrap();
    one.set_state_blob(1, &good).unwrap();
    assert_eq!(one.set_state_blob(2, b"garbage").unwrap_err().code, result::BAD_PARAMETER);
    one.init(false).unwrap();
    assert_eq!(run(&mut one, 1), 1, "a new TPM, not the dropped one");
}

#[test]
fn the_buffer_size_keeps_its_bounds() {
    let mut one = tpm(&Cell::default(), None, None);
    assert_eq!(one.buffer_size(0), BUFFER_SIZE);
    assert_eq!(one.buffer_size(3968).0, 3968);
    assert_eq!(one.buffer_size(1).0, BUFFER_SIZE.1);
    one.init(false).unwrap();
    assert_eq!(one.buffer_size(4096).0, BUFFER_SIZE.1, "not while on");
}

#[test]
fn a_failed_migration_over_shared_storage_goes_back_unless_the_destination_went_on() {
    for went_on in [false, true] {
        let shared = Cell::default();
        let mut from = tpm(&shared, None, None);
        from.init(false).unwrap();
        run(&mut from, 1);
        let (permanent, _) = from.state_blob(1, true).unwrap();
        let (volatile, _) = from.state_blob(2, true).unwrap();
        let manners = Manners { incoming: true, ..Manners::default() };
        let mut to = tpm_with(&shared, None, None, manners);
        assert_eq!(from.state_blob(3, true).unwrap_err().code, result::RETRY);
        to.set_state_blob(1, &permanent).unwrap();
        to.set_state_blob(2, &volatile).unwrap();
        to.init(true).unwrap();
        if went_on {
            assert_eq!(run(&mut to, 1), 2);
        }
        drop(to);
        let back = from.relock();
        if went_on {
            assert!(back.unwrap_err().why.contains("was changed by another program"));
        } else {
            back.unwrap();
            assert_eq!(run(&mut from, 1), 2);
        }
    }
}
