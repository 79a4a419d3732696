//! A part of the campaign on every test run: each thirty-first call. The whole is `cargo run -p sealwright-faults`.

use sealwright_faults::{Fault, Form, Ground, Outcome, campaign, combinations, conversions};

#[test]
fn no_single_fault_of_a_conversion_loses_both_states() {
    for form in Form::ALL {
        let mut outcome = Outcome::default();
        Fault::ALL.into_iter().for_each(|fault| conversions(form, fault, &mut outcome));
        println!("{form:?}: {:?}, {} states looked at", outcome.faults, outcome.restarts);
        assert!(outcome.faults.values().all(|count| *count > 3), "{form:?}: {:?}", outcome.faults);
        assert!(outcome.losses.is_empty(), "{:#?}", outcome.losses);
    }
}

#[test]
fn no_single_fault_loses_a_state() {
    for ground in Ground::ALL {
        let outcome = campaign(ground, 31);
        assert!(outcome.faults.values().all(|count| *count > 4), "{:?}", outcome.faults);
        assert!(outcome.losses.is_empty(), "{:#?}", outcome.losses);
    }
}

#[test]
fn the_campaign_finds_a_store_that_does_not_sync() {
    let outcome = campaign(Ground::Unsynced, 40);
    assert!(outcome.losses.iter().any(|loss| loss.contains("PowerCut")), "{:?}", outcome.faults);
}

#[test]
fn several_faults_lose_no_state() {
    for ground in Ground::ALL {
        let mut outcome = Outcome::default();
        combinations(ground, 15, 7, &mut outcome);
        assert!(outcome.losses.is_empty(), "{:#?}", outcome.losses);
    }
}
