//! The same faults under what writes swtpm's formats: a conversion leaves the old state or the new one, never neither.

use crate::disk::{Fault, FaultyDisk};
use crate::workload::Outcome;
use sealwright_state::disk::{Disk, How, replace};
use sealwright_state::swtpm::{Folder, Linear, Part, SwtpmError};
use std::path::Path;

/// Restarts that are tried after a power cut.
const RESTARTS: u64 = 8;
/// The linear file's, the device's and the exported file's name.
const NAME: &str = "file";

/// Which form of swtpm's state, or the file that is carried elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A folder with a file for each part.
    Folder,
    /// A linear file, replaced whole.
    File,
    /// A block device, written in place.
    Device,
    /// One file that takes the place of another one, as an exported state does.
    Replaced,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Folder, Self::File, Self::Device, Self::Replaced];
}

type Parts = (Option<Vec<u8>>, Option<Vec<u8>>);

/// The permanent and the volatile part of a state of this number; longer than a sector, and of two lengths.
fn parts(number: u8) -> (Vec<u8>, Vec<u8>) {
    (vec![number; 3000 + usize::from(number) * 100], vec![number | 0x80; 1500])
}

fn linear(form: Form, disk: &FaultyDisk, create: bool) -> Result<Linear, SwtpmError> {
    Linear::on(Path::new(NAME), Box::new(disk.clone()), NAME.to_owned(), form == Form::Device, create)
}

/// Writes a state as a conversion does.
fn write(form: Form, disk: &FaultyDisk, number: u8) -> Result<(), String> {
    let (permanent, volatile) = parts(number);
    let text = |e: SwtpmError| e.to_string();
    match form {
        Form::Folder => {
            let mut folder = Folder::on(Path::new("folder"), Box::new(disk.clone()));
            folder.lock().map_err(text)?;
            folder.write(Part::Permanent, &permanent).map_err(text)?;
            folder.write(Part::Volatile, &volatile).map_err(text)
        }
        Form::Replaced => replace(disk, NAME, &permanent).map_err(|e| e.to_string()),
        Form::File | Form::Device => {
            let mut file = linear(form, disk, true).map_err(text)?;
            file.lock().map_err(text)?;
            file.store(&[(Part::Permanent, &permanent), (Part::Volatile, &volatile)]).map_err(text)
        }
    }
}

fn read(form: Form, disk: &FaultyDisk) -> Result<Parts, String> {
    let text = |e: SwtpmError| e.to_string();
    let bytes = |part: Option<zeroize::Zeroizing<Vec<u8>>>| part.map(|bytes| bytes.to_vec());
    match form {
        Form::Folder => {
            let folder = Folder::on(Path::new("folder"), Box::new(disk.clone()));
            Ok((bytes(folder.read(Part::Permanent).map_err(text)?), bytes(folder.read(Part::Volatile).map_err(text)?)))
        }
        Form::Replaced => {
            let file = disk.open(NAME, How::Read).map_err(|e| e.to_string())?;
            let mut bytes = vec![0; file.size().map_err(|e| e.to_string())? as usize];
            let length = file.read_at(0, &mut bytes).map_err(|e| e.to_string())?;
            bytes.truncate(length);
            Ok((Some(bytes), None))
        }
        Form::File | Form::Device => {
            let file = linear(form, disk, false).map_err(text)?;
            Ok((bytes(file.read(Part::Permanent).map_err(text)?), bytes(file.read(Part::Volatile).map_err(text)?)))
        }
    }
}

/// Says what is wrong with what is there: it must be the state 1, or the state 2 that was being written over it.
fn judge(form: Form, disk: &FaultyDisk, acknowledged: bool) -> Result<(), String> {
    let (permanent, volatile) = read(form, disk)?;
    let is = |number: u8| {
        let (p, v) = parts(number);
        (permanent.as_ref() == Some(&p), form == Form::Replaced || volatile.as_ref() == Some(&v))
    };
    match (is(1), is(2)) {
        (_, (true, true)) => Ok(()),
        ((true, true), _) if !acknowledged => Ok(()),
        // The two files of a folder are replaced one after the other; the same command then goes on.
        ((false, true), (true, false)) if form == Form::Folder && !acknowledged => Ok(()),
        _ => Err(format!("neither the old nor the new state is there (acknowledged: {acknowledged})")),
    }
}

/// Writes over a state with each fault at each call.
pub fn conversions(form: Form, fault: Fault, outcome: &mut Outcome) {
    for call in 1.. {
        let disk = FaultyDisk::default();
        if form == Form::Device {
            disk.make(NAME, 64 * 1024);
        }
        let mut lose = |what: String| outcome.losses.push(format!("{form:?}, {fault:?} at call {call}: {what}"));
        if let Err(error) = write(form, &disk, 1) {
            return lose(format!("the first state cannot be written: {error}"));
        }
        let disk = disk.restarted(0, false);
        disk.plan(&[(call, fault)]);
        let mut acknowledged = write(form, &disk, 2).is_ok();
        if !disk.plan_is_due() {
            return;
        }
        if !acknowledged && !disk.is_dead() {
            // What the fault left, before the command is run again.
            if let Err(what) = judge(form, &disk.restarted(0, false), false) {
                lose(format!("after the fault: {what}"));
            }
            if let Err(error) = write(form, &disk, 2) {
                lose(format!("it fails although the disk works again: {error}"));
            }
            acknowledged = true;
        }
        let cut = disk.lost_power() || !disk.is_dead();
        for seed in 0..if cut { RESTARTS } else { 1 } {
            let restarted = disk.restarted(seed, cut);
            let mut found = judge(form, &restarted, acknowledged && !disk.is_dead());
            if found.is_ok() {
                found = write(form, &restarted, 2).and_then(|()| judge(form, &restarted, true));
            }
            if let Err(what) = found {
                lose(format!("restart {seed}: {what}"));
            }
            outcome.restarts += 1;
        }
        *outcome.faults.entry(fault).or_default() += 1;
    }
}
