//! Commands of the engine in one process, for programs that measure: `cargo xtask bench` has their time from here, and
//! `cargo xtask costs` their instructions.
//!
//! ```text
//! engine time NAME BLOCKS   nanoseconds of one command, on AWS-LC: the mean of each of so many blocks
//! engine count NAME PROVIDER  prepares it, then calls `counted` once, which runs it REPETITIONS times
//! engine list               the names
//! ```

#[path = "../benches/engine/mod.rs"]
mod engine;

use engine::{Machine, ROWS, Repeated};
use sealwright_crypto::{Crypto, RUST};
use sealwright_crypto_native::NATIVE;
use std::process::ExitCode;
use std::time::Instant;

/// Commands in a block of `time`, and under `counted`.
const BLOCK: u32 = 100;
const REPETITIONS: u32 = 10;

/// What callgrind looks at: it counts while this runs.
#[inline(never)]
fn counted(machine: &mut Machine, repeated: &Repeated) {
    for _ in 0..REPETITIONS {
        machine.repeat(repeated);
    }
}

/// A machine that is warm, and the command.
fn prepared(name: &str, crypto: &'static Crypto) -> Result<(Machine, Repeated), String> {
    let row = ROWS.iter().find(|row| row.name == name).ok_or_else(|| format!("no command {name}; see engine list"))?;
    let mut machine = Machine::new(crypto);
    let repeated = (row.prepare)(&mut machine);
    (0..BLOCK).for_each(|_| machine.repeat(&repeated));
    Ok((machine, repeated))
}

fn time(name: &str, blocks: &str) -> Result<(), String> {
    let blocks: u32 = blocks.parse().map_err(|_| format!("{blocks} is no number of blocks"))?;
    let (mut machine, repeated) = prepared(name, &NATIVE)?;
    for _ in 0..blocks {
        let begin = Instant::now();
        (0..BLOCK).for_each(|_| machine.repeat(&repeated));
        println!("{:.1}", begin.elapsed().as_nanos() as f64 / f64::from(BLOCK));
    }
    Ok(())
}

fn count(name: &str, provider: &str) -> Result<(), String> {
    let providers = [&NATIVE, &RUST];
    let crypto = providers.into_iter().find(|crypto| crypto.name == provider);
    let (mut machine, repeated) = prepared(name, crypto.ok_or_else(|| format!("no provider {provider}"))?)?;
    counted(&mut machine, &repeated);
    Ok(())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["time", name, blocks] => time(name, blocks),
        ["count", name, provider] => count(name, provider),
        ["list"] => {
            ROWS.iter().for_each(|row| println!("{}", row.name));
            Ok(())
        }
        _ => Err("usage: engine time NAME BLOCKS | count NAME PROVIDER | list".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("engine: {message}");
            ExitCode::FAILURE
        }
    }
}
