use super::*;
use crate::anchor::FileAnchor;
use crate::backend::{Durability, Folder, Memory, MemoryCell};
use crate::disk::HostFolder;
use crate::testing::{ByteKey, Place};
use std::sync::Mutex;

fn folder(place: &Place) -> Box<dyn Backend> {
    let disk = HostFolder::open(place.path(), None).unwrap();
    Box::new(Folder::new(Box::new(disk), Kind::Tpm, Durability::None, true))
}

fn settings() -> Settings {
    Settings { vm: Some(VmId::new("vm-1").unwrap()), history: 3, ..Settings::new(Kind::Tpm) }
}

fn key(byte: u8) -> Option<Arc<dyn KeyManager>> {
    Some(Arc::new(ByteKey(byte)))
}

fn sealed(place: &Place) -> Store {
    Store::new(folder(place), key(5), settings())
}

fn with_anchor(place: &Place, anchors: &Place, accept: Option<&str>) -> Store {
    let anchor = FileAnchor::new(Box::new(HostFolder::open(anchors.path(), None).unwrap()), "anchors");
    let settings = Settings { accept_rollback: accept.map(str::to_owned), ..settings() };
    Store::new(folder(place), key(5), settings).with_anchor(Box::new(anchor))
}

fn made(mut store: Store, states: u64) -> Store {
    store.lock().unwrap();
    store.create(&[1; 100], "new").unwrap();
    for n in 2..=states {
        store.commit(&[n.to_le_bytes()[0]; 100]).unwrap();
    }
    store
}

fn fault(store: &mut Store) -> StateError {
    store.load().unwrap_err()
}

#[test]
fn what_was_committed_is_there_again() {
    let place = Place::new("commit");
    let mut one = made(sealed(&place), 20);
    assert_eq!(&**one.state().unwrap(), [20; 100]);
    drop(one);
    let mut two = sealed(&place);
    two.load().unwrap();
    assert_eq!(&**two.state().unwrap(), [20; 100]);
    let head = two.head().unwrap();
    assert_eq!((head.sequence, head.epoch, head.size), (20, 1, 100));
    two.lock().unwrap();
    let next = two.commit(&[21; 100]).unwrap();
    assert_eq!((next.sequence, next.epoch), (21, 2));
    let bytes = std::fs::read(place.file("tpm.state")).unwrap();
    assert!(!bytes.windows(16).any(|w| w == [21; 16] || w == [20; 16]));
}

#[test]
fn the_seven_faults_have_their_names() {
    let place = Place::new("faults");
    let file = place.file("tpm.state");
    assert!(matches!(fault(&mut sealed(&place)), StateError::Missing { trace: None, .. }));
    drop(made(sealed(&place), 4));
    let good = std::fs::read(&file).unwrap();
    let with = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        let found = fault(&mut sealed(&place));
        std::fs::write(&file, &good).unwrap();
        found
    };
    assert!(matches!(with(b""), StateError::Empty { .. }));
    assert!(matches!(with(&[0; 20_000]), StateError::Empty { .. }));
    assert!(matches!(with(&good[..good.len() - 1]), StateError::Torn { .. }));
    assert!(matches!(with(&good[..100]), StateError::Torn { .. }));
    assert!(matches!(with(&[7; 20_000]), StateError::Foreign { .. }));
    for at in [4096 + 60, 4096 * 2 + 200, 4096 * 4 + 200] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(matches!(with(&bad), StateError::Damaged { .. }), "byte {at}: {:?}", with(&bad));
    }
    let mut wrong = Store::new(folder(&place), key(6), settings());
    assert!(matches!(fault(&mut wrong), StateError::WrongKey { .. }));
    assert!(matches!(fault(&mut Store::new(folder(&place), None, settings())), StateError::KeyMissing { .. }));
    let other = Settings { vm: Some(VmId::new("vm-2").unwrap()), ..settings() };
    assert!(matches!(fault(&mut Store::new(folder(&place), key(5), other)), StateError::Foreign { .. }));
    std::fs::remove_file(&file).unwrap();
    match fault(&mut sealed(&place)) {
        StateError::Missing { trace: Some(trace), .. } => assert!(trace.contains(".lock"), "{trace}"),
        other => panic!("{other:?}"),
    }
    let plain = Place::new("plain");
    drop(made(Store::new(folder(&plain), None, settings()), 2));
    assert!(matches!(fault(&mut sealed(&plain)), StateError::NotSealed { .. }));
    let mut unsealed = Store::new(folder(&plain), None, settings());
    unsealed.load().unwrap();
    assert!(!unsealed.is_sealed());
    assert_eq!(unsealed.head().unwrap().key, DataKeyId::NONE);
}

