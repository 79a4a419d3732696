//! What is done on the disk, and what must be true afterwards.

use crate::disk::{Fault, FaultyDisk, Numbers};
use sealwright_state::backend::{Backend, Device, Durability, Folder};
use sealwright_state::disk::{Disk, How};
use sealwright_state::{
    DataKey, KeyContext, KeyError, KeyId, KeyManager, Kind, Settings, StateError, Store, VmId, WrappedKey,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// So large that a journal is full after a few commits.
const SIZE: usize = 50_000;
/// The device's name on the disk.
const DEVICE: &str = "device";
/// Restarts that are tried after a power cut.
const RESTARTS: u64 = 8;

/// Where the journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// In a folder.
    Folder,
    /// On a device of one MiB.
    Device,
    /// In a folder without any sync: what the campaign must find fault with.
    Unsynced,
}

impl Ground {
    /// Those on which nothing may be lost.
    pub const ALL: [Self; 2] = [Self::Folder, Self::Device];

    /// The back end; opening it is the first call that can fail.
    fn open(self, disk: &FaultyDisk) -> Result<Box<dyn Backend>, StateError> {
        let folder = |durability| Box::new(Folder::new(Box::new(disk.clone()), Kind::Tpm, durability, true));
        Ok(match self {
            Self::Folder => folder(Durability::Data),
            Self::Unsynced => folder(Durability::None),
            Self::Device => {
                let opened = disk.open(DEVICE, How::Write);
                let opened = opened.map_err(|e| StateError::Io {
                    place: DEVICE.to_owned(),
                    what: "opening",
                    why: e.to_string(),
                });
                Box::new(Device::new(opened?, DEVICE, Kind::Tpm, Durability::Data, true))
            }
        })
    }
}

/// Wraps by adding a number.
struct Wrapping(u8);

impl KeyManager for Wrapping {
    fn name(&self) -> &str {
        "faults"
    }
    fn wrap(&self, _: &KeyContext, key: &DataKey) -> Result<WrappedKey, KeyError> {
        let bytes = key.expose().iter().map(|b| b.wrapping_add(self.0)).chain([self.0]).collect();
        Ok(WrappedKey { manager: "faults".to_owned(), key_id: KeyId::default(), version: 0, bytes })
    }
    fn unwrap(&self, _: &KeyContext, wrapped: &WrappedKey) -> Result<DataKey, KeyError> {
        let (number, key) = wrapped.bytes.split_last().unwrap();
        if *number != self.0 {
            return Err(KeyError::WrongKey { manager: "faults".to_owned(), key: wrapped.key_id.clone() });
        }
        let key: Vec<u8> = key.iter().map(|b| b.wrapping_sub(self.0)).collect();
        Ok(DataKey::from_slice(&key).unwrap())
    }
}

/// What the caller was told, and what it asked for since.
#[derive(Clone, Default)]
struct Known {
    state: Option<u8>,
    asked: Vec<u8>,
    volatile: Option<u8>,
    volatile_asked: Vec<Option<u8>>,
    key: u8,
    keys_asked: Vec<u8>,
}

/// A step of the workload.
#[derive(Clone, Copy, Debug)]
enum Step {
    Commit,
    StoreVolatile,
    RemoveVolatile,
    Rewrap,
    Reseal,
    Restore,
    /// The process ends and starts again.
    Reopen,
    /// The lock is given away and taken back.
    Release,
}

const SCRIPT: &[Step] = &[
    Step::Commit,
    Step::Commit,
    Step::StoreVolatile,
    Step::Commit,
    Step::Reopen,
    Step::Commit,
    Step::Rewrap,
    Step::Commit,
    Step::RemoveVolatile,
    Step::Release,
    Step::Commit,
    Step::Commit,
    Step::Reseal,
    Step::Commit,
    Step::Commit,
    Step::Restore,
    Step::Commit,
    Step::Commit,
    Step::Commit,
    Step::Commit,
    Step::Reopen,
    Step::Commit,
    Step::Commit,
    Step::Commit,
];

fn store(ground: Ground, disk: &FaultyDisk, key: u8) -> Result<Store, StateError> {
    let settings = Settings { vm: Some(VmId::new("vm").unwrap()), history: 3, ..Settings::new(Kind::Tpm) };
    Ok(Store::new(ground.open(disk)?, Some(Arc::new(Wrapping(key))), settings))
}

/// The state that says `number`.
fn content(number: u8) -> Vec<u8> {
    vec![number; SIZE]
}

