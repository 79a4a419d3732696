//! swtpm's own test states (`crates/state/tests/vectors/swtpm`), taken over by a TPM and converted.

use super::*;
use crate::failure::Failure;
use crate::instance::maker;
use crate::options::{KeyKind, KeyOption, PassphraseKdf, Source};
use crate::testing::Folder as Scratch;
use crate::tpm::{Manners, Tpm};
use sealwright_channel::result;
use sealwright_state::backend::{Durability, Folder as OwnFolder};
use sealwright_state::disk::HostFolder;
use sealwright_state::swtpm::wrap_migration;
use sealwright_state::{KeyManager, Kind, Settings, Store};
use std::path::PathBuf;
use std::process::ExitCode;

fn vector(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../state/tests/vectors/swtpm").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The passphrase of the states, with the options that they were made with.
fn key(folder: &Path, passphrase: &str, kdf: PassphraseKdf, length: usize) -> Arc<SealKey> {
    let path = folder.join("passphrase");
    std::fs::write(&path, passphrase).unwrap();
    let kind = KeyKind::Passphrase(kdf);
    Arc::new(SealKey::read("key", &KeyOption { source: Source::File(path), kind, length, remove: false }).unwrap())
}

fn fill(folder: &Path, name: &str) {
    for part in ["permall", "volatilestate"] {
        std::fs::write(folder.join(format!("tpm2-00.{part}")), vector(&format!("{name}.{part}"))).unwrap();
    }
}

fn tpm(folder: &Path, key: Option<&Arc<SealKey>>) -> Tpm {
    let disk = Box::new(HostFolder::open(folder, None).unwrap());
    let backend = OwnFolder::new(disk, Kind::Tpm, Durability::None, true);
    let keys = key.map(|key| Arc::new(crate::seal::LocalKey(Arc::clone(key))) as Arc<dyn KeyManager>);
    let store = Store::new(Box::new(backend), keys, Settings::new(Kind::Tpm));
    let maker = maker(Some("rust")).unwrap();
    Tpm::new(maker, store, key.cloned(), None, Manners::default(), Arc::default())
        .with_swtpm(SwtpmFolder::open(folder, key.cloned()).unwrap())
}

/// TPM2_PCR_Read of SHA-256 PCR 0 to 7.
fn pcrs(tpm: &mut Tpm) -> Vec<u8> {
    let command = [0x80, 1, 0, 0, 0, 20, 0, 0, 1, 0x7E, 0, 0, 0, 1, 0, 0x0B, 3, 0xFF, 0, 0];
    let mut response = vec![0; 4096];
    let length = tpm.execute(0, &command, &mut response);
    response.truncate(length);
    response
}

#[test]
fn swtpms_folder_just_starts_and_is_kept() {
    let scratch = Scratch::new("swtpm-folder");
    let folder = scratch.path();
    fill(folder, "state2b");
    let key = key(folder, "mypassword", PassphraseKdf::Pbkdf2, 32);
    let mut first = tpm(folder, Some(&key));
    first.check_stored().unwrap();
    assert!(!folder.join("tpm.state").exists(), "a check stores nothing");
    first.init(false).unwrap();
    // It was running, and goes on without a Startup.
    let values = pcrs(&mut first);
    assert_eq!(values[6..10], [0; 4]);
    drop(first);
    for part in ["permall", "volatilestate"] {
        assert_eq!(std::fs::read(folder.join(format!("tpm2-00.{part}"))).unwrap(), vector(&format!("state2b.{part}")));
    }
    // From now on the state is ours, and swtpm's file is not looked at.
    std::fs::write(folder.join("tpm2-00.permall"), b"damaged").unwrap();
    let mut second = tpm(folder, Some(&key));
    second.init(false).unwrap();
    assert_eq!(pcrs(&mut second), values);
}

#[test]
fn what_is_not_right_is_refused_and_nothing_is_made() {
    let scratch = Scratch::new("swtpm-refused");
    let folder = scratch.path();
    let other = key(folder, "other", PassphraseKdf::Pbkdf2, 32);
    let refused = |code: u32, key: Option<&Arc<SealKey>>, word: &str| {
        let refused = tpm(folder, key).init(false).unwrap_err();
        assert_eq!(refused.code, code, "{}", refused.why);
        assert!(refused.why.contains(word), "{}", refused.why);
        assert!(!folder.join("tpm.state").exists());
    };
    fill(folder, "state2b");
    refused(result::KEY_NOT_FOUND, None, "no key was given");
    refused(result::DECRYPT_ERROR, Some(&other), "another key");
    std::fs::write(folder.join("tpm2-00.permall"), b"").unwrap();
    refused(result::FAIL, None, "is empty");
    std::fs::write(folder.join("tpm2-00.permall"), vector("state2b.permall").split_at(100).0).unwrap();
    refused(result::BAD_PARAMETER, None, "damaged");
    std::fs::remove_file(folder.join("tpm2-00.permall")).unwrap();
    refused(result::FAIL, None, "volatile");
    // After a state of our own was lost, an older one of swtpm's is no substitute.
    let key = key(folder, "mypassword", PassphraseKdf::Pbkdf2, 32);
    fill(folder, "state2b");
    tpm(folder, Some(&key)).init(false).unwrap();
    std::fs::remove_file(folder.join("tpm.state")).unwrap();
    refused(result::FAIL, Some(&key), "has been one");
}

#[test]
fn a_running_vm_comes_from_swtpm() {
    let scratch = Scratch::new("swtpm-migration");
    let folder = scratch.path();
    let key = key(folder, "mypassword", PassphraseKdf::Sha512, 16);
    let blob = |part: &str| {
        let swtpm = key.swtpm().unwrap();
        let plain = open(&vector(&format!("state2.{part}")), Some(&swtpm)).unwrap();
        // With the state's key, and without.
        [wrap_migration(&plain, Some(&swtpm), None).unwrap(), wrap_migration(&plain, None, None).unwrap()]
    };
    for number in 0..2 {
        let scratch = Scratch::new("swtpm-destination");
        let mut tpm = tpm(scratch.path(), Some(&key));
        let early = tpm.set_state_blob(2, &blob("volatilestate")[number]).unwrap_err();
        assert_eq!(early.code, result::RETRY);
        tpm.set_state_blob(1, &blob("permall")[number]).unwrap();
        tpm.set_state_blob(2, &blob("volatilestate")[number]).unwrap();
        tpm.init(false).unwrap();
        assert_eq!(pcrs(&mut tpm)[6..10], [0; 4]);
        assert!(scratch.path().join("tpm.state").exists());
    }
    let mut without = tpm(folder, None);
    assert_eq!(without.set_state_blob(1, &blob("permall")[0]).unwrap_err().code, result::KEY_NOT_FOUND);
}

fn convert(words: &[&str]) -> Result<(), String> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    command::convert(&words).map(|_| ()).map_err(|failure| failure.to_string())
}

