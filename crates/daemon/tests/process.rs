//! The command line and the life of the process.

mod common;

use common::{Control, Daemon, Data, Folder, VTPMD, command, key_file, wait};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

fn output(words: &[&str]) -> (bool, String, String) {
    let out = Command::new(VTPMD).args(words).stdin(Stdio::null()).output().unwrap();
    let text = |b: Vec<u8>| String::from_utf8(b).unwrap();
    (out.status.success(), text(out.stdout), text(out.stderr))
}

#[test]
fn prints_what_managers_look_for() {
    let (ok, help, _) = output(&["socket", "--help"]);
    assert!(ok && help.contains("--tpm2"));
    assert!(output(&["--version"]).1.starts_with("TPM emulator version "));
    let (ok, text, _) = output(&["socket", "--tpm2", "--print-cap"]);
    assert!(ok);
    for feature in ["tpm-2.0", "cmdarg-pwd-fd", "cmdarg-migration", "nvram-backend-dir", "nvram-backend-file"] {
        assert!(text.contains(&format!("\"{feature}\"")), "{feature}");
    }
    assert!(text.contains("cmdarg-profile") && text.contains("\"names\": [ \"default-v2\""));
}

#[test]
fn refusals_are_in_words_and_exit_with_1() {
    for (words, part) in [
        (&["socket", "--tpmstate", "dir=/nowhere"][..], "TPM 1.2"),
        (&["socket", "--tpm2", "--tpmstate", "dir=/nowhere", "--flags", "not-need-init", "-p", "0"], "/nowhere"),
        (&["socket", "--tpm2", "--tpmstate", "dir=/tmp"], "channel"),
        (&["chardev", "--tpm2"], "character device"),
        (&["cuse", "--tpm2"], "not supported"),
        (&["socket", "--tpm2", "stray"], "stray"),
        (&[], "command"),
    ] {
        let (ok, _, stderr) = output(words);
        assert!(!ok && stderr.contains(part), "{words:?}: {stderr}");
    }
}

#[test]
fn sigterm_ends_cleanly_and_leaves_no_files() {
    let folder = Folder::new("sigterm");
    let pid = format!("file={}", folder.text("pid"));
    let mut daemon = Daemon::running(&folder, &["--pid", &pid]);
    let written = wait("the pid file", || std::fs::read_to_string(folder.at("pid")).ok().filter(|t| t.ends_with('\n')));
    assert_eq!(written.trim(), daemon.child.id().to_string());
    assert!(Command::new("kill").arg(written.trim()).status().unwrap().success());
    assert!(daemon.wait().success());
    for left in ["pid", "ctrl", "data"] {
        assert!(!folder.at(left).exists(), "{left}");
    }
    assert!(folder.at("state/tpm.state").exists());
}

#[test]
fn terminate_ends_with_the_data_client_and_ctrl_terminate_with_the_control_client() {
    let folder = Folder::new("terminate");
    let mut daemon = Daemon::running(&folder, &["--terminate"]);
    let mut data = daemon.data();
    assert_eq!(data.random().0, 0);
    drop(data);
    assert!(daemon.wait().success());

    let ctrl = format!("type=unixio,path={},terminate", folder.text("ctrl"));
    let mut child = command(&folder, &["--ctrl", &ctrl]).spawn().unwrap();
    drop(wait("the control socket", || UnixStream::connect(folder.at("ctrl")).ok()));
    assert!(wait("the end", || child.try_wait().unwrap()).success());
}

#[test]
fn goes_to_the_background_when_ready() {
    let folder = Folder::new("background");
    let pid = format!("file={}", folder.text("pid"));
    let mut child = command(&folder, &["--daemon", "--pid", &pid, "--flags", "startup-clear"]).spawn().unwrap();
    assert!(wait("the parent's end", || child.try_wait().unwrap()).success());
    let mut data = Data::new(UnixStream::connect(folder.at("data")).unwrap());
    assert_eq!(data.random().0, 0);
    let number = std::fs::read_to_string(folder.at("pid")).unwrap();
    assert_ne!(number.trim(), child.id().to_string());
    Control(UnixStream::connect(folder.at("ctrl")).unwrap()).shutdown();
    wait("the pid file's end", || (!folder.at("pid").exists()).then_some(()));

    // A failure is the parent's failure.
    let mut bad = command(&folder, &["--daemon", "--key", "file=/nowhere"]).spawn().unwrap();
    assert!(!wait("the parent's end", || bad.try_wait().unwrap()).success());
}

