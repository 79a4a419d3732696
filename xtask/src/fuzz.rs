//! `cargo xtask fuzz`: mutated commands for the engine in one process.

use std::process::Command;

use crate::Failure;
use crate::run::{cargo, command, must, show, target};

/// Seeds of the two processes of the stage.
const SEEDS: [&str; 2] = ["1", "2"];
/// The stage: all scenarios once, each command on both crypto providers, with foreign commands in between but no mutated copies.
const SHORT: [&str; 6] = ["--mutations", "0", "--rounds", "1", "--seconds", "40"];

/// Run the fuzzer with these arguments; `--help` shows them.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let mut fuzz = cargo(&["run", "--release", "--quiet", "--package", "sealwright-fuzz", "--"]);
    fuzz.args(arguments);
    must(fuzz)
}

/// A short run, two processes at once.
pub(crate) fn short() -> Result<(), Failure> {
    must(cargo(&["build", "--release", "--package", "sealwright-fuzz"]))?;
    let program = target().join("release/sealwright-fuzz");
    let start = |seed: &str| {
        let mut fuzz: Command = command(&program.display().to_string(), &SHORT);
        fuzz.args(["--seed", seed]);
        let shown = show(&fuzz);
        fuzz.spawn().map(|child| (child, shown)).map_err(|error| format!("cannot run {}: {error}", program.display()))
    };
    let running = SEEDS.map(start);
    let mut failed = Vec::new();
    for started in running {
        match started.and_then(|(mut child, shown)| Ok((child.wait().map_err(|error| error.to_string())?, shown))) {
            Ok((status, _)) if status.success() => {}
            Ok((status, shown)) => failed.push(format!("failed ({status}): {shown}")),
            Err(failure) => failed.push(failure),
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}
