//! Runs every single fault and prints what was tried and what was lost.

use sealwright_faults::{Fault, Ground, Outcome, campaign_of};
use std::process::ExitCode;

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
            for loss in outcome.losses.iter().take(20) {
                println!("    LOST: {loss}");
            }
            lost += outcome.losses.len();
        }
    }
    if lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
