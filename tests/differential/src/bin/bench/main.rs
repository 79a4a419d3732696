//! Latency of each command, vtpmd and swtpm side by side in one run. It measures and never judges.

mod rows;

use rows::{ROWS, Row};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use sealwright_differential::codes::rc_name;
use sealwright_differential::tpm::Tpm;
use std::process::ExitCode;
use std::time::Duration;

const HELP: &str = "usage: bench [--left COMMAND] [--right COMMAND] [--json] [--scale PERCENT] [FILTER]...
  --left, --right  daemons: program and first arguments (default: target/release/vtpmd, swtpm)
  --json           one JSON array instead of a table
  --scale          percent of the usual repetitions (default 100)
  FILTER           only rows whose name contains it";

struct Options {
    left: String,
    right: String,
    json: bool,
    scale: usize,
    filters: Vec<String>,
}

/// Minimum, median and 99th percentile in microseconds.
#[derive(Clone, Copy)]
struct Figures {
    minimum: f64,
    median: f64,
    p99: f64,
}

type Outcome = Result<Figures, String>;

fn options() -> Result<Options, String> {
    let mut o = Options {
        left: "target/release/vtpmd socket --tpm2".into(),
        right: "swtpm socket --tpm2".into(),
        json: false,
        scale: 100,
        filters: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--left" => o.left = value()?,
            "--right" => o.right = value()?,
            "--json" => o.json = true,
            "--scale" => o.scale = value()?.parse().map_err(|_| "--scale needs a number")?,
            "--help" | "-h" => return Err(HELP.into()),
            option if option.starts_with('-') => return Err(format!("unknown option {option}\n{HELP}")),
            _ => o.filters.push(argument),
        }
    }
    Ok(o)
}

/// Binds this process, and the daemons it will start, to one processor: otherwise waking another one is what gets measured.
fn pin() -> Result<(), String> {
    let allowed = sched_getaffinity(None).map_err(|e| format!("sched_getaffinity: {e}"))?;
    let last = (0..CpuSet::MAX_CPU).rev().find(|cpu| allowed.is_set(*cpu)).ok_or("no processor is allowed")?;
    let mut one = CpuSet::new();
    one.set(last);
    sched_setaffinity(None, &one).map_err(|e| format!("sched_setaffinity: {e}"))
}

fn figures(mut times: Vec<Duration>) -> Figures {
    times.sort_unstable();
    let at = |share: f64| {
        let last = times.len().saturating_sub(1);
        let index = (last as f64 * share).round() as usize;
        times.get(index).map_or(0.0, |t| t.as_nanos() as f64 / 1000.0)
    };
    Figures { minimum: at(0.0), median: at(0.5), p99: at(0.99) }
}

/// Runs one row on both daemons in turn, in short blocks, so that both see the same disturbances.
fn measure(row: &Row, o: &Options) -> Result<(Outcome, Outcome), String> {
    let mut sides = Vec::new();
    for command in [&o.left, &o.right] {
        let mut tpm = Tpm::start(command, 1).map_err(|e| format!("{command}: {e}"))?;
        tpm.startup();
        let repeat = (row.prepare)(&mut tpm);
        sides.push((tpm, repeat, Vec::new(), None::<u32>));
    }
    let total = (row.repetitions * o.scale / 100).max(3);
    let block = (total / 20).clamp(1, 50);
    let mut done = 0;
    while done < total {
        for (tpm, repeat, times, failure) in &mut sides {
            for i in done..total.min(done + block) {
                if failure.is_some() {
                    break;
                }
                // A first answer of TPM_RC_RETRY asks to send the command again.
                let result = repeat(tpm, i).or_else(|rc| if rc == 0x922 { repeat(tpm, i) } else { Err(rc) });
                match result {
                    Ok(time) => times.push(time),
                    Err(rc) => *failure = Some(rc),
                }
            }
        }
        done += block;
    }
    let mut outcomes = sides.into_iter().map(|(_, _, times, failure)| match failure {
        Some(rc) => Err(rc_name(rc)),
        None => Ok(figures(times)),
    });
    let mut next = || outcomes.next().unwrap_or_else(|| Err("not run".into()));
    Ok((next(), next()))
}

fn text(outcome: &Outcome) -> String {
    match outcome {
        Ok(f) => format!("{:>10.1} {:>10.1}", f.median, f.p99),
        Err(why) => format!("{why:>21}"),
    }
}

fn json(outcome: &Outcome) -> String {
    match outcome {
        Ok(f) => format!(r#"{{"min_us":{:.2},"median_us":{:.2},"p99_us":{:.2}}}"#, f.minimum, f.median, f.p99),
        Err(why) => format!(r#"{{"error":"{why}"}}"#),
    }
}

fn ratio(left: &Outcome, right: &Outcome) -> Option<f64> {
    match (left, right) {
        (Ok(l), Ok(r)) if r.median > 0.0 => Some(l.median / r.median),
        _ => None,
    }
}

fn run() -> Result<(), String> {
    let o = options()?;
    pin()?;
    if o.json {
        println!("[");
    } else {
        println!("{:40} {:>21} {:>21} {:>7}", "microseconds", "vtpmd median, p99", "swtpm median, p99", "ratio");
    }
    let wanted = |row: &&Row| o.filters.is_empty() || o.filters.iter().any(|f| row.name.contains(f.as_str()));
    for (i, row) in ROWS.iter().filter(wanted).enumerate() {
        let (left, right) = measure(row, &o)?;
        let ratio = ratio(&left, &right);
        if o.json {
            let comma = if i == 0 { "" } else { "," };
            let ratio = ratio.map_or("null".into(), |r| format!("{r:.3}"));
            println!(
                r#"{comma}{{"command":"{}","vtpmd":{},"swtpm":{},"ratio":{ratio}}}"#,
                row.name,
                json(&left),
                json(&right)
            );
        } else {
            let ratio = ratio.map_or("-".into(), |r| format!("{r:.2}"));
            println!("{:40} {} {} {ratio:>7}", row.name, text(&left), text(&right));
        }
    }
    if o.json {
        println!("]");
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}
