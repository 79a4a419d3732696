//! An anchor in the host's TPM, which is another vtpmd here: what is refused with it, also under the seccomp filter.

mod common;

use common::{Daemon, Folder, VTPMD, command};
use std::process::Command;

/// A running host's TPM, and the address of an anchor in it.
fn host() -> (Folder, Daemon) {
    let folder = Folder::new("host-tpm");
    let daemon = Daemon::running(&folder, &[]);
    (folder, daemon)
}

fn anchor(host: &Folder, index: &str) -> String {
    format!("tpm:{}?index={index}", host.text("data"))
}

/// The start of a VM's TPM that must fail; what it says.
fn refusal(folder: &Folder, words: &[&str]) -> String {
    let output = command(folder, &[&["--flags", "startup-clear"], words].concat()).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn end(mut daemon: Daemon) {
    daemon.control().shutdown();
    daemon.wait();
}

fn copy(folder: &Folder) -> Vec<(String, Vec<u8>)> {
    let read = |name: &str| (name.to_owned(), std::fs::read(folder.at(name)).unwrap());
    ["state/tpm.state", "state/.lock"].map(read).to_vec()
}

fn put_back(folder: &Folder, files: &[(String, Vec<u8>)]) {
    files.iter().for_each(|(name, bytes)| std::fs::write(folder.at(name), bytes).unwrap());
}

#[test]
fn a_disk_that_was_put_back_is_refused() {
    let (host, mut tpm) = host();
    let address = anchor(&host, "0x01800100");
    let words = ["--vm", "web", "--anchor", &address];
    let vm = Folder::new("anchored");
    // A new state makes the Index itself.
    let daemon = Daemon::running(&vm, &words);
    let mut data = daemon.data();
    assert_eq!(data.define_counter(), 0);
    let early = copy(&vm);
    (0..30).for_each(|_| assert_eq!(data.increment(), Some(0)));
    end(daemon);
    let newest = copy(&vm);

    put_back(&vm, &early);
    let refused = refusal(&vm, &words);
    assert!(refused.contains("is older") && refused.contains("0x01800100"), "{refused}");
    put_back(&vm, &newest);

    // Killed in the middle of its work: it goes on, and what was copied before this run is refused.
    let mut daemon = Daemon::running(&vm, &words);
    let mut data = daemon.data();
    (0..40).for_each(|_| assert_eq!(data.increment(), Some(0)));
    daemon.kill();
    drop(daemon);
    let killed = copy(&vm);
    put_back(&vm, &newest);
    assert!(refusal(&vm, &words).contains("is older"));
    put_back(&vm, &killed);

    // The host's TPM loses its power and remembers.
    tpm.kill();
    let absent = refusal(&vm, &words);
    assert!(absent.contains("the anchor in the NV Index 0x01800100"), "{absent}");
    tpm = Daemon::running(&host, &[]);
    let daemon = Daemon::running(&vm, &words);
    assert_eq!(daemon.data().counter(), 70);
    end(daemon);

    // Another VM, with the same Index.
    let other = Folder::new("anchored-other");
    let refused = refusal(&other, &["--vm", "db", "--anchor", &address]);
    assert!(refused.contains("another state") && refused.contains("VM db"), "{refused}");
    assert!(!other.at("state/tpm.state").exists());

    // Break glass: the older one, with a reason.
    put_back(&vm, &early);
    let daemon = Daemon::running(&vm, &[&words[..], &["--accept-rollback", "the disk died"]].concat());
    assert_eq!(daemon.data().increment(), Some(0));
    end(daemon);
    let history = Command::new(VTPMD)
        .args(["state", "history", "--tpmstate", &format!("dir={}", vm.text("state"))])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&history.stdout).contains("the disk died"));
    drop(tpm);
}

#[test]
fn a_state_that_the_tpm_does_not_know_needs_a_word() {
    let (host, _tpm) = host();
    let address = anchor(&host, "0x01800200");
    let vm = Folder::new("anchored-late");
    end(Daemon::running(&vm, &["--vm", "web"]));
    let words = ["--vm", "web", "--anchor", &address];
    let refused = refusal(&vm, &words);
    assert!(refused.contains("knows no state of this VM") && refused.contains("--accept-rollback"), "{refused}");
    let daemon = Daemon::running(&vm, &[&words[..], &["--accept-rollback", "the first start with an anchor"]].concat());
    assert_eq!(daemon.data().define_counter(), 0);
    end(daemon);
    end(Daemon::running(&vm, &words));
    assert!(refusal(&vm, &["--anchor", &address]).contains("--vm"));
    assert!(refusal(&vm, &["--vm", "web", "--anchor", "tpm:/dev/tpmrm0"]).contains("index="));
}