#[test]
fn open_sockets_are_taken_by_number() {
    let folder = Folder::new("numbers");
    let (control, control_end) = UnixStream::pair().unwrap();
    let (data, data_end) = UnixStream::pair().unwrap();
    // A shell gives its standard streams the numbers 8 and 9.
    let mut child = Command::new("sh")
        .args(["-c", r#"exec "$0" "$@" 8<&0 9>&1 </dev/null >/dev/null"#, VTPMD, "socket", "--tpm2"])
        .args(["--tpmstate", &format!("dir={}", folder.text("state")), "--flags", "startup-clear"])
        .args(["--ctrl", "type=unixio,clientfd=8", "--server", "type=tcp,fd=9"])
        .stdin(OwnedFd::from(control_end))
        .stdout(OwnedFd::from(data_end))
        .spawn()
        .unwrap();
    let (mut control, mut data) = (Control(control), Data::new(data));
    assert_eq!(data.random().0, 0);
    assert_eq!(control.ask(1, &[], 8), [0, 0, 0, 0, 0, 1, 0xff, 0xff]);
    drop(data);
    assert!(wait("the end", || child.try_wait().unwrap()).success(), "fd= implies terminate");
}

#[test]
fn a_second_instance_is_refused_by_the_lock() {
    let folder = Folder::new("lock");
    let first = Daemon::running(&folder, &[]);
    let other = Folder::new("lock-other");
    let out = Command::new(VTPMD)
        .args(["socket", "--tpm2", "--flags", "not-need-init"])
        .args(["--tpmstate", &format!("dir={}", folder.text("state"))])
        .args(["--ctrl", &format!("type=unixio,path={}", other.text("ctrl"))])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).contains("in use by process"));
    drop(first);
}

#[test]
fn encrypted_state_needs_its_key() {
    let folder = Folder::new("key");
    key_file(&folder.at("key"), '1');
    key_file(&folder.at("wrong"), '2');
    let key = format!("file={},mode=aes-256-cbc", folder.text("key"));
    let wrong = format!("file={},mode=aes-256-cbc", folder.text("wrong"));
    let mut daemon = Daemon::running(&folder, &["--key", &key]);
    daemon.control().shutdown();
    daemon.wait();
    let refused = |extra: &[&str]| {
        let out = command(&folder, extra).output().unwrap();
        assert_eq!(out.status.code(), Some(1));
        String::from_utf8(out.stderr).unwrap()
    };
    assert!(refused(&["--key", &wrong]).contains("another key"));
    assert!(refused(&[]).contains("no key was given"));
    let state = folder.at("state/tpm.state");
    let good = std::fs::read(&state).unwrap();
    // Inside the first record's content, behind the block of the header.
    let mut flipped = good.clone();
    flipped[4096 + 400] ^= 1;
    for (bytes, part) in [
        (&b""[..], "empty"),
        (&good[..good.len() / 2], "cut off"),
        (&good[..20], "cut off"),
        (&flipped, "damaged"),
        (&[0; 300], "empty"),
        (&[7; 300], "not a state"),
    ] {
        std::fs::write(&state, bytes).unwrap();
        assert!(refused(&["--key", &key]).contains(part), "{part}");
        assert_eq!(std::fs::read(&state).unwrap(), bytes, "the file is left alone");
    }
    std::fs::write(&state, &good).unwrap();
    let mut again = Daemon::running(&folder, &["--key", &key]);
    again.control().shutdown();
    assert!(again.wait().success());
}

#[test]
fn a_lost_state_is_not_a_new_tpm_unless_asked_for() {
    let folder = Folder::new("lost");
    let mut daemon = Daemon::running(&folder, &[]);
    daemon.control().shutdown();
    daemon.wait();
    std::fs::remove_file(folder.at("state/tpm.state")).unwrap();
    let out = command(&folder, &[]).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    let text = String::from_utf8(out.stderr).unwrap();
    assert!(text.contains("says that there has been one") && text.contains("--create"), "{text}");
    let mut asked = Daemon::running(&folder, &["--create"]);
    asked.control().shutdown();
    assert!(asked.wait().success());
}

#[test]
fn an_older_state_is_refused_by_the_anchor() {
    let folder = Folder::new("anchor");
    let anchor = folder.text("anchor");
    let with_anchor = ["--vm", "vm-1", "--anchor", &anchor];
    let round = |extra: &[&str]| {
        let all = [&with_anchor[..], extra].concat();
        let mut daemon = Daemon::running(&folder, &all);
        daemon.control().shutdown();
        assert!(daemon.wait().success());
    };
    round(&[]);
    let old = std::fs::read(folder.at("state/tpm.state")).unwrap();
    round(&[]);
    std::fs::write(folder.at("state/tpm.state"), old).unwrap();
    let out = command(&folder, &with_anchor).output().unwrap();
    let text = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.code() == Some(1) && text.contains("is older than the last one known"), "{text}");
    round(&["--accept-rollback", "the newer disk burnt"]);
    round(&[]);
    let other = command(&folder, &["--vm", "vm-2"]).output().unwrap();
    assert!(String::from_utf8_lossy(&other.stderr).contains("that of VM vm-1"));
}

#[test]
fn a_state_in_one_file_is_kept_and_locked() {
    let folder = Folder::new("single");
    let state = format!("backend-uri=file://{}", folder.text("one"));
    let start = || {
        let daemon = Daemon::running(&folder, &["--tpmstate", &state]);
        let data = daemon.data();
        (daemon, data)
    };
    let (mut daemon, mut data) = start();
    assert_eq!(data.define_counter(), 0);
    assert_eq!(data.increment(), Some(0));
    let counted = data.counter();
    let out = command(&folder, &["--tpmstate", &state, "--flags", "not-need-init"]).output().unwrap();
    assert!(String::from_utf8_lossy(&out.stderr).contains("in use by process"));
    daemon.kill();
    let (_, listed, _) = output(&["socket", "--tpm2", "--tpmstate", &state, "--print-states"]);
    assert!(listed.contains("permall"), "{listed}");
    let (_daemon, mut data) = start();
    assert_eq!(data.counter(), counted);
}
