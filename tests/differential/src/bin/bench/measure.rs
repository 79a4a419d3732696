//! Two daemons, the same work for both in turn, and what it took.

use crate::rows::{Row, Work};
use core::time::Duration;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use sealwright_differential::codes::rc_name;
use sealwright_differential::daemon::{Daemon, Setting};
use sealwright_differential::tpm::Tpm;

/// One of the two daemons.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    /// Program and first arguments.
    pub(crate) command: String,
    /// More options of `--tpmstate`.
    pub(crate) state: String,
    /// Its `swtpm_setup`.
    pub(crate) setup: Option<String>,
    /// A program with its engine alone.
    pub(crate) engine: Option<String>,
    /// The left one, which is held against the other.
    pub(crate) ours: bool,
}

/// What one side took: wall time at the client, and processor time of the daemon.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// Microseconds (kibibytes where the row says so).
    pub(crate) minimum: f64,
    pub(crate) median: f64,
    pub(crate) p99: f64,
    /// Mean microseconds of processor time of the daemon, clean-up commands included.
    pub(crate) cpu: f64,
}

/// Figures, or why there are none.
pub(crate) type Outcome = Result<Figures, String>;

/// Binds this process, and the daemons it will start, to one processor: otherwise waking another one is what gets measured.
pub(crate) fn pin() -> Result<(), String> {
    let allowed = sched_getaffinity(None).map_err(|e| format!("sched_getaffinity: {e}"))?;
    let last = (0..CpuSet::MAX_CPU).rev().find(|cpu| allowed.is_set(*cpu)).ok_or("no processor is allowed")?;
    let mut one = CpuSet::new();
    one.set(last);
    sched_setaffinity(None, &one).map_err(|e| format!("sched_setaffinity: {e}"))
}

/// Processor time that a process has used, all of its threads together, in microseconds; 0 if the kernel does not say.
pub(crate) fn cpu_time(pid: u32) -> f64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
    let of = |thread: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    };
    threads.map_or(0.0, |threads| threads.filter_map(of).sum::<f64>() / 1000.0)
}

fn figures(mut values: Vec<f64>, cpu: f64) -> Figures {
    values.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| {
        let last = values.len().saturating_sub(1);
        values.get((last as f64 * share).round() as usize).copied().unwrap_or(0.0)
    };
    Figures { minimum: at(0.0), median: at(0.5), p99: at(0.99), cpu }
}

/// Microseconds.
pub(crate) fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1000.0
}

/// One measured value, and the processor time of it where the work itself knows it.
pub(crate) struct Sample {
    pub(crate) value: f64,
    pub(crate) cpu: f64,
}

type Once = Box<dyn FnMut(usize) -> Result<Sample, String>>;

/// A row's work on one side: what is repeated, and the process whose time is to be read around it.
fn prepared(row: &Row, side: &Side) -> Result<(Once, Option<u32>), String> {
    match row.work {
        Work::Command(prepare) => {
            let setting = Setting { state: side.state.clone(), quiet: true, ..Setting::default() };
            let failed = |e: std::io::Error| format!("{}: {e}", side.command);
            let daemon = Daemon::start_with(&side.command, &setting).map_err(failed)?;
            let pid = daemon.id();
            let mut tpm = Tpm::on(Box::new(daemon), 1).map_err(failed)?;
            tpm.forgetful = true;
            tpm.startup();
            let mut repeat = prepare(&mut tpm);
            let once = move |i| {
                // A first answer of TPM_RC_RETRY asks to send the command again.
                let result = repeat(&mut tpm, i).or_else(|rc| if rc == 0x922 { repeat(&mut tpm, i) } else { Err(rc) });
                result.map(|time| Sample { value: micros(time), cpu: 0.0 }).map_err(rc_name)
            };
            Ok((Box::new(once), Some(pid)))
        }
        Work::Whole(prepare) => Ok((prepare(side)?, None)),
    }
}

/// Runs one row on both daemons in turn, in short blocks, so that both see the same disturbances.
pub(crate) fn measure(row: &Row, sides: [&Side; 2], scale: usize) -> [Outcome; 2] {
    struct Running {
        once: Once,
        pid: Option<u32>,
        values: Vec<f64>,
        cpu: f64,
    }
    let total = (row.repetitions * scale / 100).max(3);
    let block = (total / 20).clamp(1, 50);
    // A tenth more at the start, not counted.
    let warm_up = if matches!(row.work, Work::Command(_)) { (total / 10).clamp(1, 100) } else { 1 };
    let mut running = sides.map(|side| {
        let (mut once, pid) = prepared(row, side)?;
        for i in 0..warm_up {
            once(total + i)?;
        }
        Ok(Running { once, pid, values: Vec::new(), cpu: 0.0 })
    });
    let mut done = 0;
    while done < total {
        for side in &mut running {
            let Ok(r) = side else { continue };
            let before = r.pid.map(cpu_time);
            for i in done..total.min(done + block) {
                match (r.once)(i) {
                    Ok(sample) => {
                        r.values.push(sample.value);
                        r.cpu += sample.cpu;
                    }
                    Err(why) => {
                        *side = Err(why);
                        break;
                    }
                }
            }
            if let (Ok(r), Some(before)) = (side, before) {
                r.cpu += r.pid.map_or(0.0, cpu_time) - before;
            }
        }
        done += block;
    }
    running.map(|side| {
        side.map(|r| {
            let count = r.values.len().max(1) as f64;
            figures(r.values, r.cpu / count)
        })
    })
}