#[test]
fn a_cut_off_record_is_dropped_but_a_damaged_one_is_named() {
    let place = Place::new("torn");
    let file = place.file("tpm.state");
    drop(made(sealed(&place), 3));
    let before = std::fs::read(&file).unwrap();
    let mut store = sealed(&place);
    store.lock().unwrap();
    store.load().unwrap();
    let last = store.commit(&[4; 3000]).unwrap();
    let at = usize::try_from(store.journal().unwrap().entries.last().unwrap().at).unwrap();
    drop(store);
    let after = std::fs::read(&file).unwrap();
    // Every sector of the record may be missing on its own, and every tail of it.
    let cuts = (0..20)
        .chain((20..3300).step_by(13))
        .map(|n| (at + n, at + 4096))
        .chain((0..6).map(|n| (at + n * 512, at + n * 512 + 512)));
    for (from, to) in cuts {
        let mut torn = after.clone();
        torn[from..to].copy_from_slice(&before[from..to]);
        if torn == after {
            continue;
        }
        std::fs::write(&file, &torn).unwrap();
        let mut store = sealed(&place);
        store.load().unwrap();
        assert_eq!(store.head().unwrap().sequence, last.sequence - 1, "{from}..{to}");
    }
    // Writing goes on behind a torn record, and the journal is whole again.
    let mut store = sealed(&place);
    store.lock().unwrap();
    store.load().unwrap();
    store.commit(&[5; 100]).unwrap();
    drop(store);
    let mut store = sealed(&place);
    assert_eq!(store.verify().unwrap(), 3);
    assert_eq!(&**store.state().unwrap(), [5; 100]);
}

#[test]
fn history_is_kept_and_restored() {
    let place = Place::new("history");
    let mut store = made(sealed(&place), 300);
    let kept = store.history().unwrap();
    assert!(kept.len() >= 3 && kept.len() < 180, "{}", kept.len());
    let old = store.state_at(299).unwrap();
    assert_eq!(&**old, [43; 100]);
    assert!(matches!(store.state_at(1), Err(StateError::NoGeneration { .. })));
    store.store_volatile(&[9; 10]).unwrap();
    let restored = store.restore(299, "the update broke it").unwrap();
    assert_eq!(restored.sequence, 303);
    assert!(restored.reason.ends_with("299: the update broke it"), "{}", restored.reason);
    assert!(store.volatile().unwrap().is_none());
    drop(store);
    let mut again = sealed(&place);
    again.verify().unwrap();
    assert_eq!(&**again.state().unwrap(), [43; 100]);
    assert_eq!(again.head().unwrap().reason, restored.reason);
}

#[test]
fn a_volatile_state_outlives_compaction() {
    let place = Place::new("volatile");
    let mut store = made(sealed(&place), 1);
    store.store_volatile(b"running").unwrap();
    for n in 0..250 {
        store.commit(&[n; 50]).unwrap();
    }
    drop(store);
    let mut store = sealed(&place);
    store.lock().unwrap();
    store.load().unwrap();
    assert_eq!(&**store.volatile().unwrap().unwrap(), b"running");
    store.remove_volatile().unwrap();
    store.commit(&[1]).unwrap();
    drop(store);
    let mut store = sealed(&place);
    store.load().unwrap();
    assert!(!store.has_volatile());
}

