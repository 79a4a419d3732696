//! Runs every single fault, on all processors, and prints what was tried and what was lost.

use core::sync::atomic::{AtomicUsize, Ordering};
use sealwright_faults::{Fault, Form, Ground, Outcome, campaign_of, combinations, conversions};
use std::process::ExitCode;
use std::sync::Mutex;

/// Runs with several faults, on each ground.
const RUNS: u64 = 2000;
/// Of them in one job.
const SHARE: u64 = 100;

/// A part of the campaign that one processor does.
#[derive(Clone, Copy, Debug)]
enum Job {
    /// One fault at each call.
    Single(Ground, Fault),
    /// Some of the runs with several faults, with the seed of this number.
    Several(Ground, u64),
    /// One fault at each call of a conversion.
    Conversion(Form),
}

/// All parts, the long ones first.
fn jobs() -> Vec<Job> {
    let mut jobs = Vec::new();
    for fault in [Fault::PowerCut, Fault::Refused, Fault::Full, Fault::HalfWay, Fault::Short, Fault::Kill] {
        jobs.extend(Ground::ALL.map(|ground| Job::Single(ground, fault)));
    }
    jobs.extend(Form::ALL.map(Job::Conversion));
    for seed in 1..=RUNS / SHARE {
        jobs.extend(Ground::ALL.map(|ground| Job::Several(ground, seed)));
    }
    jobs
}

fn run(job: Job) -> Outcome {
    let mut outcome = Outcome::default();
    match job {
        Job::Single(ground, fault) => campaign_of(ground, fault, 1, &mut outcome),
        Job::Several(ground, seed) => combinations(ground, SHARE, seed, &mut outcome),
        Job::Conversion(form) => Fault::ALL.into_iter().for_each(|fault| conversions(form, fault, &mut outcome)),
    }
    outcome
}

fn show(what: &str, outcome: &Outcome) {
    let faults: u64 = outcome.faults.values().sum();
    println!(
        "  {what:<30}{faults:>6} faults {:>7} states looked at afterwards {:>4} losses",
        outcome.restarts,
        outcome.losses.len()
    );
}

fn main() -> ExitCode {
    let (jobs, next, done) = (jobs(), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = run(*job);
                    done.lock().unwrap().push((*job, outcome));
                }
            });
        }
    });
    let done = done.into_inner().unwrap();
    for ground in Ground::ALL {
        println!("{ground:?}");
        for fault in Fault::ALL {
            let of = done.iter().filter(|(job, _)| matches!(job, Job::Single(g, f) if (*g, *f) == (ground, fault)));
            show(&format!("{fault:?} at each call"), &of.fold(Outcome::default(), |sum, (_, one)| sum.with(one)));
        }
        let of = done.iter().filter(|(job, _)| matches!(job, Job::Several(g, _) if *g == ground));
        show(&format!("{RUNS} runs with 2 to 4"), &of.fold(Outcome::default(), |sum, (_, one)| sum.with(one)));
    }
    println!("Conversions");
    for form in Form::ALL {
        let of = done.iter().filter(|(job, _)| matches!(job, Job::Conversion(f) if *f == form));
        show(&format!("{form:?}"), &of.fold(Outcome::default(), |sum, (_, one)| sum.with(one)));
    }
    let all = done.iter().fold(Outcome::default(), |sum, (_, one)| sum.with(one));
    println!("All");
    for (fault, count) in &all.faults {
        println!("  {:<30}{count:>6} faults", format!("{fault:?}"));
    }
    show("together", &all);
    all.losses.iter().take(20).for_each(|loss| println!("  LOST: {loss}"));
    if all.losses.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