/// Runs one step. What it asked for is in `known` before it is tried, what was acknowledged afterwards.
fn run(step: Step, store: &mut Store, known: &mut Known, next: &mut u8) -> Result<(), StateError> {
    *next += 1;
    let number = *next;
    match step {
        Step::Commit => {
            known.asked.push(number);
            store.commit(&content(number))?;
            known.state = Some(number);
            known.asked.clear();
        }
        Step::StoreVolatile => {
            known.volatile_asked.push(Some(number));
            store.store_volatile(&content(number))?;
            known.volatile = Some(number);
            known.volatile_asked.clear();
        }
        Step::RemoveVolatile => {
            known.volatile_asked.push(None);
            store.remove_volatile()?;
            known.volatile = None;
            known.volatile_asked.clear();
        }
        Step::Rewrap | Step::Reseal => {
            known.keys_asked.push(number);
            let keys = Arc::new(Wrapping(number));
            match step {
                Step::Rewrap => store.rewrap(keys)?,
                _ => store.reseal(Some(keys), "new key").map(|_| ())?,
            }
            known.key = number;
            known.keys_asked.clear();
        }
        Step::Restore => {
            let before = store.history()?.iter().rev().nth(1).map(|g| g.sequence);
            let Some(before) = before else { return Ok(()) };
            let number = store.state_at(before)?[0];
            known.asked.push(number);
            known.volatile_asked.push(None);
            store.restore(before, "undone")?;
            known.state = Some(number);
            known.volatile = None;
            known.asked.clear();
            known.volatile_asked.clear();
        }
        Step::Reopen | Step::Release => {}
    }
    Ok(())
}