#[test]
fn many_volatile_states_need_no_more_room_than_a_few() {
    let place = Place::new("many-volatile");
    let mut store = made(sealed(&place), 2);
    for n in 0..600_u32 {
        store.store_volatile(&n.to_be_bytes()).unwrap();
    }
    drop(store);
    assert!(std::fs::metadata(place.file("tpm.state")).unwrap().len() < 1_000_000);
    let mut store = sealed(&place);
    assert!(store.verify().unwrap() < 200);
    assert_eq!(&**store.state().unwrap(), [2; 100]);
    assert_eq!(&**store.volatile().unwrap().unwrap(), 599_u32.to_be_bytes());
}

#[test]
fn an_older_state_is_refused_and_accepted_only_with_a_reason() {
    let (place, anchors) = (Place::new("rollback"), Place::new("anchors"));
    let file = place.file("tpm.state");
    drop(made(with_anchor(&place, &anchors, None), 4));
    let old = std::fs::read(&file).unwrap();
    let mut store = with_anchor(&place, &anchors, None);
    store.lock().unwrap();
    store.load().unwrap();
    store.commit(&[5; 100]).unwrap();
    drop(store);
    std::fs::write(&file, &old).unwrap();
    match fault(&mut with_anchor(&place, &anchors, None)) {
        StateError::RolledBack { found, expected, .. } => assert_eq!((found.sequence, expected.sequence), (4, 5)),
        other => panic!("{other:?}"),
    }
    let mut accepted = with_anchor(&place, &anchors, Some("the newer one is lost"));
    accepted.lock().unwrap();
    accepted.load().unwrap();
    assert_eq!(accepted.commit(&[6; 100]).unwrap().sequence, 7);
    let history = accepted.history().unwrap();
    let recorded = &history[history.len() - 2];
    assert!(recorded.sequence == 6 && recorded.reason.contains("the newer one is lost"), "{}", recorded.reason);
    drop(accepted);
    with_anchor(&place, &anchors, None).load().unwrap();
    // Without the accepted generation, a second line of generations is a fork.
    std::fs::write(&file, &old).unwrap();
    let mut alone = sealed(&place);
    alone.lock().unwrap();
    alone.load().unwrap();
    for n in 0..3 {
        alone.commit(&[n; 9]).unwrap();
    }
    drop(alone);
    assert!(matches!(fault(&mut with_anchor(&place, &anchors, None)), StateError::Forked { .. }));
    std::fs::remove_file(&file).unwrap();
    std::fs::remove_file(place.file(".lock")).unwrap();
    match fault(&mut with_anchor(&place, &anchors, None)) {
        StateError::Missing { trace: Some(trace), .. } => {
            assert!(trace.contains("recorded its generation 7"), "{trace}")
        }
        other => panic!("{other:?}"),
    }
    let mut fresh = with_anchor(&place, &anchors, None);
    fresh.lock().unwrap();
    assert_eq!(fresh.create(&[1], "asked for").unwrap().sequence, 8);
}

#[test]
fn keys_are_changed_while_it_runs() {
    let (place, anchors) = (Place::new("rotate"), Place::new("rotate-anchors"));
    let mut store = made(with_anchor(&place, &anchors, None), 5);
    store.store_volatile(b"running").unwrap();
    let digest = store.newest().unwrap();
    store.rewrap(Arc::new(ByteKey(9))).unwrap();
    assert_eq!(store.newest(), Some(digest), "no record changes");
    store.commit(&[6; 100]).unwrap();
    drop(store);
    assert!(matches!(fault(&mut sealed(&place)), StateError::WrongKey { .. }));
    let open = |byte| Store::new(folder(&place), key(byte), settings());
    let mut store = open(9);
    store.verify().unwrap();
    let old_key = store.head().unwrap().key;
    store.lock().unwrap();
    let made = store.reseal(key(11), "yearly").unwrap();
    assert!(made.key != old_key && made.reason == "yearly");
    assert!(store.history().unwrap().iter().all(|g| g.key == made.key));
    assert_eq!(&**store.volatile().unwrap().unwrap(), b"running");
    assert_eq!(&**store.state().unwrap(), [6; 100]);
    assert_eq!(&**store.state_at(5).unwrap(), [5; 100]);
    drop(store);
    let mut store = open(11);
    store.verify().unwrap();
    store.lock().unwrap();
    store.reseal(None, "opened").unwrap();
    drop(store);
    let mut store = Store::new(folder(&place), None, settings());
    store.verify().unwrap();
    assert_eq!(&**store.state().unwrap(), [6; 100]);
}

