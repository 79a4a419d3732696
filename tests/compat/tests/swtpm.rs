//! States of Debian's swtpm, imported, compared, and exported again. Without `swtpm` in PATH the tests say so and check
//! nothing.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use sealwright_compat::client::{Answer, Client, differences};
use sealwright_compat::engine::InProcess;
use sealwright_compat::fill::{Outside, allocate, fill};
use sealwright_compat::probe::{RANDOM, loaded, probe};
use sealwright_differential::daemon::{Daemon, Machine, Setting, new_folder};
use sealwright_differential::wire::Out;
use sealwright_state::swtpm::{Folder, Kdf, KeySize, Part, SwtpmKey, open, seal};
use std::path::{Path, PathBuf};

const PASSPHRASE: &str = "correct horse";

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

/// The options of a key, if the state is to be encrypted.
fn key_options(folder: &Path, encrypted: bool) -> Vec<String> {
    if !encrypted {
        return Vec::new();
    }
    let file = folder.join("passphrase");
    std::fs::write(&file, PASSPHRASE).unwrap();
    vec!["--key".to_owned(), format!("pwdfile={},mode=aes-256-cbc", file.display())]
}

fn swtpm_key(encrypted: bool) -> Option<SwtpmKey> {
    encrypted.then(|| SwtpmKey::from_passphrase(PASSPHRASE.as_bytes(), Kdf::Pbkdf2, KeySize::Aes256))
}

fn swtpm(folder: &Path, encrypted: bool) -> Daemon {
    let old = std::process::Command::new("swtpm").args(["socket", "--print-capabilities"]).output();
    let knows = old.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains("flags-opt-disable-auto-shutdown"));
    let mut arguments = key_options(folder, encrypted);
    if knows {
        arguments.extend(["--flags".to_owned(), "disable-auto-shutdown".to_owned()]);
    }
    let setting = Setting { folder: Some(folder.to_owned()), arguments, ..Setting::default() };
    Daemon::start_with("swtpm socket --tpm2", &setting).unwrap()
}

/// vtpmd on this folder, if the variable VTPMD names one (`cargo xtask test compat` does).
fn vtpmd(folder: &Path, encrypted: bool) -> Option<Daemon> {
    vtpmd_with(folder, encrypted, &[])
}

