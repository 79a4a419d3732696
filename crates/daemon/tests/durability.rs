//! What was answered is stored: the daemon is killed at random moments, and never forgets a counted step.

mod common;

use common::{Daemon, Folder, key_file};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

/// Kills in one run.
const KILLS: u64 = 12;

fn count_through_kills(name: &str, with_key: bool) {
    let folder = Folder::new(name);
    key_file(&folder.at("key"), '5');
    let key = format!("file={},mode=aes-256-cbc", folder.text("key"));
    let extra: &[&str] = if with_key { &["--key", &key] } else { &[] };
    let mut answered = 0;
    for kill in 0..KILLS {
        let mut daemon = Daemon::running(&folder, extra);
        let mut data = daemon.data();
        if kill == 0 {
            assert_eq!(data.define_counter(), 0);
            assert_eq!(data.increment(), Some(0));
            answered = data.counter();
        }
        let found = data.counter();
        // One step may have been stored whose answer was cut off by the kill.
        assert!(found == answered || found == answered + 1, "kill {kill}: {found} after {answered}");
        let count = Arc::new(AtomicU64::new(found));
        let counting = {
            let count = count.clone();
            std::thread::spawn(move || {
                while data.increment() == Some(0) {
                    count.fetch_add(1, Ordering::SeqCst);
                }
            })
        };
        // Wait for at least one step, then a little longer each time.
        common::wait("a step", || (count.load(Ordering::SeqCst) > found).then_some(()));
        std::thread::sleep(Duration::from_micros(kill * 1700));
        daemon.kill();
        counting.join().unwrap();
        answered = count.load(Ordering::SeqCst);
    }
}

#[test]
fn plain_state_survives_kills() {
    count_through_kills("kill-plain", false);
}

#[test]
fn encrypted_state_survives_kills() {
    count_through_kills("kill-sealed", true);
}

#[test]
fn vms_that_share_an_anchor_file_store_at_the_same_time() {
    let anchors = Folder::new("anchors");
    let file = anchors.text("anchors");
    let run = |vm: &str| {
        let folder = Folder::new(vm);
        let options = ["--vm", vm, "--anchor", &file];
        let daemon = Daemon::running(&folder, &options);
        let mut data = daemon.data();
        assert_eq!(data.define_counter(), 0);
        let older = std::fs::read(folder.at("state/tpm.state")).unwrap();
        (0..60).for_each(|_| assert_eq!(data.increment(), Some(0)));
        drop(daemon);
        // The newest state is taken, and an older one is not.
        drop(Daemon::running(&folder, &options));
        std::fs::write(folder.at("state/tpm.state"), older).unwrap();
        let refused = common::command(&folder, &options).output().unwrap();
        let text = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && text.contains("anchor"), "{text}");
    };
    std::thread::scope(|scope| {
        for vm in ["a", "b", "c"] {
            scope.spawn(move || run(vm));
        }
    });
}