#[test]
fn an_anchor_that_was_not_told_of_new_keys_still_fits() {
    let (place, anchors) = (Place::new("reseal"), Place::new("reseal-anchors"));
    drop(made(with_anchor(&place, &anchors, None), 2));
    let mut alone = sealed(&place);
    alone.lock().unwrap();
    alone.load().unwrap();
    alone.reseal(key(5), "").unwrap();
    drop(alone);
    with_anchor(&place, &anchors, None).load().unwrap();
}

#[test]
fn a_full_disk_changes_nothing() {
    let cell: Arc<Mutex<MemoryCell>> = Arc::default();
    let mut store = made(Store::new(Box::new(Memory::on(cell.clone())), key(5), settings()), 2);
    cell.lock().unwrap().full = true;
    assert!(matches!(store.commit(&[3; 100]), Err(StateError::Full { .. })));
    assert_eq!(&**store.state().unwrap(), [2; 100]);
    cell.lock().unwrap().full = false;
    assert_eq!(store.commit(&[4; 100]).unwrap().sequence, 3);
    store.verify().unwrap();
}

#[test]
fn a_state_that_changed_while_released_is_not_overwritten() {
    let place = Place::new("release");
    let mut source = made(sealed(&place), 2);
    source.unlock();
    let mut target = sealed(&place);
    target.lock().unwrap();
    target.load().unwrap();
    assert!(matches!(source.lock(), Err(StateError::Locked { .. })));
    // The target stores what it got from the source, and gives up.
    target.commit(&[2; 100]).unwrap();
    drop(target);
    source.lock().unwrap();
    assert_eq!(source.commit(&[3; 100]).unwrap().epoch, 3);
    source.unlock();
    let mut target = sealed(&place);
    target.lock().unwrap();
    target.load().unwrap();
    target.commit(&[9; 100]).unwrap();
    drop(target);
    assert!(matches!(source.lock(), Err(StateError::Changed { .. })));
    assert!(source.commit(&[4; 100]).is_err());
}

#[test]
fn files_that_are_removed_while_it_runs_come_back() {
    let place = Place::new("removed");
    let mut store = made(sealed(&place), 2);
    std::fs::remove_file(place.file("tpm.state")).unwrap();
    std::fs::remove_file(place.file(".lock")).unwrap();
    store.commit(&[3; 100]).unwrap();
    assert!(matches!(sealed(&place).lock(), Err(StateError::Locked { .. })));
    drop(store);
    let mut store = sealed(&place);
    store.verify().unwrap();
    assert_eq!(&**store.state().unwrap(), [3; 100]);
}

#[test]
fn reading_while_another_writes_finds_no_damage() {
    let (place, anchors) = (Place::new("both"), Place::new("both-anchors"));
    let mut writer = made(with_anchor(&place, &anchors, None), 2);
    let end = std::time::Instant::now() + core::time::Duration::from_secs(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while std::time::Instant::now() < end {
                writer.commit(&[7; 20_000]).unwrap();
            }
        });
        while std::time::Instant::now() < end {
            let mut reader = with_anchor(&place, &anchors, None);
            reader.load().unwrap();
            assert!(reader.state().unwrap().iter().all(|b| *b == 7 || *b == 2));
            assert!(reader.peek().unwrap().is_some());
            reader.verify().unwrap();
        }
    });
}

