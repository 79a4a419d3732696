//! `sealwright-crash`: kills a daemon at random instants of work, and compares what it knows afterwards with what it
//! had answered. SIGKILL takes the process, not the disk: what a power cut may leave is modelled in `tests/faults`.

mod campaign;
mod command;
mod contents;

use campaign::{Plan, Report};
use core::time::Duration;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;

const HELP: &str =
    "usage: sealwright-crash [--daemon COMMAND] [--kills N] [--seed N] [--longest MILLISECONDS] [-- ARGUMENT...]
  --daemon   program and first arguments (default: target/release/vtpmd socket --tpm2)
  --kills    how often it is killed (default 200)
  --seed     seed of instants and commands (default 1)
  --longest  the longest work between a start and the kill, in milliseconds (default 20)
  ARGUMENT   more arguments of the daemon, such as --key
Exit status 1 if after a kill the state was not that of the last answered command or of the one under way.";

fn plan() -> Result<Plan, String> {
    let mut arguments = std::env::args().skip(1);
    let mut plan = Plan {
        daemon: "target/release/vtpmd socket --tpm2".to_owned(),
        arguments: Vec::new(),
        kills: 200,
        seed: 1,
        longest: Duration::from_millis(20),
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("not a number: {text}"));
        match argument.as_str() {
            "--daemon" => plan.daemon = value()?,
            "--kills" => plan.kills = u32::try_from(number(value()?)?).map_err(|_| "too many kills".to_owned())?,
            "--seed" => plan.seed = number(value()?)?,
            "--longest" => plan.longest = Duration::from_millis(number(value()?)?.max(1)),
            "--" => plan.arguments.extend(arguments.by_ref()),
            "--help" | "-h" => return Err(HELP.to_owned()),
            _ => return Err(format!("unknown option {argument}\n{HELP}")),
        }
    }
    Ok(plan)
}

fn show(report: &Report, kills: u32, seconds: f64) {
    println!("kills                              {kills:>9}");
    println!("  no change under way              {:>9}", report.idle);
    println!("  a change under way, then absent  {:>9}", report.dropped);
    println!("  a change under way, then there   {:>9}", report.kept);
    println!("starts killed as well              {:>9}", report.starting);
    println!("commands answered                  {:>9}", report.answered);
    println!("losses                             {:>9}", report.losses.len());
    println!("seconds                            {seconds:>9.1}");
    for loss in &report.losses {
        println!("LOSS {loss}");
    }
}

fn main() -> ExitCode {
    let plan = match plan() {
        Ok(plan) => plan,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    let began = Instant::now();
    let terminal = std::io::stderr().is_terminal();
    let outcome = campaign::run(&plan, |kill| {
        if terminal {
            eprint!("\r{kill} of {} kills", plan.kills);
            let _ = std::io::stderr().flush();
        }
    });
    if terminal {
        eprint!("\r                          \r");
    }
    match outcome {
        Ok(report) => {
            show(&report, report.idle + report.dropped + report.kept, began.elapsed().as_secs_f64());
            if report.losses.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(text) => {
            eprintln!("sealwright-crash: {text}");
            ExitCode::from(2)
        }
    }
}
