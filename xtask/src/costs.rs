//! `cargo xtask costs`: how many instructions commands of the engine take, counted by valgrind's callgrind and held against
//! the file in the tree.
//!
//! A count is no time: it is the same in each run and on each day, so that a small change shows. Valgrind shows programs a
//! processor without SHA and AVX-512 instructions; both providers then take their portable ways.

use std::path::{Path, PathBuf};

use crate::Failure;
use crate::packages::{self, VALGRIND};
use crate::run::{cargo, command, must, root, show, target};

/// The counts of the last time that somebody wrote them.
const FILE: &str = "tests/costs/instructions.csv";
const HEAD: &str = "command,provider,instructions\n";
/// Names as in the example `engine` of the package `sealwright-tpm2`.
const COMMANDS: [&str; 10] = [
    "GetRandom(32)",
    "PCR_Read (8 of sha256)",
    "PCR_Extend (4 banks)",
    "Hash 1 KiB sha256",
    "StartAuthSession + FlushContext",
    "NV_Write (32 B)",
    "Unseal",
    "Create sealed (32 B)",
    "Load P-256 + FlushContext",
    "Sign ECDSA P-256",
];
const PROVIDERS: [&str; 2] = ["aws-lc", "rust"];
/// Commands in what callgrind counts: `REPETITIONS` of the example.
const REPETITIONS: u64 = 10;
/// A rise of more percent than this fails. Compilers and processors differ by less.
const BOUND: u64 = 10;

/// Instructions of one command on one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Count {
    command: String,
    provider: String,
    instructions: u64,
}

/// Count, print the change, and fail if one has risen too far; with `--write`, write the file anew.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let write = match arguments {
        [] => false,
        [one] if one == "--write" => true,
        _ => return Err(format!("costs has the option --write, and no others; found {}", arguments.join(" "))),
    };
    packages::ensure(&[VALGRIND])?;
    must(cargo(&["build", "--release", "--package", "sealwright-tpm2", "--example", "engine"]))?;
    let counts = count()?;
    let path = root().join(FILE);
    let old = match std::fs::read_to_string(&path) {
        Ok(text) => parse(&text)?,
        Err(_) if write => Vec::new(),
        Err(error) => return Err(format!("cannot read {FILE}: {error}; cargo xtask costs --write makes it")),
    };
    let risen = compare(&old, &counts);
    if write {
        let lines: String =
            counts.iter().map(|c| format!("\"{}\",{},{}\n", c.command, c.provider, c.instructions)).collect();
        std::fs::write(&path, format!("{HEAD}{lines}")).map_err(|error| format!("cannot write {FILE}: {error}"))?;
        println!("{FILE} is written anew");
        return Ok(());
    }
    match risen.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "more than {BOUND} % more instructions than in {FILE}: {}. If that is meant: cargo xtask costs --write",
            risen.join(", ")
        )),
    }
}

/// What every command takes on every provider.
fn count() -> Result<Vec<Count>, Failure> {
    let folder = target().join("costs");
    std::fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let program = target().join("release/examples/engine");
    let mut out = Vec::new();
    for name in COMMANDS {
        for provider in PROVIDERS {
            let instructions = callgrind(&program, &folder.join("callgrind.out"), name, provider)? / REPETITIONS;
            out.push(Count { command: name.into(), provider: provider.into(), instructions });
        }
    }
    Ok(out)
}

/// Instructions in the function `counted` of the example and in all that it calls.
fn callgrind(program: &Path, result: &PathBuf, name: &str, provider: &str) -> Result<u64, Failure> {
    let mut run = command("valgrind", &["--quiet", "--tool=callgrind", "--toggle-collect=*counted*"]);
    run.arg(format!("--callgrind-out-file={}", result.display())).arg(program).args(["count", name, provider]);
    let output = run.output().map_err(|error| format!("cannot run {}: {error}", show(&run)))?;
    if !output.status.success() {
        return Err(format!("failed: {}\n{}", show(&run), String::from_utf8_lossy(&output.stderr).trim()));
    }
    let text = std::fs::read_to_string(result).map_err(|error| format!("cannot read callgrind's result: {error}"))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ")).and_then(|total| total.trim().parse().ok());
    match total {
        Some(0) | None => Err(format!("callgrind counted nothing: {}", show(&run))),
        Some(total) => Ok(total),
    }
}

/// The lines of the file.
fn parse(text: &str) -> Result<Vec<Count>, Failure> {
    let lines = text.strip_prefix(HEAD).ok_or_else(|| format!("{FILE} does not begin with {}", HEAD.trim_end()))?;
    let count = |line: &str| {
        let (command, rest) = line.strip_prefix('"')?.split_once("\",")?;
        let (provider, instructions) = rest.split_once(',')?;
        Some(Count { command: command.into(), provider: provider.into(), instructions: instructions.parse().ok()? })
    };
    lines.lines().map(|line| count(line).ok_or_else(|| format!("{FILE}: cannot read the line {line}"))).collect()
}

/// Prints the change of each count; names those that have risen beyond the bound.
fn compare(old: &[Count], new: &[Count]) -> Vec<String> {
    println!(
        "{:34} {:8} {:>12} {:>12} {:>8}",
        "instructions of one command", "provider", "in the tree", "now", "change"
    );
    let mut risen = Vec::new();
    for now in new {
        let before = old.iter().find(|c| c.command == now.command && c.provider == now.provider);
        let change = before.map(|before| (now.instructions as f64 / before.instructions.max(1) as f64 - 1.0) * 100.0);
        println!(
            "{:34} {:8} {:>12} {:>12} {:>8}",
            now.command,
            now.provider,
            before.map_or("-".into(), |before| before.instructions.to_string()),
            now.instructions,
            change.map_or("new".into(), |change| format!("{change:+.2}%"))
        );
        if before.is_some_and(|before| now.instructions * 100 > before.instructions * (100 + BOUND)) {
            risen.push(format!("{} on {}", now.command, now.provider));
        }
    }
    risen
}

#[cfg(test)]
mod tests {
    use super::{COMMANDS, Count, FILE, PROVIDERS, compare, parse, root};

    fn count(instructions: u64) -> Count {
        Count { command: "Sign".into(), provider: "rust".into(), instructions }
    }

    #[test]
    fn only_a_rise_beyond_the_bound_fails() {
        for (now, risen) in [(1000, 0), (1100, 0), (1101, 1), (10, 0)] {
            assert_eq!(compare(&[count(1000)], &[count(now)]).len(), risen, "{now}");
        }
        assert!(compare(&[], &[count(5)]).is_empty(), "a new command has nothing to rise from");
    }

    #[test]
    fn the_file_names_every_command() {
        let counts = parse(&std::fs::read_to_string(root().join(FILE)).unwrap()).unwrap();
        for command in COMMANDS {
            for provider in PROVIDERS {
                assert!(counts.iter().any(|c| c.command == command && c.provider == provider), "{command} {provider}");
            }
        }
    }

    #[test]
    fn bad_lines_are_named() {
        assert!(parse("command,provider,instructions\nSign,rust\n").is_err());
        assert!(parse("").is_err());
    }
}
