//! A thousand TPMs on one machine: what they hold, whether they rest, and how long one takes to answer.
//!
//! Daemons of one kind at a time, each with a new encrypted state of its own; then as many engines in one process. It
//! measures and judges only this: every TPM has to be afterwards what it was before.

mod commands;
mod fleet;
mod load;
mod proc;
mod report;

use core::time::Duration;
use fleet::{Fleet, Folder, end, held, idle};
use report::{Engines, Figures, Report};
use sealwright_differential::daemon::new_folder;
use std::process::Command;
use std::time::Instant;

const HELP: &str = "\
usage: density [--count N] [--daemon COMMAND [--count N]]... [--engines PROGRAM] [--idle SECONDS] [--load SECONDS]
               [--unsynced] [--json FILE]
  --count     how many TPMs of each kind (1000); after a --daemon, of that kind
  --daemon    program and first arguments, such as 'swtpm socket --tpm2'; one or more
  --engines   the example program many_engines: as many engines in one process
  --idle      how long nothing is asked of them (60)
  --load      how long all work (10)
  --unsynced  vtpmd does not wait for the disk, as swtpm never does
  --json      write the figures to a file as well";

/// A kind of daemon, and how many.
struct Kind {
    command: String,
    count: Option<usize>,
}

struct Options {
    count: usize,
    kinds: Vec<Kind>,
    engines: Option<String>,
    idle: u64,
    load: u64,
    unsynced: bool,
    json: Option<String>,
}

fn options() -> Result<Options, String> {
    let mut o =
        Options { count: 1000, kinds: Vec::new(), engines: None, idle: 60, load: 10, unsynced: false, json: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        let number = |text: String| text.parse().map_err(|_| format!("{argument}: not a number: {text}"));
        match argument.as_str() {
            "--count" => {
                let count: u64 = number(value()?)?;
                let count = usize::try_from(count).unwrap_or(usize::MAX).max(2);
                match o.kinds.last_mut() {
                    Some(kind) => kind.count = Some(count),
                    None => o.count = count,
                }
            }
            "--daemon" => o.kinds.push(Kind { command: value()?, count: None }),
            "--engines" => o.engines = Some(value()?),
            "--idle" => o.idle = number(value()?)?,
            "--load" => o.load = number(value()?)?,
            "--unsynced" => o.unsynced = true,
            "--json" => o.json = Some(value()?),
            "--help" | "-h" => return Err(HELP.into()),
            other => return Err(format!("unknown option {other}\n{HELP}")),
        }
    }
    Ok(o)
}

/// The first line that a program answers to `--version`.
fn version(command: &str) -> String {
    let program = command.split_whitespace().next().unwrap_or(command);
    let output = Command::new(program).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").trim().to_owned()
}

/// Everything about one kind of daemon.
fn daemons(o: &Options, command: &str, count: usize) -> Result<Figures, String> {
    proc::allow_files(count as u64 * 4 + 64)?;
    let folder = Folder(new_folder().map_err(|e| format!("cannot make a folder: {e}"))?);
    let state = if o.unsynced && command.contains("vtpmd") { ",fsync=false" } else { "" };
    eprintln!("{command}: making {count} states");
    let fleet = Fleet::prepare(command, state, &folder.0, count)?;
    let stored = fleet.stored();
    let machine_before = proc::machine_memory()?;
    eprintln!("{command}: starting {count}");
    let begin = Instant::now();
    let (mut running, starts) = fleet.start_all()?;
    let start = begin.elapsed();
    eprintln!("{command}: at rest for {} s", o.idle);
    let idle = idle(&running, Duration::from_secs(o.idle))?;
    let machine_after = proc::machine_memory()?;
    let held_idle = held(&running)?;
    eprintln!("{command}: latency, and load for {} s", o.load);
    let each_once = load::each_once(&mut running)?;
    let alone = load::alone(&mut running, 2000)?;
    let work = load::beside_work(&mut running, Duration::from_secs(o.load))?;
    let held_after = held(&running)?;
    eprintln!("{command}: stopping");
    let begin = Instant::now();
    for daemon in running {
        end(daemon)?;
    }
    let stop = begin.elapsed();
    eprintln!("{command}: starting each again, to see that it is what it was");
    let intact = fleet.intact()?;
    if intact != count {
        return Err(format!("{command}: only {intact} of {count} TPMs are what they were"));
    }
    Ok(Figures {
        version: version(command),
        command: command.to_owned(),
        count,
        stored,
        start,
        starts: load::figures(&starts),
        idle,
        idle_time: Duration::from_secs(o.idle),
        held_idle,
        held_after,
        machine_before,
        machine_after,
        each_once,
        alone,
        work,
        stop,
        intact,
    })
}

/// As many engines in one process.
fn engines(program: &str, count: usize) -> Result<Engines, String> {
    eprintln!("{count} engines in one process");
    let output = Command::new(program).arg(count.to_string()).output();
    let output = output.map_err(|e| format!("cannot run {program}: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        return Err(format!("{program}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    Engines::parse(&text)
}

fn run() -> Result<(), String> {
    let o = options()?;
    let mut report = Report { machine: proc::machine(), limits: proc::limits(), daemons: Vec::new(), engines: None };
    for kind in &o.kinds {
        report.daemons.push(daemons(&o, &kind.command, kind.count.unwrap_or(o.count))?);
    }
    if let Some(program) = &o.engines {
        report.engines = Some(engines(program, o.count)?);
    }
    report.print();
    match &o.json {
        Some(path) => {
            std::fs::write(path, report.json()).map_err(|e| format!("{path}: {e}"))?;
            eprintln!("written to {path}");
            Ok(())
        }
        None => Ok(()),
    }
}

fn main() {
    if let Err(message) = run() {
        eprintln!("{message}");
        std::process::exit(1);
    }
}
