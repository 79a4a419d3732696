//! New keys for the state of a TPM that runs, with the real program on both ends of the management socket.

mod common;

use common::{Daemon, Data, Folder, VTPMD, control_only, wait};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

/// Success, standard output, standard error.
fn run(words: &[&str]) -> (bool, String, String) {
    let out = Command::new(VTPMD).args(words).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (out.status.success(), text(out.stdout), text(out.stderr))
}

/// A key file that only its owner can read, as the address of a key manager.
fn master_key(folder: &Folder, name: &str, byte: u8) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.at(name);
    std::fs::write(&path, [byte; 32]).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    format!("file:{}", path.display())
}

struct Place {
    folder: Folder,
    state: String,
    manage: String,
    keys: [String; 2],
}

fn place(name: &str) -> Place {
    let folder = Folder::new(name);
    let keys = [master_key(&folder, "old.key", 1), master_key(&folder, "new.key", 2)];
    let (state, manage) = (format!("dir={}", folder.text("state")), folder.text("manage"));
    Place { folder, state, manage, keys }
}

impl Place {
    fn start(&self, manager: &str) -> Daemon {
        let manage = format!("type=unixio,path={}", self.manage);
        Daemon::running(&self.folder, &["--key-manager", manager, "--manage", &manage])
    }

    /// `vtpmd state rewrap` or `reseal` of the TPM that runs.
    fn change(&self, what: &str, old: &str, new: &str) -> (bool, String, String) {
        run(&["state", what, "--manage", &self.manage, "--key-manager", old, "--new-key-manager", new])
    }

    /// True if what is stored opens with this key, all of it.
    fn opens(&self, manager: &str) -> bool {
        run(&["state", "verify", "--tpmstate", &self.state, "--key-manager", manager]).0
    }
}

