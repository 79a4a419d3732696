//! `vtpmd state convert`, `export` and `import` with the real program: what they refuse, what they carry, and that killing
//! them at any instant loses nothing.

mod common;

use common::{Daemon, Folder, VTPMD, key_file, killed};
use core::fmt::Debug;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

fn state<S: AsRef<OsStr>>(words: &[S]) -> Output {
    Command::new(VTPMD).arg("state").args(words).output().unwrap()
}

/// Words with some more behind them.
fn with(words: &[&str], more: &[&str]) -> Vec<String> {
    words.iter().chain(more).map(|word| (*word).to_owned()).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn good<S: AsRef<OsStr> + Debug>(words: &[S]) -> String {
    let output = state(words);
    assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn refused<S: AsRef<OsStr> + Debug>(words: &[S], why: &str) {
    let output = state(words);
    let error = text(&output.stderr);
    assert!(!output.status.success() && error.contains(why), "{words:?}: {error}");
}

/// A folder with keys, and the state of a TPM with a counter that was counted so often.
fn with_counter(name: &str, extra: &[&str], count: u32) -> Folder {
    let folder = Folder::new(name);
    for (file, digit) in [("a.key", 'a'), ("b.key", 'b')] {
        key_file(&folder.at(file), digit);
    }
    let key = key(&folder, "a");
    let mut daemon = Daemon::running(&folder, &[&["--key", &key], extra].concat());
    let mut data = daemon.data();
    assert_eq!(data.define_counter(), 0);
    (0..count).for_each(|_| assert_eq!(data.increment(), Some(0)));
    daemon.control().shutdown();
    daemon.wait();
    folder
}

fn key(folder: &Folder, name: &str) -> String {
    format!("file={},mode=aes-256-cbc", folder.text(&format!("{name}.key")))
}

/// The counter of the state in `state` of this folder.
fn counter(folder: &Folder, extra: &[&str]) -> u64 {
    let mut daemon = Daemon::running(folder, extra);
    let counter = daemon.data().counter();
    daemon.control().shutdown();
    daemon.wait();
    counter
}

#[test]
fn a_state_is_carried_in_a_file() {
    let folder = with_counter("portable", &["--vm", "web"], 3);
    let (a, b) = (key(&folder, "a"), key(&folder, "b"));
    let dir = format!("dir={}", folder.text("state"));
    let file = format!("file:{}", folder.text("exported"));
    let from = ["export", "--tpmstate", &dir, "--key", &a, "--to", &file];
    let export = |more: &[&str]| with(&from, more);

    refused(&export(&[]), "--plain");
    assert!(!folder.at("exported").exists());
    let running = Daemon::running(&folder, &["--key", &a]);
    refused(&export(&["--to-key", &b]), "in use by process");
    drop(running);
    let told = good(&export(&["--to-key", &b, "--json"]));
    assert!(told.contains("\"vm\": \"web\"") && told.contains("\"encrypted\": true"), "{told}");
    refused(&export(&["--to-key", &b]), "--overwrite");
    good(&export(&["--to-key", &b, "--overwrite"]));

    // A new place, under another key, and by its own format's reader.
    let other = Folder::new("portable-other");
    let to = format!("dir={}", other.text("state"));
    let import = |more: &[&str]| with(&["import", "--from", &file, "--tpmstate", &to], more);
    refused(&import(&["--from-key", &a, "--key", &a]), "another key");
    refused(&import(&["--key", &a]), "no key was given");
    refused(&import(&["--from-key", &b]), "--plain");
    assert!(!other.at("state/tpm.state").exists());
    good(&import(&["--from-key", &b, "--key", &a]));
    assert_eq!(counter(&other, &["--key", &a, "--vm", "web"]), 3);
    assert!(good(&["history", "--tpmstate", &to]).contains("imported"));
    refused(&import(&["--from-key", &b, "--key", &a]), "--overwrite");

    // Over a state that was lost, which is refused unless it is meant.
    std::fs::remove_file(other.at("state/tpm.state")).unwrap();
    refused(&import(&["--from-key", &b, "--key", &a]), "has been one");
    good(&import(&["--from-key", &b, "--key", &a, "--overwrite"]));
    assert_eq!(counter(&other, &["--key", &a]), 3);

    // An older generation, over the newer state, which stays in the history.
    good(&export(&["--to-key", &b, "--generation", "3", "--overwrite"]));
    good(&import(&["--from-key", &b, "--key", &a, "--overwrite"]));
    let shown = good(&["show", "--tpmstate", &to, "--key", &a]);
    assert!(shown.contains("counter") && !shown.contains("count 3"), "{shown}");

    // Not into another VM's place, unless that is said.
    let third = with_counter("portable-third", &["--vm", "db"], 1);
    let to = format!("dir={}", third.text("state"));
    let import =
        |more: &[&str]| with(&["import", "--from", &file, "--from-key", &b, "--tpmstate", &to, "--key", &a], more);
    refused(&import(&["--overwrite"]), "of VM db");
    refused(&import(&["--overwrite", "--vm", "web"]), "of VM db");
    good(&import(&["--overwrite", "--vm", "db"]));
}

#[test]
fn a_state_goes_to_swtpm_and_comes_back() {
    let folder = with_counter("to-swtpm", &[], 2);
    let (a, b) = (key(&folder, "a"), key(&folder, "b"));
    let dir = format!("dir={}", folder.text("state"));
    std::fs::create_dir(folder.at("swtpm")).unwrap();
    let place = format!("swtpm:{}", folder.text("swtpm"));
    good(&["export", "--tpmstate", &dir, "--key", &a, "--to", &place, "--to-key", &b]);
    // A copy of the file alone, and under a name of its own.
    std::fs::copy(folder.at("swtpm/tpm2-00.permall"), folder.at("copied")).unwrap();
    let copied = format!("swtpm-permall:{}", folder.text("copied"));
    for (number, from) in [place, copied].iter().enumerate() {
        let back = Folder::new("from-swtpm");
        let to = format!("dir={}", back.text("state"));
        refused(&["import", "--from", from, "--from-key", &a, "--tpmstate", &to, "--key", &a], "another key");
        good(&["import", "--from", from, "--from-key", &b, "--tpmstate", &to, "--key", &a]);
        assert_eq!(counter(&back, &["--key", &a]), 2, "place {number}");
    }
    // In one folder, to and fro; and by the old name of the command.
    let swtpm = format!("swtpm:{}", folder.text("state"));
    let own = format!("vtpmd:{}", folder.text("state"));
    good(&["convert", "--from", &own, "--key", &a, "--to", &swtpm]);
    refused(&["convert", "--from", &own, "--key", &a, "--to", &swtpm], "--overwrite");
    let old = Command::new(VTPMD).args(["convert", "--from", &swtpm, "--to", &own, "--force"]).output().unwrap();
    assert!(!old.status.success(), "what is encrypted is not overwritten without its key");
    assert_eq!(counter(&folder, &["--key", &a]), 2);
}

/// What a killed conversion may leave: the state opens with one of these keys.
fn opens_with_one_of(place: &str, keys: &[&str], scratch: &Path) -> bool {
    let to = format!("file:{}", scratch.display());
    keys.iter().any(|key| {
        let words = ["convert", "--from", place, "--key", key, "--to", &to, "--overwrite"];
        state(&words).status.success()
    })
}

#[test]
fn a_killed_conversion_leaves_the_old_or_the_new_state() {
    let folder = with_counter("killed", &[], 1);
    let (a, b) = (key(&folder, "a"), key(&folder, "b"));
    let own = format!("vtpmd:{}", folder.text("state"));
    std::fs::create_dir(folder.at("swtpm")).unwrap();
    let (swtpm, linear) = (format!("swtpm:{}", folder.text("swtpm")), format!("swtpm-file:{}", folder.text("linear")));
    let scratch = folder.at("scratch");
    for place in [&swtpm, &linear] {
        good(&["convert", "--from", &own, "--key", &a, "--to", place, "--new-key", &a]);
    }
    let mut kills = 0;
    for place in [&own, &swtpm, &linear] {
        // In place, to another key and back: every second time begins with the other one.
        for (from, to) in [(&a, &b), (&b, &a)] {
            let words = ["convert", "--from", place, "--key", from, "--to", place, "--new-key", to];
            let again = ["convert", "--from", place, "--key", to, "--to", place, "--new-key", from];
            kills += killed(&words, || {
                assert!(opens_with_one_of(place, &[&a, &b], &scratch), "{place} is lost");
                // Whatever it was, it begins again with the old key.
                state(&again);
            });
            assert!(opens_with_one_of(place, &[to], &scratch), "{place} has not got its new key");
        }
    }
    // Over another state.
    let file = format!("file:{}", folder.text("exported"));
    let dir = format!("dir={}", folder.text("state"));
    good(&["export", "--tpmstate", &dir, "--key", &a, "--to", &file, "--to-key", &a]);
    let words = ["export", "--tpmstate", &dir, "--key", &a, "--to", &file, "--to-key", &b, "--overwrite"];
    kills += killed(&words, || assert!(opens_with_one_of(&file, &[&a, &b], &scratch), "{file} is lost"));
    let words = ["import", "--from", &file, "--from-key", &b, "--tpmstate", &dir, "--key", &a, "--overwrite"];
    kills += killed(&words, || {
        let open = opens_with_one_of(&own, &[&a], &scratch);
        assert!(open, "{own} is lost");
    });
    println!("{kills} kills");
    assert!(kills >= 40, "only {kills} kills");
    assert_eq!(counter(&folder, &["--key", &a]), 1);
}
