//! A state under a key manager, and `vtpmd state` on it, with the real program.

mod common;

use common::{Daemon, Folder, VTPMD};
use std::process::{Command, Output};

fn vtpmd(words: &[&str]) -> Output {
    Command::new(VTPMD).args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A key file that only its owner can read.
fn master_key(folder: &Folder, name: &str, byte: u8) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.at(name);
    std::fs::write(&path, [byte; 32]).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    format!("file:{}", path.display())
}

#[test]
fn a_key_manager_keeps_the_state_and_people_can_look_at_it() {
    let folder = Folder::new("state-command");
    let manager = master_key(&folder, "master.key", 1);
    let other = master_key(&folder, "other.key", 2);
    let state = format!("dir={}", folder.text("state"));
    let mut daemon = Daemon::running(&folder, &["--key-manager", &manager]);
    let mut data = daemon.data();
    assert_eq!(data.define_counter(), 0);
    assert!(data.increment().is_some() && data.increment().is_some());
    let looked = ["--tpmstate", &state, "--key-manager", &manager];
    let with = |words: &[&str]| vtpmd(&[&["state"], words, &looked[..]].concat());

    // While it runs.
    let shown = with(&["show"]);
    let shown_text = text(&shown.stdout);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    assert!(shown_text.contains("counter, 8 bytes") && shown_text.contains("key manager"), "{shown_text}");
    let refused = with(&["restore", "--generation", "2", "--reason", "test"]);
    assert!(!refused.status.success() && text(&refused.stderr).contains("in use by"), "{}", text(&refused.stderr));
    daemon.control().shutdown();
    daemon.wait();

    let verified = with(&["verify", "--json"]);
    assert!(verified.status.success(), "{}", text(&verified.stderr));
    let changes = text(&with(&["diff", "--from", "2"]).stdout);
    assert!(changes.contains("counter, 8 bytes) was defined"), "{changes}");
    let wrong = vtpmd(&["state", "verify", "--tpmstate", &state, "--key-manager", &other]);
    assert!(!wrong.status.success() && text(&wrong.stderr).contains("another key"), "{}", text(&wrong.stderr));
    let both = vtpmd(&["state", "show", "--tpmstate", &state, "--key-manager", &manager, "--key", "fd=0"]);
    assert!(!both.status.success());

    let restored = with(&["restore", "--generation", "2", "--reason", "a test"]);
    assert!(restored.status.success(), "{}", text(&restored.stderr));
    assert!(text(&with(&["history"]).stdout).contains("restored from generation 2: a test"));
    assert!(text(&with(&["show"]).stdout).contains("NV Indexes        0"));
}

#[test]
fn who_stops_reading_an_answer_is_no_failure() {
    use std::process::Stdio;
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = Command::new(VTPMD).args(["state", "--help"]).stdout(writer).stderr(Stdio::piped()).output();
    let ended = ended.unwrap();
    assert!(ended.status.success() && ended.stderr.is_empty(), "{}", String::from_utf8_lossy(&ended.stderr));
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ended = Command::new(VTPMD).args(["state", "--help"]).stdout(full).output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
}
