//! Runs every single fault and prints what was tried and what was lost.

use sealwright_faults::{Fault, Ground, Outcome, campaign_of, combinations};
use std::process::ExitCode;

/// Runs with several faults.
const RUNS: u64 = 500;

/// Prints what was lost; returns how many they are.
fn losses(outcome: &Outcome) -> usize {
    for loss in outcome.losses.iter().take(20) {
        println!("    LOST: {loss}");
    }
    outcome.losses.len()
}

fn main() -> ExitCode {
    let mut lost = 0;
    for ground in Ground::ALL {
        println!("{ground:?}");
        for fault in Fault::ALL {
            let mut outcome = Outcome::default();
            campaign_of(ground, fault, 1, &mut outcome);
            let count: u64 = outcome.faults.values().sum();
            println!(
                "  {:<9} at each of {count} calls: {} states looked at afterwards, {} losses",
                format!("{fault:?}"),
                outcome.restarts,
                outcome.losses.len()
            );
            lost += losses(&outcome);
        }
        let mut outcome = Outcome::default();
        combinations(ground, RUNS, 1, &mut outcome);
        let count: u64 = outcome.faults.values().sum();
        println!(
            "  {RUNS} runs with several of them ({count} in all): {} states looked at afterwards, {} losses",
            outcome.restarts,
            outcome.losses.len()
        );
        lost += losses(&outcome);
    }
    if lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
