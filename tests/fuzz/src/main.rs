//! Plays the scenarios of the differential test to the engine in this process, with mutated copies before each command, and
//! saves and restores the engine all the while. A panic, a command without end, a refused state, growing memory, or another
//! answer after a restore ends with a status that is not 0.

mod attack;
mod boundaries;
mod machine;
mod newer;
mod record;

use core::time::Duration;
use machine::InProcess;
use record::Record;
use sealwright_crypto::{Crypto, RUST};
use sealwright_crypto_native::NATIVE;
use sealwright_differential::scenario;
use sealwright_differential::tpm::Tpm;
use sealwright_differential::wire::Random;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

const HELP: &str =
    "usage: sealwright-fuzz [--commands N] [--rounds N] [--seconds N] [--seed N] [--crypto both|rust|native] [--every N]
                       [--mutations N] [--limit SECONDS] [--scenario NAME] [--boundary NAME|all]
  --commands   stop after so many commands (default 100000)
  --rounds     stop after all scenarios were played so many times, however many commands that are
  --seconds    stop after so many seconds, if that is earlier
  --seed       first seed (default 1); each round of all scenarios has the next one
  --crypto     the crypto provider (default both: each command on one of them and, after a restore, on the other)
  --every      save and restore before every so many commands (default 1; 0 for never)
  --mutations  mutated copies before each command (default: 0 to 32, another for each scenario)
  --limit      seconds after which a command hangs (default 120)
  --boundary   instead: damaged files and blobs to the reader with this name, or to all; --commands of them each
  --scenario   only scenarios whose name contains NAME";

/// Kibibytes that the process may grow by after its first round, at any time.
const GROWTH: u64 = 16 * 1024;

struct Options {
    commands: u64,
    rounds: Option<u64>,
    seconds: Option<u64>,
    seed: u64,
    every: u64,
    mutations: Option<usize>,
    crypto: [&'static Crypto; 2],
    limit: u64,
    scenario: String,
    boundary: Option<String>,
}

fn options() -> Result<Options, String> {
    let mut o = Options {
        commands: 100_000,
        rounds: None,
        seconds: None,
        seed: 1,
        every: 1,
        mutations: None,
        crypto: [&NATIVE, &RUST],
        limit: 120,
        scenario: String::new(),
        boundary: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("not a number: {text}"));
        match argument.as_str() {
            "--commands" => o.commands = number(value()?)?,
            "--rounds" => o.rounds = Some(number(value()?)?),
            "--seconds" => o.seconds = Some(number(value()?)?),
            "--seed" => o.seed = number(value()?)?,
            "--every" => o.every = number(value()?)?,
            "--mutations" => o.mutations = Some(number(value()?)? as usize),
            "--limit" => o.limit = number(value()?)?,
            "--boundary" => o.boundary = Some(value()?),
            "--scenario" => o.scenario = value()?,
            "--crypto" => {
                o.crypto = match value()?.as_str() {
                    "both" => [&NATIVE, &RUST],
                    "native" => [&NATIVE, &NATIVE],
                    "rust" => [&RUST, &RUST],
                    other => {
                        return Err(format!("no crypto provider is named {other}; there are rust, native and both"));
                    }
                }
            }
            _ => return Err(HELP.into()),
        }
    }
    Ok(o)
}

/// Resident memory in KiB: now (`VmRSS:`), or the most so far (`VmHWM:`).
fn memory(kind: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix(kind)).unwrap_or("0");
    line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn run(o: &Options) -> Result<(), String> {
    let begin = Instant::now();
    let record = Arc::new(Mutex::new(Record::default()));
    let seen = || record.lock().unwrap_or_else(PoisonError::into_inner);
    let all = newer::ALL.iter().chain(scenario::ALL);
    let scripts: Vec<_> = all.filter(|s| s.0.contains(&o.scenario)).collect();
    if scripts.is_empty() {
        return Err(format!("no scenario is named {}", o.scenario));
    }
    let finished = || {
        let late = o.seconds.is_some_and(|seconds| begin.elapsed() >= Duration::from_secs(seconds));
        late || (o.rounds.is_none() && seen().commands >= o.commands)
    };
    let (start, mut first_round, mut complete) = (memory("VmRSS:"), None, false);
    let mut seed = o.seed;
    while !finished() && o.rounds.is_none_or(|rounds| seed - o.seed < rounds) {
        let mut choice = Random(seed);
        for (number, (name, script)) in scripts.iter().enumerate() {
            let last = number + 1 == scripts.len();
            let engine = InProcess::new(o.crypto, seed, o.every, &record).map_err(|e| e.to_string())?;
            let mut tpm = Tpm::on(Box::new(engine), seed).map_err(|e| e.to_string())?;
            tpm.mutations = o.mutations.unwrap_or_else(|| *choice.pick(&[0, 1, 2, 4, 8, 16, 32]));
            tpm.forgetful = true;
            script(&mut tpm);
            if let Some(why) = &tpm.lost {
                return Err(format!("{name}, seed {seed}: {why}"));
            }
            if finished() && !last {
                break;
            }
            complete |= last;
        }
        first_round.get_or_insert_with(|| memory("VmRSS:"));
        let commands = seen().commands;
        let rate = commands as f64 / begin.elapsed().as_secs_f64();
        println!("seed {seed}: {commands} commands, {rate:.0} a second, {} KiB", memory("VmRSS:"));
        seed += 1;
    }
    let (end, peak) = (memory("VmRSS:"), memory("VmHWM:"));
    seen().print();
    let first_round = first_round.unwrap_or(end);
    println!(
        "memory         {start} KiB at the start, {first_round} KiB after the first round, {end} KiB at the end, {peak} KiB at most"
    );
    println!("time           {:.1} s", begin.elapsed().as_secs_f64());
    if peak > first_round.saturating_add(GROWTH) {
        return Err("the process has grown".into());
    }
    let seen = seen();
    // Mutated copies may use up what a scenario needs later; without them each command has to succeed.
    if complete && o.mutations == Some(0) && o.scenario.is_empty() && !seen.never().is_empty() {
        return Err("some commands never succeeded in a whole round".into());
    }
    match seen.disagreements {
        0 => Ok(()),
        n => Err(format!("{n} disagreements")),
    }
}

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}\nin the command {}", record::current())));
    let outcome = options().and_then(|o| {
        record::watch(Duration::from_secs(o.limit));
        match &o.boundary {
            Some(name) => boundaries::run(name, o.commands, o.seed),
            None => run(&o),
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The scenarios with the most cryptography, each command on both providers with the same entropy.
    #[test]
    fn both_providers_give_the_same_bytes() {
        let record = Arc::new(Mutex::new(Record::default()));
        let chosen =
            ["rsa", "ecc", "sessions-salted", "attestation", "duplication", "credentials", "newer-ecc-encrypt"];
        let all = newer::ALL.iter().chain(scenario::ALL);
        for (name, script) in all.filter(|s| chosen.contains(&s.0)) {
            let engine = InProcess::new([&NATIVE, &RUST], 5, 1, &record).unwrap();
            let mut tpm = Tpm::on(Box::new(engine), 5).unwrap();
            script(&mut tpm);
            assert_eq!(tpm.lost, None, "{name}");
        }
        let record = record.lock().unwrap();
        assert!(record.commands > 2000 && record.restored == record.commands);
        assert_eq!(record.disagreements, 0);
    }
}