#[test]
fn states_go_from_place_to_place() {
    let scratch = Scratch::new("convert");
    let root = scratch.path();
    let folder = |name: &str| {
        std::fs::create_dir_all(root.join(name)).unwrap();
        root.join(name).display().to_string()
    };
    for (file, text) in [("old", "mypassword"), ("new", "other")] {
        std::fs::write(root.join(file), text).unwrap();
    }
    let given = |name: &str| format!("pwdfile={},mode=aes-256-cbc", root.join(name).display());
    let start = folder("start");
    fill(Path::new(&start), "state2b");
    let from = format!("swtpm:{start}");
    let own = format!("vtpmd:{}", folder("own"));
    convert(&["--from", &from, "--key", &given("old"), "--to", &own, "--new-key", &given("new")]).unwrap();
    // Once more only with --force.
    let again = ["--from", &from, "--key", &given("old"), "--to", &own, "--new-key", &given("new")];
    assert!(convert(&again).unwrap_err().contains("already a state"));
    convert(&[&again[..], &["--force"]].concat()).unwrap();
    // Another key where it is, then out again, plain.
    convert(&["--from", &own, "--key", &given("new"), "--to", &own, "--new-key", &given("old")]).unwrap();
    assert!(convert(&["--from", &own, "--key", &given("new"), "--to", &from, "--force"]).is_err());
    let file = format!("swtpm-file:{}", root.join("linear").display());
    convert(&["--from", &own, "--key", &given("old"), "--to", &file]).unwrap();
    let back = folder("back");
    let to = format!("swtpm:{back}");
    convert(&["--from", &file, "--to", &to, "--new-key", &given("old")]).unwrap();
    // In place from one key to another; a second time finds it done.
    let rekey = ["--from", &to, "--key", &given("old"), "--to", &to, "--new-key", &given("new")];
    convert(&rekey).unwrap();
    convert(&rekey).unwrap();
    convert(&["--from", &to, "--key", &given("new"), "--to", &to]).unwrap();
    let read = |folder: &str, key: Option<&Arc<SealKey>>| {
        let folder = SwtpmFolder::open(Path::new(folder), key.cloned()).unwrap();
        folder.read().unwrap().unwrap()
    };
    let old = key(root, "mypassword", PassphraseKdf::Pbkdf2, 32);
    let (before, after) = (read(&start, Some(&old)), read(&back, None));
    assert!(after.volatile.is_some());
    // The same TPM: both are taken over to the same state.
    let imported = |state: &Foreign| {
        let blob = maker(Some("rust")).unwrap().import(&state.permanent, None).unwrap();
        blob.permanent.to_vec()
    };
    assert_eq!(imported(&before).len(), imported(&after).len());
    assert!(convert(&["--from", "nowhere", "--to", &own]).unwrap_err().contains("no place"));
    assert!(convert(&["--to", &own]).unwrap_err().contains("--from"));
}