/// Opens what is on the disk with one of the keys that it may have.
fn reopened(ground: Ground, disk: &FaultyDisk, known: &Known) -> Result<(Store, u8), StateError> {
    let mut last = None;
    for key in [known.key].into_iter().chain(known.keys_asked.iter().rev().copied()) {
        let mut found = store(ground, disk, key)?;
        found.lock()?;
        match found.load() {
            Ok(()) => return Ok((found, key)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap())
}

/// Says what is wrong with what is on the disk.
fn judge(ground: Ground, disk: &FaultyDisk, known: &Known) -> Result<(), String> {
    let (mut found, _) = match reopened(ground, disk, known) {
        Ok(found) => found,
        Err(StateError::Missing { .. }) if known.state.is_none() => return Ok(()),
        Err(error) => return Err(format!("it does not open: {error}")),
    };
    let state = found.state().map_err(|e| e.to_string())?;
    if state.len() != SIZE || state.iter().any(|b| *b != state[0]) {
        return Err("the state is a mixture".to_owned());
    }
    if known.state != Some(state[0]) && !known.asked.contains(&state[0]) {
        return Err(format!(
            "the state is {}, acknowledged was {:?}, asked for {:?}",
            state[0], known.state, known.asked
        ));
    }
    let volatile = found.volatile().map_err(|e| e.to_string())?.map(|v| v[0]);
    if known.volatile != volatile && !known.volatile_asked.contains(&volatile) {
        return Err(format!("the volatile state is {volatile:?}, acknowledged was {:?}", known.volatile));
    }
    found.verify().map_err(|e| format!("a generation does not open: {e}"))?;
    found.commit(&content(255)).map_err(|e| format!("it cannot be continued: {e}"))?;
    drop(found);
    let (mut again, _) = reopened(ground, disk, known).map_err(|e| format!("it does not open again: {e}"))?;
    let again = again.state().map_err(|e| e.to_string())?;
    if again[0] == 255 { Ok(()) } else { Err("what was committed afterwards is not there".to_owned()) }
}

/// One run with these faults.
fn one(ground: Ground, faults: &[(u64, Fault)], losses: &mut Vec<String>) -> Option<u64> {
    let disk = FaultyDisk::default();
    if ground == Ground::Device {
        disk.make(DEVICE, 1 << 20);
    }
    let mut known = Known { key: 1, ..Known::default() };
    disk.plan(faults);
    let mut next = 0;
    let mut lose = |what: String| losses.push(format!("{ground:?}, {faults:?}: {what}"));
    // The first state; where the disk fails it is tried again.
    let mut opened = store(ground, &disk, 1);
    for _ in faults {
        if opened.is_err() && !disk.is_dead() {
            opened = store(ground, &disk, 1);
        }
    }
    let Ok(mut open) = opened else { return judged(ground, &disk, &known, &mut lose) };
    for _ in 0..=faults.len() {
        next += 1;
        known.asked.push(next);
        let made = open.lock().and_then(|()| open.create(&content(next), "new"));
        match made {
            Ok(_) => {
                known.state = Some(next);
                known.asked.clear();
                break;
            }
            // What failed was made all the same.
            Err(StateError::Exists { .. }) if open.load().is_ok() => break,
            Err(_) => {}
        }
    }
    let mut failed = 0;
    for step in SCRIPT {
        if disk.is_dead() {
            break;
        }
        let outcome = match step {
            Step::Reopen => {
                drop(open);
                let mut again = reopened(ground, &disk, &known);
                while again.is_err() && !disk.is_dead() && failed < faults.len() {
                    failed += 1;
                    again = reopened(ground, &disk, &known);
                }
                match again {
                    Ok((found, key)) => {
                        open = found;
                        known.key = key;
                        known.keys_asked.clear();
                        Ok(())
                    }
                    Err(error) => {
                        if !disk.is_dead() {
                            lose(format!("it does not open although the disk works: {error}"));
                        }
                        return judged(ground, &disk, &known, &mut lose);
                    }
                }
            }
            Step::Release => {
                open.unlock();
                let mut locked = open.lock();
                while locked.is_err() && !disk.is_dead() && failed < faults.len() {
                    failed += 1;
                    locked = open.lock().and_then(|()| open.load());
                }
                locked
            }
            step => run(*step, &mut open, &mut known, &mut next),
        };
        if let Err(error) = outcome
            && !disk.is_dead()
        {
            failed += 1;
            if failed > faults.len() {
                lose(format!("{step:?} fails although the disk works again: {error}"));
            }
        }
    }
    drop(open);
    if disk.plan_is_due() { judged(ground, &disk, &known, &mut lose) } else { None }
}

/// Looks at what the fault left, in all the ways that may be found; returns how many they are.
fn judged(ground: Ground, disk: &FaultyDisk, known: &Known, lose: &mut dyn FnMut(String)) -> Option<u64> {
    // What is on the disk after the fault, and what a power cut now would leave. Where nothing is on its way these are the
    // same, and looked at once.
    let cut = disk.lost_power() || !disk.is_dead();
    let mut ways: Vec<(u64, bool)> = (0..if cut { RESTARTS } else { 1 }).map(|seed| (seed, cut)).collect();
    if !cut || !disk.is_dead() {
        ways.push((0, false));
    }
    let mut seen = Vec::new();
    for (seed, cut) in ways {
        let restarted = disk.restarted(seed, cut);
        let contents = restarted.contents();
        if seen.contains(&contents) {
            continue;
        }
        seen.push(contents);
        if let Err(what) = judge(ground, &restarted, known) {
            lose(format!("restart {seed} ({}): {what}", if cut { "power cut" } else { "after the fault" }));
        }
    }
    Some(seen.len() as u64)
}

/// What a campaign found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Faults tried, by kind.
    pub faults: BTreeMap<Fault, u64>,
    /// States looked at afterwards.
    pub restarts: u64,
    /// What was lost, in words.
    pub losses: Vec<String>,
}

impl Outcome {
    /// This and another one together.
    pub fn with(mut self, more: &Self) -> Self {
        more.faults.iter().for_each(|(fault, count)| *self.faults.entry(*fault).or_default() += count);
        self.restarts += more.restarts;
        self.losses.extend(more.losses.iter().cloned());
        self
    }
}

/// Runs the workload with each fault at each call (every `stride`th of them).
pub fn campaign(ground: Ground, stride: u64) -> Outcome {
    let mut outcome = Outcome::default();
    for fault in Fault::ALL {
        campaign_of(ground, fault, stride, &mut outcome);
    }
    outcome
}

/// Runs the workload with this fault at each call (every `stride`th of them).
pub fn campaign_of(ground: Ground, fault: Fault, stride: u64, outcome: &mut Outcome) {
    let mut call = 1;
    while let Some(cases) = one(ground, &[(call, fault)], &mut outcome.losses) {
        *outcome.faults.entry(fault).or_default() += 1;
        outcome.restarts += cases;
        call += stride;
    }
}

/// Runs the workload so many times with two to four faults at random calls.
pub fn combinations(ground: Ground, runs: u64, seed: u64, outcome: &mut Outcome) {
    let mut numbers = Numbers(seed);
    for _ in 0..runs {
        let mut faults = Vec::new();
        for _ in 0..2 + numbers.next() % 3 {
            let fault = Fault::ALL[numbers.next() as usize % Fault::ALL.len()];
            faults.push((1 + numbers.next() % 220, fault));
        }
        faults.sort();
        faults.dedup_by_key(|(call, _)| *call);
        // What comes after the end of the process does not come.
        let end = faults.iter().position(|(_, fault)| matches!(fault, Fault::Kill | Fault::PowerCut));
        faults.truncate(end.map_or(faults.len(), |end| end + 1));
        if let Some(cases) = one(ground, &faults, &mut outcome.losses) {
            outcome.restarts += cases;
            faults.iter().for_each(|(_, fault)| *outcome.faults.entry(*fault).or_default() += 1);
        }
    }
}