#[test]
fn keys_rotate_while_a_guest_works() {
    let place = place("rotate");
    let [old, new] = &place.keys;
    let mut daemon = place.start(old);
    let mut data = daemon.data();
    assert_eq!(data.define_counter(), 0);
    let (count, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let guest = {
        let (count, stop) = (count.clone(), stop.clone());
        std::thread::spawn(move || {
            let mut slowest = Duration::ZERO;
            while !stop.load(Ordering::SeqCst) {
                let begin = Instant::now();
                assert_eq!(data.increment(), Some(0));
                slowest = slowest.max(begin.elapsed());
                count.fetch_add(1, Ordering::SeqCst);
            }
            (data.counter(), slowest)
        })
    };
    let some_steps = || {
        let before = count.load(Ordering::SeqCst);
        wait("steps of the guest", || (count.load(Ordering::SeqCst) > before + 3).then_some(()));
    };
    some_steps();
    let mut data_keys = std::collections::BTreeSet::new();
    for (what, from, to) in [("rewrap", old, new), ("reseal", new, old), ("reseal", old, old), ("rewrap", old, new)] {
        let (ok, out, err) = place.change(what, from, to);
        assert!(ok, "{what}: {err}");
        assert!(out.contains("wrapped by file"), "{out}");
        some_steps();
        assert!(place.opens(to), "{what}");
        assert_eq!(place.opens(from), from == to, "{what}");
        let (ok, shown, err) = run(&["state", "show", "--tpmstate", &place.state]);
        assert!(ok, "{err}");
        data_keys.insert(shown.lines().find(|line| line.starts_with("encrypted")).unwrap().to_owned());
    }
    assert_eq!(data_keys.len(), 3, "rewrap keeps the data key, reseal makes one: {data_keys:?}");
    stop.store(true, Ordering::SeqCst);
    let (counted, slowest) = guest.join().unwrap();
    println!("{} steps, the slowest took {slowest:?}", count.load(Ordering::SeqCst));
    // A first increment of an NV counter sets it; what counts is that no step is lost later.
    let first = counted - count.load(Ordering::SeqCst);
    daemon.control().shutdown();
    daemon.wait();
    let again = place.start(new);
    assert_eq!(again.data().counter(), first + count.load(Ordering::SeqCst));
    let refused = run(&[
        "socket",
        "--tpm2",
        "--tpmstate",
        &place.state,
        "-p",
        "0",
        "--flags",
        "not-need-init",
        "--key-manager",
        old,
    ]);
    assert!(!refused.0);
}

#[test]
fn a_key_manager_that_fails_changes_nothing_and_the_guest_goes_on() {
    let place = place("faults");
    let [old, new] = &place.keys;
    let gone = format!("file:{}", place.folder.text("gone.key"));
    let other = master_key(&place.folder, "other.key", 3);
    let daemon = place.start(old);
    let mut data = daemon.data();
    assert_eq!((data.define_counter(), data.increment()), (0, Some(0)));
    let before = std::fs::read(place.folder.at("state/tpm.state")).unwrap();
    for what in ["rewrap", "reseal"] {
        for (from, to, said) in [
            (old, &gone, "gone.key"),
            (&gone, new, "was deleted"),
            (&other, new, "is not the one that wrapped"),
            (&format!("tpm:{}", place.folder.text("no")), new, "by the key manager file"),
        ] {
            let (ok, _, err) = place.change(what, from, to);
            assert!(!ok && err.contains(said), "{what} {from} {to}: {err}");
        }
    }
    assert_eq!(std::fs::read(place.folder.at("state/tpm.state")).unwrap(), before, "nothing has changed");
    let (ok, _, err) = run(&["state", "rewrap", "--manage", &place.manage, "--new-key-manager", new]);
    assert!(!ok && err.contains("--key-manager"), "{err}");
    let (ok, _, err) = run(&["state", "rewrap", "--manage", "/nowhere/m", "--key-manager", old]);
    assert!(!ok && err.contains("/nowhere/m"), "{err}");
    // The key is deleted: the TPM runs on, and starts again, as its data key is in memory.
    std::fs::remove_file(place.folder.at("old.key")).unwrap();
    assert_eq!(data.increment(), Some(0));
    let counter = data.counter();
    let mut control = daemon.control();
    assert_eq!(control.result(0x0e, &[]), 0, "STOP");
    assert_eq!(control.result(0x02, &[0; 4]), 0, "INIT");
    assert_eq!(data.startup(), 0);
    assert_eq!(data.counter(), counter);
    // The key comes back, as from a backup, and the way is open again.
    master_key(&place.folder, "old.key", 1);
    let (ok, _, err) = place.change("rewrap", old, new);
    assert!(ok, "{err}");
    assert_eq!(data.increment(), Some(0));
}

/// A migration is given up after its destination had the lock, and the keys were changed meanwhile.
#[test]
fn a_migration_that_is_given_up_goes_on_without_the_key_manager() {
    let place = place("given-up");
    let [old, new] = &place.keys;
    let daemon = place.start(old);
    let mut data = daemon.data();
    assert_eq!((data.define_counter(), data.increment()), (0, Some(0)));
    let counter = data.counter();
    // The third blob is the last that a migration fetches: from here on the lock is free.
    assert_eq!(daemon.control().ask(0x0c, &[0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0], 16)[..4], [0, 0, 8, 0]);
    let (ok, _, err) = place.change("rewrap", old, new);
    assert!(!ok && err.contains("destination of a migration"), "{err}");
    let at_rest = ["state", "rewrap", "--tpmstate", &place.state, "--key-manager", old, "--new-key-manager", new];
    assert!(run(&at_rest).0);
    for name in ["old.key", "new.key"] {
        std::fs::rename(place.folder.at(name), place.folder.at(&format!("{name}.away"))).unwrap();
    }
    assert_eq!(data.increment(), Some(0));
    assert_eq!(data.counter(), counter + 1);
    std::fs::rename(place.folder.at("new.key.away"), place.folder.at("new.key")).unwrap();
    assert!(place.opens(new));
}

#[test]
fn a_kill_at_any_instant_leaves_the_old_keys_or_the_new() {
    let place = place("kill");
    let [mut old, mut new] = place.keys.clone();
    let (mut kept, mut changed, mut counted) = (0, 0, 0);
    for round in 0..16_u64 {
        let mut daemon = place.start(&old);
        let mut data = daemon.data();
        if round == 0 {
            assert_eq!(data.define_counter(), 0);
        }
        assert_eq!(data.increment(), Some(0));
        let found = data.counter();
        assert!(round == 0 || found == counted + 1, "{found} after {counted}");
        counted = found;
        let what = if round % 2 == 0 { "rewrap" } else { "reseal" };
        let words = ["state", what, "--manage", &place.manage, "--key-manager", &old, "--new-key-manager", &new];
        let mut command = Command::new(VTPMD).args(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // From before the request to after it.
        std::thread::sleep(Duration::from_millis(round + 2));
        daemon.kill();
        let said_yes = command.wait().unwrap().success();
        let (by_old, by_new) = (place.opens(&old), place.opens(&new));
        assert!(by_old != by_new, "round {round}, {what}: old {by_old}, new {by_new}");
        assert!(by_new || !said_yes, "round {round}: what was acknowledged is there");
        if by_new {
            changed += 1;
            core::mem::swap(&mut old, &mut new);
        } else {
            kept += 1;
        }
    }
    println!("{kept} kills left the old keys, {changed} the new");
}

#[test]
fn a_state_at_rest_is_changed_under_its_lock() {
    let place = place("rest");
    let [old, new] = &place.keys;
    let words = |what: &str, more: &[&str]| {
        let all = ["state", what, "--tpmstate", &place.state, "--key-manager", old, "--new-key-manager", new];
        run(&[&all[..], more].concat())
    };
    let mut daemon = place.start(old);
    let (ok, _, err) = words("rewrap", &[]);
    assert!(!ok && err.contains("in use by") && err.contains("--manage"), "{err}");
    // With both, whichever is there.
    assert!(words("rewrap", &["--manage", &place.manage]).0);
    assert!(place.opens(new));
    daemon.control().shutdown();
    daemon.wait();
    assert!(place.change("rewrap", new, old).2.contains("cannot connect"));
    let back = ["state", "rewrap", "--tpmstate", &place.state, "--manage", &place.manage];
    assert!(run(&[&back[..], &["--key-manager", new, "--new-key-manager", old]].concat()).0);
    let (ok, out, err) = words("reseal", &["--json", "--reason", "yearly"]);
    assert!(ok && out.contains("\"after\""), "{err}");
    assert!(place.opens(new) && !place.opens(old));
    assert!(run(&["state", "history", "--tpmstate", &place.state]).1.contains("yearly"));
    let plain = |more: &[&str]| {
        let all = ["state", "reseal", "--tpmstate", &place.state, "--key-manager", new];
        run(&[&all[..], more].concat())
    };
    assert!(!run(&["state", "rewrap", "--tpmstate", &place.state, "--key-manager", new, "--to-plain"]).0);
    let (ok, out, err) = plain(&["--to-plain"]);
    assert!(ok && out.contains("not encrypted any more"), "{err}");
    assert!(run(&["state", "verify", "--tpmstate", &place.state]).0);
    let (ok, _, err) = run(&["state", "rewrap", "--tpmstate", &place.state, "--new-key-manager", new]);
    assert!(!ok && err.contains("reseal encrypts it"), "{err}");
    let (ok, _, err) = run(&["state", "reseal", "--tpmstate", &place.state, "--new-key-manager", new]);
    assert!(ok && place.opens(new), "{err}");
    let (ok, _, err) = run(&["state", "reseal", "--tpmstate", &place.state]);
    assert!(!ok && err.contains("--new-key-manager"), "{err}");
}

#[test]
fn a_listening_socket_is_taken_by_number() {
    let place = place("number");
    let [old, new] = &place.keys;
    let listener = std::os::unix::net::UnixListener::bind(&place.manage).unwrap();
    // A shell gives its standard input the number 8.
    let mut command = Command::new("sh");
    command
        .args(["-c", r#"exec "$0" "$@" 8<&0 </dev/null"#, VTPMD, "socket", "--tpm2", "--tpmstate", &place.state])
        .args(["--ctrl", &format!("type=unixio,path={}", place.folder.text("ctrl")), "--flags", "startup-clear"])
        .args(["--key-manager", old, "--manage", "fd=8"])
        .stdin(std::os::fd::OwnedFd::from(listener))
        .stderr(Stdio::piped());
    let daemon = Daemon::spawn(&place.folder, &mut command);
    let (ok, _, err) = place.change("rewrap", old, new);
    assert!(ok && place.opens(new), "{err}");
    daemon.control().shutdown();
}

#[test]
fn other_users_are_refused() {
    if std::fs::metadata("/proc/self").map(|m| std::os::unix::fs::MetadataExt::uid(&m)).unwrap() != 0 {
        // Only root can be somebody else.
        return;
    }
    let place = place("users");
    let [old, new] = &place.keys;
    let manage = format!("path={},mode=0666", place.manage);
    let daemon = Daemon::running(&place.folder, &["--key-manager", old, "--manage", &manage]);
    let code =
        "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\nprint(s.makefile().readline())";
    let ask = Command::new("python3").args(["-c", code, &place.manage]).uid(65534).gid(65534).output().unwrap();
    let said = String::from_utf8_lossy(&ask.stdout).into_owned();
    assert!(
        said.contains("\"denied\"") && said.contains("only the user"),
        "{said} {}",
        String::from_utf8_lossy(&ask.stderr)
    );
    assert!(place.change("rewrap", old, new).0, "root may");
    assert_eq!(daemon.data().random().0, 0);
}

/// The TPM of another vtpmd stands for that of the host: a key manager behind a socket.
#[test]
fn a_key_manager_behind_a_socket_is_asked_before_the_process_confines_itself() {
    let (host_folder, place) = (Folder::new("host"), place("confined"));
    let mut host = Daemon::running(&host_folder, &[]);
    drop(host.data());
    let manager = format!("tpm:{}", host_folder.text("data"));
    let manage = format!("path={}", place.manage);
    let with = |more: &[&str]| {
        let mut command = control_only(&place.folder);
        command.args(["--key-manager", &manager, "--manage", &manage]);
        command.args(["--server", &format!("type=unixio,path={}", place.folder.text("data"))]).args(more);
        command
    };
    let confined = |daemon: &Daemon| {
        let path = format!("/proc/{}/status", daemon.child.id());
        wait("the filter", || std::fs::read_to_string(&path).unwrap().contains("Seccomp:\t2").then_some(()));
    };
    // A new TPM, made by INIT, long after the filter.
    let mut daemon = Daemon::spawn(&place.folder, &mut with(&[]));
    confined(&daemon);
    assert_eq!(daemon.control().result(0x02, &[0; 4]), 0, "INIT");
    let mut data = daemon.data();
    assert_eq!((data.startup(), data.define_counter(), data.increment()), (0, 0, Some(0)));
    let counter = data.counter();
    drop(data);
    daemon.control().shutdown();
    daemon.wait();

    // A state that is there, whether it comes by a migration or not.
    for more in [&[][..], &["--migration", "incoming"]] {
        let mut daemon = Daemon::spawn(&place.folder, &mut with(more));
        confined(&daemon);
        host.kill();
        assert_eq!(daemon.control().result(0x02, &[0; 4]), 0, "INIT");
        let mut data = daemon.data();
        assert_eq!((data.startup(), data.counter()), (0, counter));
        assert_eq!(daemon.control().result(0x0e, &[]), 0, "STOP");
        assert_eq!(daemon.control().result(0x02, &[0; 4]), 0, "INIT");
        assert_eq!((data.startup(), data.counter()), (0, counter));
        drop(data);
        daemon.control().shutdown();
        daemon.wait();
        let refused = with(more).output().unwrap();
        let err = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && err.contains("the key manager tpm cannot be reached"), "{err}");
        let _ = std::fs::remove_file(host_folder.at("data"));
        host = Daemon::running(&host_folder, &[]);
        drop(host.data());
    }

    // The wrapping key moves from the host's TPM to a file while the TPM runs.
    let daemon = Daemon::spawn(&place.folder, &mut with(&["--flags", "startup-clear"]));
    confined(&daemon);
    let (ok, _, err) = place.change("rewrap", &manager, &place.keys[0]);
    assert!(ok, "{err}");
    assert_eq!(Data::new(UnixStream::connect(place.folder.at("data")).unwrap()).increment(), Some(0));
    assert_eq!(daemon.control().result(0x0e, &[]), 0, "STOP");
    assert_eq!(daemon.control().result(0x02, &[0; 4]), 0, "INIT, with the address of the old manager");
    assert!(place.opens(&place.keys[0]));
}