/// A key file that only its owner can read, as the address of a key manager.
fn key_manager(root: &Path, name: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = root.join(name);
    std::fs::write(&path, "07".repeat(32)).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    format!("file:{}", path.display())
}

#[test]
fn a_state_is_neither_exported_nor_imported_onto_itself() {
    let scratch = Scratch::new("onto-itself");
    let root = scratch.path();
    let own = root.join("own");
    std::fs::create_dir_all(&own).unwrap();
    fill(&own, "state2b");
    std::fs::write(root.join("old"), "mypassword").unwrap();
    let old = format!("pwdfile={},mode=aes-256-cbc", root.join("old").display());
    let (swtpm, place) = (format!("swtpm:{}", own.display()), format!("vtpmd:{}", own.display()));
    convert(&["--from", &swtpm, "--key", &old, "--to", &place, "--new-key", &old]).unwrap();
    let stored = || std::fs::read(own.join("tpm.state")).unwrap();
    let (before, manager) = (stored(), key_manager(root, "manager"));
    let state = format!("dir={}", own.display());
    let run = |command: fn(&[String]) -> Result<ExitCode, Failure>, words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        command(&words).map(|_| ()).map_err(|failure| failure.to_string())
    };
    for to in [&["--plain"][..], &["--to-key", &old], &["--to-key-manager", &manager]] {
        let words = [&["--tpmstate", &state, "--key", &old, "--to", &place, "--overwrite"][..], to].concat();
        assert!(run(command::export, &words).unwrap_err().contains("vtpmd state reseal"), "{words:?}");
    }
    let words = ["--from", &place, "--from-key", &old, "--tpmstate", &state, "--key-manager", &manager, "--overwrite"];
    assert!(run(command::import, &words).unwrap_err().contains("vtpmd state reseal"));
    assert!(stored() == before, "nothing was changed");
}
