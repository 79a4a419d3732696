//! Search the machine code of the engine for ways to a panic (docs/decisions/0008-no-panic.md).

mod disassembly;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::Failure;
use crate::packages::{self, BINUTILS};
use crate::run::{cargo, command, must, target};
use disassembly::{Function, Reference};

/// Crates of ours in the image: none of their lines may lead to a panic.
const OURS: &[&str] = &["core", "crypto", "tpm2"];

/// Crates of others whose panics are left, and why that is accepted.
const OTHERS: &[(&str, &str)] = &[
    ("aes", "indexes into a key schedule, whose length is a constant of the key size"),
    ("crypto-bigint", "shifts, divisions and inversions of curve scalars, whose widths are constants of the curve"),
    ("ctutils", "a division of curve scalars by an order, which is not zero"),
    ("wnaf", "windows of curve scalars, whose lengths are constants of the curve"),
    ("linked_list_allocator", "the allocator of the image, which no product has"),
    (CANARY, "one made on purpose, to see that it is found"),
];

/// The image itself, with a panic in it that must be found.
const CANARY: &str = "no-panic";

/// Where panics begin that mean only that memory has run out.
const EXHAUSTION: &[&str] =
    &["handle_alloc_error", "alloc_error_handler", "capacity_overflow", "7raw_vec12handle_error"];

/// Where every panic ends.
const END: &str = "rust_begin_unwind";

/// A line of source from which a panic can be reached.
struct Finding {
    krate: String,
    place: String,
    target: String,
}

/// Build the image for `triple` and look at every call in it.
pub(crate) fn run(triple: &str) -> Result<(), Failure> {
    packages::ensure(&[BINUTILS])?;
    let mut build = cargo(&["build", "--package", "sealwright-no-panic", "--profile", "image", "--target", triple]);
    // The image has no entry that a linker would know.
    build.env("RUSTFLAGS", "-C link-arg=--no-gc-sections");
    must(build)?;
    let image = target().join(triple).join("image/no-panic");
    let functions = disassembly::read(&image)?;
    let findings = search(&image, &functions)?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in &findings {
        *counts.entry(&finding.krate).or_default() += 1;
    }
    let references: usize = functions.iter().map(|f| f.references.len()).sum();
    println!("looked at {references} references in {} functions", functions.len());
    for (krate, count) in &counts {
        let reason = OTHERS.iter().find(|(name, _)| name == krate).map_or("NOT ALLOWED", |(_, reason)| reason);
        println!("{count:4} ways to a panic in {krate}: {reason}");
    }
    let refused: Vec<&Finding> = findings.iter().filter(|f| !OTHERS.iter().any(|(name, _)| *name == f.krate)).collect();
    for finding in &refused {
        println!("{}: {} calls {}", finding.krate, finding.place, finding.target);
    }
    if !counts.contains_key(CANARY) {
        return Err("the panic that the image has on purpose was not found".into());
    }
    if refused.is_empty() {
        println!("no way to a panic from a line of {}", OURS.join(", "));
        Ok(())
    } else {
        Err(format!("{} ways to a panic", refused.len()))
    }
}

/// All lines outside the standard library from which a panic can be reached, through any of its functions.
fn search(image: &Path, functions: &[Function]) -> Result<Vec<Finding>, Failure> {
    let exhausted = |name: &str| EXHAUSTION.iter().any(|part| name.contains(part));
    let mut panicking: BTreeSet<&str> =
        functions.iter().map(|f| f.name.as_str()).filter(|name| name.contains(END)).collect();
    if panicking.is_empty() {
        return Err(format!("the image has no {END}: it was not linked as expected"));
    }
    let (mut findings, mut seen) = (Vec::new(), BTreeSet::new());
    loop {
        let mut sites: Vec<(&Function, &Reference)> = Vec::new();
        for function in functions.iter().filter(|f| !exhausted(&f.name)) {
            let leads = |r: &&Reference| r.target != function.name && panicking.contains(r.target.as_str());
            sites.extend(function.references.iter().filter(leads).map(|r| (function, r)));
        }
        sites.retain(|(_, reference)| seen.insert(reference.address));
        if sites.is_empty() {
            return Ok(findings);
        }
        let addresses: Vec<u64> = sites.iter().map(|(_, reference)| reference.address).collect();
        for ((function, reference), frames) in sites.iter().zip(lines(image, &addresses)?) {
            match frames.iter().find_map(|frame| origin(frame)) {
                Some((krate, place)) => findings.push(Finding { krate, place, target: reference.target.clone() }),
                // A function of the standard library: whoever calls it is looked at in the next turn.
                None => {
                    panicking.insert(&function.name);
                }
            }
        }
    }
}

/// The crate and the line of a frame; `None` for the standard library and for what has no line.
fn origin(frame: &str) -> Option<(String, String)> {
    let after = |marker: &str| frame.split_once(marker).map(|(_, rest)| rest);
    if frame.contains("/library/") || frame.starts_with("??") {
        return None;
    }
    if let Some(rest) = after("/registry/src/") {
        let (_, rest) = rest.split_once('/')?;
        let (package, place) = rest.split_once('/')?;
        let name = package.rsplit_once('-').map_or(package, |(name, _)| name);
        return Some((name.into(), place.into()));
    }
    let rest = after("/crates/").or_else(|| after("/tests/"))?;
    let (name, place) = rest.split_once('/')?;
    Some((name.into(), place.into()))
}

/// For each address its line and those that it was inlined into, from the inside out.
fn lines(image: &Path, addresses: &[u64]) -> Result<Vec<Vec<String>>, Failure> {
    let failed = |error: std::io::Error| format!("cannot run addr2line: {error}");
    let mut ask = command("addr2line", &["--addresses", "--inlines", "--exe"]);
    let mut child = ask.arg(image).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let question: String = addresses.iter().map(|address| format!("{address:#x}\n")).collect();
    let mut input = child.stdin.take().ok_or("addr2line has no input")?;
    let writer = std::thread::spawn(move || input.write_all(question.as_bytes()));
    let output = child.wait_with_output().map_err(failed)?;
    writer.join().map_err(|_| "addr2line")?.map_err(failed)?;
    let mut answers: Vec<Vec<String>> = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        match answers.last_mut() {
            _ if line.starts_with("0x") => answers.push(Vec::new()),
            Some(frames) => frames.push(line.into()),
            None => {}
        }
    }
    if answers.len() == addresses.len() { Ok(answers) } else { Err("addr2line left out addresses".into()) }
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn lines_belong_to_crates() {
        let of = |frame: &str| origin(frame).map(|(krate, place)| format!("{krate} {place}"));
        assert_eq!(of("/a/crates/tpm2/src/pcr.rs:12").as_deref(), Some("tpm2 src/pcr.rs:12"));
        assert_eq!(
            of("/c/registry/src/index-1/some-name-0.7.1/src/lib.rs:3").as_deref(),
            Some("some-name src/lib.rs:3")
        );
        assert_eq!(of("/rustc/1234/library/core/src/option.rs:3"), None);
        assert_eq!(of("??:0"), None);
    }
}
