//! Many daemons of one kind, each with a folder, a key and a state of its own.

use crate::commands::{self, INDEX_SIZE, furnish, identity, run};
use crate::proc::{Held, Ran};
use core::time::Duration;
use sealwright_differential::daemon::{Daemon, Machine, Setting};
use sealwright_differential::wire::Random;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A folder that is removed with everything in it.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Where one TPM lives, and what it has to be.
pub(crate) struct Place {
    folder: PathBuf,
    arguments: Vec<String>,
    identity: Vec<u8>,
}

/// A kind of daemon and its states.
pub(crate) struct Fleet {
    /// Program and first arguments.
    pub(crate) command: String,
    /// More options of `--tpmstate`.
    pub(crate) state: String,
    pub(crate) places: Vec<Place>,
}

fn new_key(path: &Path) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut key = [0; 32];
    fs::File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut key)).map_err(failed)?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(&key).map_err(failed)
}

/// Ends a daemon as a VM manager does, with its state in order.
pub(crate) fn end(mut daemon: Daemon) -> Result<(), String> {
    run(&mut daemon, &commands::shutdown())?;
    let status = daemon.end().map_err(|e| format!("the daemon does not end: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("the daemon ended badly: {status}")) }
}

impl Fleet {
    /// Makes the states: each TPM runs once, alone, under a new key.
    pub(crate) fn prepare(command: &str, state: &str, folder: &Path, count: usize) -> Result<Self, String> {
        let mut fleet = Self { command: command.to_owned(), state: state.to_owned(), places: Vec::new() };
        for number in 0..count {
            let folder = folder.join(number.to_string());
            fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
            let key = folder.join("key");
            new_key(&key)?;
            let arguments =
                ["--key".to_owned(), format!("file={},format=binary,mode=aes-256-cbc", key.display())].to_vec();
            fleet.places.push(Place { folder, arguments, identity: Vec::new() });
            let mut daemon = fleet.start(number)?;
            furnish(&mut daemon, &Random(number as u64).bytes(INDEX_SIZE.into()))?;
            let found = identity(&mut daemon)?;
            end(daemon)?;
            if let Some(place) = fleet.places.last_mut() {
                place.identity = found;
            }
        }
        Ok(fleet)
    }

    /// Starts one and waits for its answer to TPM2_Startup.
    pub(crate) fn start(&self, number: usize) -> Result<Daemon, String> {
        let place = self.places.get(number).ok_or("no such TPM")?;
        let failed = |what: &str| format!("TPM {number} of {}: {what}", self.command);
        let setting = Setting {
            folder: Some(place.folder.clone()),
            state: self.state.clone(),
            arguments: place.arguments.clone(),
            quiet: false,
            handed: false,
        };
        let mut daemon = Daemon::start_with(&self.command, &setting).map_err(|e| failed(&e.to_string()))?;
        match daemon.power_on() {
            Ok(0) => {}
            other => return Err(failed(&format!("INIT: {other:?}"))),
        }
        run(&mut daemon, &commands::startup()).map_err(|e| failed(&e))?;
        Ok(daemon)
    }

    /// Starts all, one after the other; with the time of each.
    pub(crate) fn start_all(&self) -> Result<(Vec<Daemon>, Vec<Duration>), String> {
        let (mut daemons, mut times) = (Vec::new(), Vec::new());
        for number in 0..self.places.len() {
            let begin = Instant::now();
            daemons.push(self.start(number)?);
            times.push(begin.elapsed());
        }
        Ok((daemons, times))
    }

    /// How many TPMs are what they were made, started anew.
    pub(crate) fn intact(&self) -> Result<usize, String> {
        let mut right = 0;
        for (number, place) in self.places.iter().enumerate() {
            let mut daemon = self.start(number)?;
            if identity(&mut daemon)? == place.identity {
                right += 1;
            }
            end(daemon)?;
        }
        Ok(right)
    }

    /// Bytes of the state files, all together.
    pub(crate) fn stored(&self) -> u64 {
        let files = self.places.iter().filter_map(|place| fs::read_dir(&place.folder).ok()).flatten().flatten();
        let is_state = |name: &str| name.starts_with("tpm");
        let states = files.filter(|file| file.file_name().to_str().is_some_and(is_state));
        states.filter_map(|file| file.metadata().ok()).map(|about| about.len()).sum()
    }
}

/// What all of them hold.
pub(crate) fn held(daemons: &[Daemon]) -> Result<Held, String> {
    daemons.iter().try_fold(Held::default(), |sum, daemon| Ok(sum.and(Held::of(daemon.id())?)))
}

/// What became of leaving all of them alone for a time.
pub(crate) struct Idle {
    /// Daemons that ran at all.
    pub(crate) woken: usize,
    pub(crate) switches: u64,
    /// Nanoseconds of processor time, all together.
    pub(crate) time: u64,
}

/// Leaves all of them alone.
pub(crate) fn idle(daemons: &[Daemon], time: Duration) -> Result<Idle, String> {
    let ran = || daemons.iter().map(|daemon| Ran::of(daemon.id())).collect::<Result<Vec<_>, _>>();
    // What they still do after the last command is not idleness.
    std::thread::sleep(Duration::from_millis(500));
    let before = ran()?;
    std::thread::sleep(time);
    let after = ran()?;
    let mut idle = Idle { woken: 0, switches: 0, time: 0 };
    for (before, after) in before.iter().zip(&after) {
        idle.woken += usize::from(before != after);
        idle.switches += after.switches - before.switches;
        idle.time += after.time - before.time;
    }
    Ok(idle)
}
