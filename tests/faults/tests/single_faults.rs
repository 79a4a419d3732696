//! A part of the campaign on every test run: each thirteenth call. The whole is `cargo run -p sealwright-faults`.

use sealwright_faults::{Ground, campaign};

#[test]
fn no_single_fault_loses_a_state() {
    for ground in Ground::ALL {
        let outcome = campaign(ground, 13);
        assert!(outcome.faults.values().all(|count| *count > 10), "{:?}", outcome.faults);
        assert!(outcome.losses.is_empty(), "{:#?}", outcome.losses);
    }
}

#[test]
fn the_campaign_finds_a_store_that_does_not_sync() {
    let outcome = campaign(Ground::Unsynced, 40);
    assert!(outcome.losses.iter().any(|loss| loss.contains("PowerCut")), "{:?}", outcome.faults);
}
