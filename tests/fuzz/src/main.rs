//! Plays the scenarios of the differential test to the engine in this process, with mutated copies before each command, and
//! saves and restores the engine all the while. A panic, a refused state, or another answer after a restore ends with status 1.

mod machine;

use machine::{COMMANDS, CURRENT, DISAGREEMENTS, InProcess, LONGEST, RESTORED, SUCCESSES};
use sealwright_crypto::Crypto;
use sealwright_differential::scenario;
use sealwright_differential::tpm::Tpm;
use sealwright_differential::wire::hex;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Instant;

const HELP: &str =
    "usage: sealwright-fuzz [--commands N] [--seed N] [--every N] [--mutations N] [--pure] [--scenario NAME]
  --commands   stop after so many commands (default 100000)
  --seed       first seed (default 1)
  --every      save and restore before every so many commands (default 1; 0 for never)
  --mutations  mutated copies before each command (default 8)
  --pure       the pure-Rust crypto provider instead of the native one
  --scenario   only scenarios whose name contains NAME";

struct Options {
    commands: u64,
    seed: u64,
    every: u64,
    mutations: usize,
    crypto: &'static Crypto,
    scenario: String,
}

fn options() -> Result<Options, String> {
    let mut o = Options {
        commands: 100_000,
        seed: 1,
        every: 1,
        mutations: 8,
        crypto: &sealwright_crypto_native::NATIVE,
        scenario: String::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("not a number: {text}"));
        match argument.as_str() {
            "--commands" => o.commands = number(value()?)?,
            "--seed" => o.seed = number(value()?)?,
            "--every" => o.every = number(value()?)?,
            "--mutations" => o.mutations = number(value()?)? as usize,
            "--pure" => o.crypto = &sealwright_crypto::RUST,
            "--scenario" => o.scenario = value()?,
            _ => return Err(HELP.into()),
        }
    }
    Ok(o)
}

/// Resident memory in KiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn run(o: &Options) -> Result<(), String> {
    let begin = Instant::now();
    let done = || COMMANDS.load(Ordering::Relaxed);
    let scripts: Vec<_> = scenario::ALL.iter().filter(|s| s.0.contains(&o.scenario)).collect();
    if scripts.is_empty() {
        return Err(format!("no scenario is named {}", o.scenario));
    }
    let mut first_round = 0;
    let mut seed = o.seed;
    while done() < o.commands {
        for (name, script) in &scripts {
            let engine = InProcess::new(o.crypto, seed, o.every).map_err(|e| e.to_string())?;
            let mut tpm = Tpm::on(Box::new(engine), seed).map_err(|e| e.to_string())?;
            tpm.mutations = o.mutations;
            tpm.forgetful = true;
            script(&mut tpm);
            if let Some(why) = &tpm.lost {
                return Err(format!("{name}: {why}"));
            }
            if done() >= o.commands {
                break;
            }
        }
        let rate = done() as f64 / begin.elapsed().as_secs_f64();
        if first_round == 0 {
            first_round = memory();
        }
        println!("seed {seed}: {} commands, {rate:.0} a second, {} KiB", done(), memory());
        seed += 1;
    }
    let (micros, longest) = LONGEST.lock().map(|l| l.clone()).unwrap_or_default();
    println!("commands       {}", done());
    println!("successful     {}", SUCCESSES.load(Ordering::Relaxed));
    println!("after restore  {}", RESTORED.load(Ordering::Relaxed));
    println!("disagreements  {}", DISAGREEMENTS.load(Ordering::Relaxed));
    println!("memory         {first_round} KiB after the first round, {} KiB at the end", memory());
    println!("longest        {:.1} ms: {}", micros as f64 / 1000.0, hex(&longest));
    println!("time           {:.1} s", begin.elapsed().as_secs_f64());
    Ok(())
}

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let command = CURRENT.try_lock().map(|c| hex(&c)).unwrap_or_default();
        eprintln!("{panic}\nafter {} commands, in: {command}", COMMANDS.load(Ordering::Relaxed));
    }));
    match options().and_then(|o| run(&o)) {
        Ok(()) if DISAGREEMENTS.load(Ordering::Relaxed) == 0 => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
