//! Protection of a process's memory, in a process of its own.

use std::io::Read;
use std::process::{Command, Stdio};

const CHILD: &str = "SEALWRIGHT_KEYS_PROTECTED_CHILD";

#[test]
fn a_protected_process_cannot_be_dumped() {
    if std::env::var_os(CHILD).is_some() {
        let protection = sealwright_keys::protect(true);
        assert!(protection.no_dumps);
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), rustix::process::DumpableBehavior::NotDumpable);
        println!("ready");
        let mut end = String::new();
        std::io::stdin().read_to_string(&mut end).unwrap();
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_protected_process_cannot_be_dumped", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut seen = String::new();
    let mut out = child.stdout.take().unwrap();
    let mut byte = [0];
    while !seen.contains("ready") {
        assert_eq!(out.read(&mut byte).unwrap(), 1, "the child ended: {seen}");
        seen.push(byte[0] as char);
    }
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
