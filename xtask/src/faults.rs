//! `cargo xtask faults`: every single fault of a disk under the store, and daemons killed at random instants.

use crate::packages::{STRACE, SWTPM, ensure};
use crate::run::{cargo, command, must, target};
use crate::test::{as_root, with_vtpmd};
use crate::{Failure, dist};

/// Kills of `vtpmd` in `cargo xtask test`.
const SHORT: u32 = 200;
/// Kills of each daemon in `cargo xtask faults`.
const LONG: u32 = 10_000;

/// The long run: `--kills N` says how often each daemon is killed, `--seed N` when.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let (mut kills, mut seed) = (LONG, 1);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut number = || {
            let text = rest.next().ok_or_else(|| format!("{argument} needs a number"))?;
            text.parse::<u32>().map_err(|_| format!("{argument}: not a number: {text}"))
        };
        match argument.as_str() {
            "--kills" => kills = number()?,
            "--seed" => seed = number()?,
            other => return Err(format!("unknown option {other}; see cargo xtask help")),
        }
    }
    ensure(&[SWTPM, STRACE])?;
    println!("=== every single fault of a disk under the store");
    must(cargo(&["run", "--release", "--quiet", "--package", "sealwright-faults"]))?;
    println!("\n=== power cuts, modelled from the system calls of vtpmd and of swtpm");
    power_cuts(&["--commands", "300", "--seeds", "16"])?;
    println!("\n=== vtpmd, killed while it works, its state encrypted");
    vtpmd(kills, seed)?;
    println!("\n=== swtpm, the same");
    must(crash("swtpm socket --tpm2", kills, seed))
}

/// The part of `cargo xtask test`. Single faults of the disk are among the unit tests.
pub(crate) fn short() -> Result<(), Failure> {
    vtpmd(SHORT, 1)
}

/// The part of `cargo xtask test` about power cuts.
pub(crate) fn short_power_cuts() -> Result<(), Failure> {
    ensure(&[SWTPM, STRACE])?;
    power_cuts(&["--commands", "40", "--seeds", "8"])
}

fn power_cuts(arguments: &[&str]) -> Result<(), Failure> {
    let mut cuts = with_vtpmd(as_root("tests/powercut/run.py"))?;
    cuts.args(arguments);
    must(cuts)
}

fn crash(daemon: &str, kills: u32, seed: u32) -> std::process::Command {
    let program = target().join("release/sealwright-crash").display().to_string();
    let (kills, seed) = (kills.to_string(), seed.to_string());
    command(&program, &["--daemon", daemon, "--kills", &kills, "--seed", &seed, "--longest", "40"])
}

fn vtpmd(kills: u32, seed: u32) -> Result<(), Failure> {
    must(cargo(&["build", "--release", "--package", "sealwright-crash"]))?;
    let key = target().join("crash.key");
    // A key of a test: what matters is that the state is sealed.
    std::fs::write(&key, [0x5A; 32]).map_err(|error| format!("cannot write {}: {error}", key.display()))?;
    let daemon = format!("{} socket --tpm2", dist::vtpmd()?.display());
    let mut campaign = crash(&daemon, kills, seed);
    campaign.args(["--", "--key", &format!("file={},format=binary,mode=aes-256-cbc", key.display())]);
    must(campaign)
}
