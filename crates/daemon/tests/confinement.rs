//! What a running vtpmd has given up, as the kernel tells it.

mod common;

use common::{Control, Daemon, Data, Folder, VTPMD, command, wait};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::process::Command;

fn about(daemon: &Daemon, file: &str) -> String {
    std::fs::read_to_string(format!("/proc/{}/{file}", daemon.child.id())).unwrap()
}

/// The value of a line of `status`.
fn status(daemon: &Daemon, name: &str) -> String {
    let text = about(daemon, "status");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name}")).trim().to_owned()
}

/// The capabilities of a set, but for that of locking memory, which is needed where its amount is limited.
fn capabilities(daemon: &Daemon, set: &str) -> u64 {
    const CAP_IPC_LOCK: u64 = 1 << 14;
    u64::from_str_radix(&status(daemon, set), 16).unwrap() & !CAP_IPC_LOCK
}

/// The hard limit of a line of `limits`.
fn limit(daemon: &Daemon, name: &str) -> String {
    let text = about(daemon, "limits");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn privileges_are_given_up_after_the_start() {
    let folder = Folder::new("confined");
    let daemon = Daemon::running(&folder, &[]);
    let mut data = daemon.data();
    assert_eq!(data.random().0, 0);
    assert_eq!(status(&daemon, "NoNewPrivs"), "1");
    assert_eq!(status(&daemon, "Seccomp"), "2", "a filter");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        let whole = set == "CapBnd" && !rustix::process::geteuid().is_root();
        assert!(whole || capabilities(&daemon, set) == 0, "{set}: {}", status(&daemon, set));
    }
    assert_eq!(limit(&daemon, "Max core file size"), "0");
    assert_eq!(limit(&daemon, "Max open files"), "128");
    // The TPM works on: commits, another control client, and the end with its files removed.
    assert_eq!(data.define_counter(), 0);
    for _ in 0..50 {
        assert!(data.increment().is_some());
    }
    let mut daemon = daemon;
    daemon.control().shutdown();
    assert!(daemon.wait().success());
    for left in ["ctrl", "data"] {
        assert!(!folder.at(left).exists(), "{left}");
    }
    let again = Daemon::running(&folder, &["--confine", "none"]);
    assert_eq!(again.data().counter(), 50);
    assert_ne!(limit(&again, "Max open files"), "128");
}

#[test]
fn another_user_cannot_look_into_the_process() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can change the user");
        return;
    }
    let folder = Folder::new("confined-user");
    std::os::unix::fs::chown(folder.at(""), Some(65534), Some(65534)).unwrap();
    std::os::unix::fs::chown(folder.at("state"), Some(65534), Some(65534)).unwrap();
    let daemon = Daemon::running(&folder, &["--runas", "nobody"]);
    assert_eq!(status(&daemon, "Uid").split_whitespace().next(), Some("65534"));
    // Of a process that cannot be dumped these files are root's.
    assert_eq!(std::fs::metadata(format!("/proc/{}/mem", daemon.child.id())).unwrap().uid(), 0);
    let mut data = daemon.data();
    assert_eq!(data.define_counter(), 0);
    assert_eq!(data.increment(), Some(0));
}

#[test]
fn a_state_of_another_user_is_kept_accessible_to_root() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("confined-foreign");
    std::os::unix::fs::chown(folder.at("state"), Some(65534), Some(65534)).unwrap();
    std::fs::set_permissions(folder.at("state"), std::fs::Permissions::from_mode(0o700)).unwrap();
    let daemon = Daemon::running(&folder, &[]);
    let mut data = daemon.data();
    assert_eq!(data.define_counter(), 0);
    for _ in 0..50 {
        assert!(data.increment().is_some());
    }
    // CAP_DAC_OVERRIDE and CAP_FOWNER alone.
    assert_eq!(capabilities(&daemon, "CapEff"), 0xa);
}

#[test]
fn the_background_and_a_single_file_are_confined_too() {
    let folder = Folder::new("confined-single");
    let pid = format!("file={}", folder.text("pid"));
    let state = format!("backend-uri=file://{}", folder.text("one"));
    let words = ["--daemon", "--pid", &pid, "--tpmstate", &state, "--flags", "startup-clear"];
    assert!(command(&folder, &words).status().unwrap().success());
    let number = std::fs::read_to_string(folder.at("pid")).unwrap();
    let text = std::fs::read_to_string(format!("/proc/{}/status", number.trim())).unwrap();
    assert!(text.contains("NoNewPrivs:\t1"));
    let mut data = Data::new(UnixStream::connect(folder.at("data")).unwrap());
    assert_eq!(data.define_counter(), 0);
    assert_eq!(data.increment(), Some(0));
    Control(UnixStream::connect(folder.at("ctrl")).unwrap()).shutdown();
    wait("the pid file's end", || (!folder.at("pid").exists()).then_some(()));
}

#[test]
fn as_swtpm_it_has_swtpms_habits() {
    let folder = Folder::new("confined-swtpm");
    let link = folder.at("swtpm");
    std::os::unix::fs::symlink(VTPMD, &link).unwrap();
    let mut swtpm = Command::new(&link);
    swtpm
        .args(["socket", "--tpm2", "--tpmstate", &format!("dir={}", folder.text("state"))])
        .args(["--ctrl", &format!("type=unixio,path={}", folder.text("ctrl"))]);
    let daemon = Daemon::spawn(&folder, &mut swtpm);
    // The last step of the start.
    wait("the filter", || (status(&daemon, "Seccomp") == "2").then_some(()));
    assert_ne!(limit(&daemon, "Max open files"), "128");
    let bad = command(&folder, &["--confine", "some"]).output().unwrap();
    assert!(String::from_utf8_lossy(&bad.stderr).contains("--confine: 'some' is unknown"));
}
