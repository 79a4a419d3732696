//! `cargo xtask check`: the rules of the house that neither rustc nor clippy can see.

mod code;

use std::fs;
use std::path::{Path, PathBuf};

use crate::Failure;
use crate::run::root;

/// A Rust file longer than this is named, but allowed.
const LONG: usize = 500;
/// A Rust file longer than this is refused, tests included.
const TOO_LONG: usize = 800;

/// Crates that run without an operating system.
const NO_STD: &[&str] = &["crates/core", "crates/crypto", "crates/tpm2"];
/// The crates that may contain `unsafe`: one calls a C library, the other is one ioctl.
const UNSAFE_ALLOWED: &[&str] = &["crates/crypto-native", "crates/vtpm-proxy"];

/// Folders of somebody's machine, which mean nothing on another one. (Split, so that this file passes its own check.)
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/ro", "ot/")];
/// Inside the guest of the tests these paths are its own.
const GUEST_FILES: &[&str] = &["tests/vm/guest-scripts", "tests/vm/build-guest"];

/// Look at every file of the tree and name each one that breaks a rule.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = arguments.first() {
        return Err(format!("check takes no arguments, found {unknown}"));
    }
    let mut files = Vec::new();
    collect(root(), &mut files)?;
    files.sort();
    let mut findings = Vec::new();
    for path in &files {
        let Ok(text) = fs::read_to_string(root().join(path)) else { continue };
        if path.extension().is_some_and(|extension| extension == "rs") {
            rust_file(path, &text, &mut findings);
        }
        machine_paths(path, &text, &mut findings);
    }
    for folder in NO_STD {
        no_std_declared(folder, &mut findings)?;
    }
    for finding in &findings {
        println!("{finding}");
    }
    println!("looked at {} files", files.len());
    if findings.is_empty() { Ok(()) } else { Err(format!("{} findings", findings.len())) }
}

fn rust_file(path: &Path, text: &str, findings: &mut Vec<String>) {
    let shown = path.display();
    let lines = text.lines().count();
    if lines > TOO_LONG {
        findings.push(format!("{shown}: {lines} lines; split it (the limit is {TOO_LONG})"));
    } else if lines > LONG {
        println!("note: {shown} has {lines} lines");
    }
    let code = code::without_comments_and_strings(text);
    for (number, line) in code.lines().enumerate() {
        if !UNSAFE_ALLOWED.iter().any(|folder| path.starts_with(folder)) && has_word(line, "unsafe") {
            findings.push(format!("{shown}:{}: unsafe is for {} alone", number + 1, UNSAFE_ALLOWED.join(" and ")));
        }
    }
    if NO_STD.iter().any(|folder| path.starts_with(format!("{folder}/src"))) && !is_test_file(path) {
        for (number, line) in code.lines().enumerate().take_while(|(_, line)| !line.contains("cfg(test)")) {
            if line.contains("std::") && has_word(line, "std") {
                findings.push(format!("{shown}:{}: std in a crate that runs without it", number + 1));
            }
        }
    }
}

fn no_std_declared(folder: &str, findings: &mut Vec<String>) -> Result<(), Failure> {
    let path = root().join(folder).join("src/lib.rs");
    let text = fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    if !text.contains("#![no_std]") {
        findings.push(format!("{folder}/src/lib.rs: #![no_std] is missing"));
    }
    Ok(())
}

fn machine_paths(path: &Path, text: &str, findings: &mut Vec<String>) {
    if GUEST_FILES.iter().any(|guest| path.starts_with(guest)) {
        return;
    }
    for (number, line) in text.lines().enumerate() {
        if let Some(found) = MACHINE_PATHS.iter().find(|place| line.contains(**place)) {
            findings.push(format!("{}:{}: a path of one machine ({found})", path.display(), number + 1));
        }
    }
}

/// Test modules may use std: they run on the host.
fn is_test_file(path: &Path) -> bool {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    stem == "tests" || stem.ends_with("_tests") || path.components().any(|part| part.as_os_str() == "tests")
}

/// Whether the word stands in the line on its own.
fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
}

/// The files of the tree, relative to its root, without build results and hidden files.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let entries = fs::read_dir(folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if name.to_string_lossy().starts_with('.') || name == "target" || name == "Cargo.lock" {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.is_file() {
            files.push(path.strip_prefix(root()).unwrap_or(&path).to_path_buf());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Path, TOO_LONG, has_word, machine_paths, rust_file};

    fn findings(path: &str, text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        rust_file(Path::new(path), text, &mut findings);
        machine_paths(Path::new(path), text, &mut findings);
        findings
    }

    #[test]
    fn finds_unsafe_in_code_only() {
        assert_eq!(findings("crates/core/src/a.rs", "fn a() { unsafe { b() } }").len(), 1);
        assert_eq!(findings("crates/crypto-native/src/a.rs", "fn a() { unsafe { b() } }").len(), 0);
        assert_eq!(findings("crates/core/src/a.rs", "// unsafe\nlet a = \"unsafe\";").len(), 0);
    }

    #[test]
    fn finds_std_outside_tests() {
        assert_eq!(findings("crates/tpm2/src/a.rs", "use std::vec::Vec;").len(), 1);
        assert_eq!(findings("crates/tpm2/src/a.rs", "#[cfg(test)]\nmod tests { use std::vec::Vec; }").len(), 0);
        assert_eq!(findings("crates/tpm2/src/tests.rs", "use std::vec::Vec;").len(), 0);
        assert_eq!(findings("crates/daemon/src/a.rs", "use std::vec::Vec;").len(), 0);
    }

    #[test]
    fn finds_long_files_and_machine_paths() {
        assert_eq!(findings("xtask/src/a.rs", &"\n".repeat(TOO_LONG)).len(), 0);
        assert_eq!(findings("xtask/src/a.rs", &"\n".repeat(TOO_LONG + 1)).len(), 1);
        assert_eq!(findings("docs/a.rs", concat!("// see /ho", "me/somebody")).len(), 1);
    }

    #[test]
    fn words_end_where_identifiers_end() {
        assert!(has_word("unsafe{", "unsafe"));
        assert!(!has_word("forbid(unsafe_code)", "unsafe"));
    }
}
