//! States of Debian's swtpm, imported, compared, and exported again. Without `swtpm` in PATH the tests say so and check
//! nothing.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use sealwright_compat::client::{Answer, Client, differences};
use sealwright_compat::engine::InProcess;
use sealwright_compat::fill::{Outside, allocate, fill};
use sealwright_compat::probe::{RANDOM, loaded, probe};
use sealwright_differential::daemon::{Daemon, Machine, Setting, new_folder};
use sealwright_differential::wire::Out;
use sealwright_state::swtpm::{Folder, Part, open, seal};
use std::path::{Path, PathBuf};

/// How the old TPM ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Clear,
    State,
    /// Power lost.
    Nothing,
    /// Saved while it ran.
    Running,
}

fn have_swtpm() -> bool {
    let found = std::process::Command::new("swtpm").arg("--version").output().is_ok();
    if !found {
        eprintln!("NOT CHECKED: there is no swtpm here");
    }
    found
}

fn swtpm(folder: &Path) -> Daemon {
    let flags = vec!["--flags".to_owned(), "disable-auto-shutdown".to_owned()];
    let old = std::process::Command::new("swtpm").args(["socket", "--print-capabilities"]).output();
    let knows = old.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains("flags-opt-disable-auto-shutdown"));
    let arguments = if knows { flags } else { Vec::new() };
    let setting = Setting { folder: Some(folder.to_owned()), arguments, ..Setting::default() };
    Daemon::start_with("swtpm socket --tpm2", &setting).unwrap()
}

fn copy(from: &Path) -> PathBuf {
    let to = new_folder().unwrap();
    for part in ["tpm2-00.permall", "tpm2-00.volatilestate"] {
        if from.join(part).exists() {
            std::fs::copy(from.join(part), to.join(part)).unwrap();
        }
    }
    to
}

fn blob(folder: &Path, part: Part) -> Option<Vec<u8>> {
    let bytes = Folder::open(folder, None).unwrap().read(part).unwrap()?;
    Some(open(&bytes, None).unwrap().to_vec())
}

fn make(folder: &Path, end: End, banks: bool) -> Outside {
    let mut daemon = swtpm(folder);
    assert_eq!(daemon.power_on().unwrap(), 0);
    let mut client = Client::new(&mut daemon);
    client.startup(false);
    let outside = fill(&mut client);
    if banks {
        allocate(&mut client);
    }
    match end {
        End::Clear => drop(client.must("shutdown", "Shutdown", &[], &[], Out::new().u16(0))),
        End::State => drop(client.must("shutdown", "Shutdown", &[], &[], Out::new().u16(1))),
        End::Nothing => {}
        End::Running => assert_eq!(daemon.control(&[0, 0, 0, 0x0A], 4).unwrap(), [0; 4]),
    }
    outside
}

fn ask(machine: &mut dyn Machine, end: End, outside: &Outside) -> Vec<Answer> {
    let mut client = Client::new(machine);
    match end {
        End::Running => loaded(&mut client, outside),
        End::State => client.startup(true),
        _ => client.startup(false),
    }
    probe(&mut client, outside);
    client.answers
}

fn compare(what: &str, left: &[Answer], right: &[Answer]) {
    let found = differences(left, right, RANDOM);
    assert!(found.is_empty(), "{what}: {} of {} answers differ:\n{}", found.len(), left.len(), found.join("\n"));
    println!("{what}: {} answers are the same", left.len());
}

fn there_and_back(end: End, banks: bool) {
    if !have_swtpm() {
        return;
    }
    let folder = new_folder().unwrap();
    let outside = make(&folder, end, banks);
    let permanent = blob(&folder, Part::Permanent).unwrap();
    let volatile = blob(&folder, Part::Volatile);
    assert_eq!(volatile.is_some(), end == End::Running);

    let mut left = InProcess::of_permanent(&permanent);
    match &volatile {
        Some(volatile) => left.resume(volatile),
        None => drop(left.power_on()),
    }
    // What we would give back, before anything changes.
    let (out, out_volatile) = (left.permanent(), volatile.as_ref().map(|_| left.volatile()));

    let right_folder = copy(&folder);
    let mut right = swtpm(&right_folder);
    assert_eq!(right.power_on().unwrap(), 0, "swtpm does not start with its own state");
    let theirs = ask(&mut right, end, &outside);
    let ours = ask(&mut left, end, &outside);
    compare(&format!("{end:?}, import"), &ours, &theirs);

    let back = new_folder().unwrap();
    let files = Folder::open(&back, None).unwrap();
    files.write(Part::Permanent, &seal(&out, None).unwrap()).unwrap();
    if let Some(volatile) = out_volatile {
        files.write(Part::Volatile, &seal(&volatile, None).unwrap()).unwrap();
    }
    let mut again = swtpm(&back);
    assert_eq!(again.power_on().unwrap(), 0, "swtpm refuses what was exported");
    compare(&format!("{end:?}, export"), &ask(&mut again, end, &outside), &theirs);
    for folder in [folder, right_folder, back] {
        let _ = std::fs::remove_dir_all(folder);
    }
}

#[test]
fn after_shutdown_clear() {
    there_and_back(End::Clear, false);
}

#[test]
fn after_shutdown_state() {
    there_and_back(End::State, false);
}

#[test]
fn after_a_loss_of_power() {
    there_and_back(End::Nothing, false);
}

#[test]
fn with_other_pcr_banks() {
    there_and_back(End::Clear, true);
}

#[test]
fn in_the_middle_of_work() {
    there_and_back(End::Running, false);
}
