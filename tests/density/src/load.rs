//! How long one TPM takes to answer, alone and while the others work.

use crate::commands::{self, run};
use crate::proc::Ran;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use sealwright_differential::daemon::Daemon;
use std::time::Instant;

/// Clients that give the others work, each waiting for its answers.
pub(crate) const CLIENTS: usize = 4;
/// Of so many commands of the work one makes a key.
const KEY_EVERY: usize = 50;

/// Microseconds of one command.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Latency {
    pub(crate) median: f64,
    pub(crate) p99: f64,
    pub(crate) worst: f64,
    pub(crate) count: usize,
}

/// The figures of times.
pub(crate) fn figures(times: &[Duration]) -> Latency {
    let mut values: Vec<f64> = times.iter().map(|time| time.as_nanos() as f64 / 1000.0).collect();
    values.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| {
        let last = values.len().saturating_sub(1) as f64;
        values.get((last * share).round() as usize).copied().unwrap_or(0.0)
    };
    Latency { median: at(0.5), p99: at(0.99), worst: at(1.0), count: values.len() }
}

/// The commands whose latency is measured.
pub(crate) const PROBES: [&str; 4] = ["GetRandom(32)", "PCR_Extend, 4 banks", "NV_Read(512)", "CreatePrimary P-256"];

/// One of them, once, in microseconds.
fn probe(daemon: &mut Daemon, which: usize) -> Result<Duration, String> {
    let begin = Instant::now();
    match which {
        0 => run(daemon, &commands::random()).map(drop)?,
        1 => run(daemon, &commands::extend()).map(drop)?,
        2 => run(daemon, &commands::read(0)).map(drop)?,
        // With the command that flushes it.
        _ => commands::make_key(daemon)?,
    }
    Ok(begin.elapsed())
}

/// All probes in turn, as long as `more` says, which is told their number.
fn probes(daemon: &mut Daemon, mut more: impl FnMut(usize) -> bool) -> Result<[Latency; PROBES.len()], String> {
    let mut times: [Vec<Duration>; PROBES.len()] = Default::default();
    let mut done = 0;
    while more(done) {
        for (which, times) in times.iter_mut().enumerate() {
            times.push(probe(daemon, which)?);
        }
        done += 1;
    }
    Ok(times.map(|times| figures(&times)))
}

/// The latency of the one in the middle while all others rest.
pub(crate) fn alone(daemons: &mut [Daemon], rounds: usize) -> Result<[Latency; PROBES.len()], String> {
    let middle = daemons.len() / 2;
    let one = daemons.get_mut(middle).ok_or("no daemon runs")?;
    probes(one, |done| done < rounds)
}

/// One command to each TPM in turn, none of which has run for long.
pub(crate) fn each_once(daemons: &mut [Daemon]) -> Result<Latency, String> {
    let times: Result<Vec<_>, _> = daemons.iter_mut().map(|daemon| probe(daemon, 0)).collect();
    times.map(|times| figures(&times))
}

/// What came of all working at once.
pub(crate) struct Work {
    /// The latency of the one in the middle meanwhile.
    pub(crate) latency: [Latency; PROBES.len()],
    /// Commands that the others answered in a second, all together.
    pub(crate) rate: f64,
    /// Microseconds of processor time of the others for one of these.
    pub(crate) cost: f64,
}

/// Gives work to all but the one in the middle, in turn, and measures that one.
pub(crate) fn beside_work(daemons: &mut [Daemon], time: Duration) -> Result<Work, String> {
    let middle = daemons.len() / 2;
    let (before, rest) = daemons.split_at_mut(middle);
    let (one, after) = rest.split_first_mut().ok_or("no daemon runs")?;
    let mut others: Vec<&mut Daemon> = before.iter_mut().chain(after).collect();
    if others.is_empty() {
        return Err("there are no others: --count must be 2 at least".into());
    }
    let pids: Vec<u32> = others.iter().map(|daemon| daemon.id()).collect();
    let used = || pids.iter().try_fold(0, |sum, pid| Ok::<_, String>(sum + Ran::of(*pid)?.time));
    let used_before = used()?;
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let share = others.len().div_ceil(CLIENTS);
    let begin = Instant::now();
    let latency = std::thread::scope(|scope| {
        let clients: Vec<_> = others.chunks_mut(share).map(|share| scope.spawn(|| work(share, &stop, &done))).collect();
        let latency = probes(one, |_| begin.elapsed() < time);
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().map_err(|_| "a client of the load ended badly")??;
        }
        latency
    })?;
    let seconds = begin.elapsed().as_secs_f64();
    let count = done.load(Ordering::Relaxed) as f64;
    let used = (used()? - used_before) as f64 / 1000.0;
    Ok(Work { latency, rate: count / seconds, cost: used / count.max(1.0) })
}

/// Commands of a guest to each of these in turn, until told to stop.
fn work(share: &mut [&mut Daemon], stop: &AtomicBool, done: &AtomicU64) -> Result<(), String> {
    let cheap = [commands::random(), commands::read_pcrs(), commands::extend()];
    let mut number = 0;
    loop {
        for daemon in share.iter_mut() {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            number += 1;
            let count = if number % KEY_EVERY == 0 {
                commands::make_key(*daemon)?;
                2
            } else {
                let bytes = cheap.get(number % cheap.len()).ok_or("no such command")?;
                run(*daemon, bytes)?;
                1
            };
            done.fetch_add(count, Ordering::Relaxed);
        }
    }
}