/// A back end that gives the journal whole, and one that reads it in parts, of which none has all of it.
#[test]
fn a_journal_read_in_parts_is_judged_as_one_read_whole() {
    let place = Place::new("parts");
    let settings = || Settings { history: 12, ..settings() };
    let mut store = Store::new(folder(&place), key(5), settings());
    store.lock().unwrap();
    store.create(&[1; 9000], "new").unwrap();
    for n in 2..=12_u8 {
        store.commit(&vec![n; 3000 * usize::from(n)]).unwrap();
    }
    drop(store);
    let good = std::fs::read(place.file("tpm.state")).unwrap();
    let used = good.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    assert!(used > 200_000 && good.len() > used + 64 * 1024, "{used} of {}", good.len());
    let both = |bad: Vec<u8>| {
        std::fs::write(place.file("tpm.state"), &bad).unwrap();
        let cell: Arc<Mutex<MemoryCell>> = Arc::default();
        cell.lock().unwrap().journal = Some(bad);
        let ends: [Box<dyn Backend>; 2] = [Box::new(Memory::on(cell)), folder(&place)];
        ends.map(|end| {
            let mut store = Store::new(end, key(5), settings());
            let loaded = store.load().map(|()| store.head().unwrap().sequence);
            loaded.map_err(|fault| (core::mem::discriminant(&fault), fault.to_string().contains("does not follow")))
        })
    };
    let mut results = [0, 0];
    for step in 0..600 {
        let mut bad = good.clone();
        // Places all over what is used, and behind it; the parts' edges too.
        let at = (step * 7919 * 13) % (used + used / 4);
        match step % 5 {
            0 => bad[at] ^= 0x40,
            1 => bad[at..].fill(0),
            2 => bad.truncate(at),
            3 => bad[at / 512 * 512..][..512].fill(0),
            _ => bad[step % 7 * 32 * 1024..][..64].reverse(),
        }
        let [whole, parts] = both(bad);
        assert_eq!(whole, parts, "step {step}, byte {at}");
        results[usize::from(whole.is_ok())] += 1;
    }
    assert!(results[0] > 100 && results[1] > 50, "{results:?}");
}

#[test]
fn no_mutation_opens_as_something_else() {
    let cell: Arc<Mutex<MemoryCell>> = Arc::default();
    let mut store = made(Store::new(Box::new(Memory::on(cell.clone())), key(5), settings()), 6);
    store.store_volatile(&[99; 9]).unwrap();
    drop(store);
    let good = cell.lock().unwrap().journal.clone().unwrap();
    // A row of numbers that is the same each time (xorshift).
    let mut seed = 0x1234_5678_9abc_def1_u64;
    let mut number = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % u64::try_from(below).unwrap()).unwrap()
    };
    let mut opened = 0;
    for _ in 0..3000 {
        let mut bad = good.clone();
        for _ in 0..=number(3) {
            let (at, to) = (number(bad.len()), number(bad.len()));
            let length = [1, 8, 512, 4096][number(4)].min(bad.len() - at).min(bad.len() - to);
            match number(6) {
                0 => bad[at] ^= 1 << number(8),
                1 => bad[at..at + length].fill(0),
                2 => bad[at..at + length].fill(0xff),
                3 => bad.copy_within(at..at + length, to),
                4 if bad.len() == good.len() => {
                    bad.copy_within(at / 4096 * 4096..(at / 4096 + 1) * 4096, to / 4096 * 4096);
                }
                _ => bad.truncate(at.max(1)),
            }
        }
        cell.lock().unwrap().journal = Some(bad);
        let mut store = Store::new(Box::new(Memory::on(cell.clone())), key(5), settings());
        if store.load().is_ok() {
            opened += 1;
            let state = store.state().unwrap();
            assert!(state.len() == 100 && (1..=6).contains(&state[0]) && state.iter().all(|b| *b == state[0]));
            assert!(store.volatile().unwrap().is_none_or(|v| **v == [99; 9]));
        }
    }
    assert!(opened > 30 && opened < 2000, "{opened}");
}