fn vtpmd_with(folder: &Path, encrypted: bool, more: &[&str]) -> Option<Daemon> {
    // Only one that is named: one that lies about may be of an older tree.
    let Some(program) = std::env::var_os("VTPMD").map(PathBuf::from) else {
        eprintln!("NOT CHECKED: the variable VTPMD names no vtpmd");
        return None;
    };
    let mut arguments = key_options(folder, encrypted);
    arguments.extend(more.iter().map(|word| (*word).to_owned()));
    let setting = Setting { folder: Some(folder.to_owned()), arguments, ..Setting::default() };
    Some(Daemon::start_with(&format!("{} socket --tpm2", program.display()), &setting).unwrap())
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

fn blob(folder: &Path, part: Part, key: Option<&SwtpmKey>) -> Option<Vec<u8>> {
    let bytes = Folder::open(folder, None).unwrap().read(part).unwrap()?;
    Some(open(&bytes, key).unwrap().to_vec())
}

fn make(folder: &Path, end: End, banks: bool, encrypted: bool) -> Outside {
    make_by(swtpm(folder, encrypted), end, banks)
}

fn make_by(mut daemon: Daemon, end: End, banks: bool) -> Outside {
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

fn there_and_back(end: End, banks: bool, encrypted: bool) {
    if !have_swtpm() {
        return;
    }
    let folder = new_folder().unwrap();
    let outside = make(&folder, end, banks, encrypted);
    let key = swtpm_key(encrypted);
    let permanent = blob(&folder, Part::Permanent, key.as_ref()).unwrap();
    let volatile = blob(&folder, Part::Volatile, key.as_ref());
    assert_eq!(volatile.is_some(), end == End::Running);

    let mut left = InProcess::of_permanent(&permanent);
    match &volatile {
        Some(volatile) => left.resume(volatile),
        None => drop(left.power_on()),
    }
    // What we would give back, before anything changes.
    let (out, out_volatile) = (left.permanent(), volatile.as_ref().map(|_| left.volatile()));

    let right_folder = copy(&folder);
    let mut right = swtpm(&right_folder, encrypted);
    assert_eq!(right.power_on().unwrap(), 0, "swtpm does not start with its own state");
    let theirs = ask(&mut right, end, &outside);
    let ours = ask(&mut left, end, &outside);
    compare(&format!("{end:?}, import"), &ours, &theirs);

    let started = copy(&folder);
    if let Some(mut daemon) = vtpmd(&started, encrypted) {
        assert_eq!(daemon.power_on().unwrap(), 0, "vtpmd does not start on swtpm's folder");
        compare(&format!("{end:?}, vtpmd"), &ask(&mut daemon, end, &outside), &theirs);
    }

    let back = new_folder().unwrap();
    let files = Folder::open(&back, None).unwrap();
    files.write(Part::Permanent, &seal(&out, key.as_ref()).unwrap()).unwrap();
    if let Some(volatile) = out_volatile {
        files.write(Part::Volatile, &seal(&volatile, key.as_ref()).unwrap()).unwrap();
    }
    let mut again = swtpm(&back, encrypted);
    assert_eq!(again.power_on().unwrap(), 0, "swtpm refuses what was exported");
    compare(&format!("{end:?}, export"), &ask(&mut again, end, &outside), &theirs);
    for folder in [folder, right_folder, started, back] {
        let _ = std::fs::remove_dir_all(folder);
    }
}

#[test]
fn after_shutdown_clear() {
    there_and_back(End::Clear, false, false);
}

#[test]
fn after_shutdown_state() {
    there_and_back(End::State, false, false);
}

#[test]
fn after_a_loss_of_power() {
    there_and_back(End::Nothing, false, false);
}

#[test]
fn with_other_pcr_banks() {
    there_and_back(End::Clear, true, false);
}

#[test]
fn in_the_middle_of_work() {
    there_and_back(End::Running, false, false);
}

#[test]
fn with_encrypted_files() {
    there_and_back(End::State, false, true);
}

/// GET_STATEBLOB.
fn get_blob(daemon: &mut Daemon, blob_type: u32) -> Vec<u8> {
    let answer = daemon.control(&Out::new().u32(0x0C).u32(0).u32(blob_type).u32(0).0, 16).unwrap();
    assert_eq!(answer[..4], [0; 4], "blob {blob_type}");
    let length = u32::from_be_bytes(answer[12..16].try_into().unwrap());
    daemon.control_data(length as usize).unwrap()
}

/// SET_STATEBLOB of both, and power on.
fn receive(daemon: &mut Daemon, blobs: &[(u32, Vec<u8>)], encrypted: bool) {
    for (blob_type, blob) in blobs {
        let flags = if encrypted { 2 } else { 0 };
        let request = Out::new().u32(0x0D).u32(flags).u32(*blob_type).u32(blob.len() as u32).raw(blob).0;
        assert_eq!(daemon.control(&request, 4).unwrap(), [0; 4], "blob {blob_type}");
    }
    assert_eq!(daemon.power_on().unwrap(), 0);
}

/// A VM whose TPM runs under swtpm (or under vtpmd) goes to both, and both go on in the same way.
fn migrate(from_vtpmd: bool, encrypted: bool) {
    if !have_swtpm() {
        return;
    }
    let folders = [new_folder().unwrap(), new_folder().unwrap(), new_folder().unwrap()];
    let [folder, other, destination] = &folders;
    let Some(mut left) = vtpmd(destination, encrypted) else { return };
    let mut source = match from_vtpmd {
        true => vtpmd_with(folder, encrypted, &["--migration", "blobs=swtpm"]).unwrap(),
        false => swtpm(folder, encrypted),
    };
    assert_eq!(source.power_on().unwrap(), 0);
    let mut client = Client::new(&mut source);
    client.startup(false);
    let outside = fill(&mut client);
    let blobs = [1, 2].map(|blob_type| (blob_type, get_blob(&mut source, blob_type)));
    drop(source);
    let mut right = swtpm(other, encrypted);
    receive(&mut left, &blobs, encrypted);
    receive(&mut right, &blobs, encrypted);
    let theirs = ask(&mut right, End::Running, &outside);
    compare("migration", &ask(&mut left, End::Running, &outside), &theirs);
    for folder in folders {
        let _ = std::fs::remove_dir_all(folder);
    }
}

#[test]
fn a_running_vm_migrates_to_vtpmd() {
    migrate(false, false);
}

#[test]
fn a_running_vm_migrates_to_vtpmd_encrypted() {
    migrate(false, true);
}

#[test]
fn a_running_vm_migrates_from_vtpmd() {
    migrate(true, false);
}

#[test]
fn a_running_vm_migrates_from_vtpmd_encrypted() {
    migrate(true, true);
}

/// vtpmd with its state in swtpm's format, as it is by the name of swtpm.
fn in_swtpms_format(folder: &Path, encrypted: bool) -> Option<Daemon> {
    vtpmd_with(folder, encrypted, &["--state-format", "swtpm", "--flags", "disable-auto-shutdown"])
}

/// A folder that one of the two worked on is opened by both, and both answer the same; then each opens what the other left.
fn one_folder_for_both(by_vtpmd: bool, end: End, banks: bool, encrypted: bool) {
    if !have_swtpm() {
        return;
    }
    let folder = new_folder().unwrap();
    let maker = if by_vtpmd { in_swtpms_format(&folder, encrypted) } else { Some(swtpm(&folder, encrypted)) };
    let Some(maker) = maker else { return };
    let outside = make_by(maker, end, banks);
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.retain(|name| name.to_string_lossy().to_lowercase().starts_with('t'));
    names.sort();
    let expected = ["tpm2-00.permall", "tpm2-00.volatilestate"];
    assert_eq!(names, expected[..if end == End::Running { 2 } else { 1 }]);

    let theirs_folder = copy(&folder);
    let mut theirs = swtpm(&theirs_folder, encrypted);
    assert_eq!(theirs.power_on().unwrap(), 0, "swtpm does not start on the folder");
    let expected = ask(&mut theirs, end, &outside);
    let ours_folder = copy(&folder);
    let mut ours = in_swtpms_format(&ours_folder, encrypted).unwrap();
    assert_eq!(ours.power_on().unwrap(), 0, "vtpmd does not start on the folder");
    compare(&format!("{end:?}, one folder"), &ask(&mut ours, end, &outside), &expected);
    drop((theirs, ours));

    // Crosswise, as what they left: switched off without a word.
    for left in [&theirs_folder, &ours_folder] {
        let _ = std::fs::remove_file(left.join("tpm2-00.volatilestate"));
    }
    let crossed = [copy(&ours_folder), copy(&theirs_folder)];
    let mut theirs = swtpm(&crossed[0], encrypted);
    assert_eq!(theirs.power_on().unwrap(), 0, "swtpm does not start on what vtpmd left");
    // What was asked before ended with TPM2_Clear, so each has made its own proofs for tickets.
    let asked = |machine: &mut Daemon| {
        let mut answers = ask(machine, End::Nothing, &outside);
        answers.retain(|answer| !answer.label.starts_with("ticket again"));
        answers
    };
    let expected = asked(&mut theirs);
    let mut ours = in_swtpms_format(&crossed[1], encrypted).unwrap();
    assert_eq!(ours.power_on().unwrap(), 0, "vtpmd does not start on what swtpm left");
    compare(&format!("{end:?}, crosswise"), &asked(&mut ours), &expected);
    drop((theirs, ours));
    for folder in [folder, theirs_folder, ours_folder].into_iter().chain(crossed) {
        let _ = std::fs::remove_dir_all(folder);
    }
}

#[test]
fn one_folder_after_shutdown_clear() {
    one_folder_for_both(true, End::Clear, false, false);
    one_folder_for_both(false, End::Clear, true, false);
}

#[test]
fn one_folder_after_shutdown_state() {
    one_folder_for_both(true, End::State, false, false);
    one_folder_for_both(false, End::State, false, false);
}

#[test]
fn one_folder_after_a_loss_of_power() {
    one_folder_for_both(true, End::Nothing, false, false);
    one_folder_for_both(false, End::Nothing, false, true);
}

#[test]
fn one_folder_in_the_middle_of_work() {
    one_folder_for_both(true, End::Running, false, false);
    one_folder_for_both(true, End::Running, false, true);
}

#[test]
fn one_folder_with_encrypted_files() {
    one_folder_for_both(true, End::State, false, true);
}
