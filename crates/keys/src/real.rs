//! The contract against real key managers. `tests/keys/run.py`, which `cargo xtask test keys` runs, starts them and gives
//! their addresses in the environment.

use sealwright_state::{DataKey, KeyError, KeyManager};

use crate::contract::{Traits, run, tpm_of};

fn address(name: &str) -> String {
    let variable = format!("SEALWRIGHT_KEYS_{name}");
    std::env::var(&variable).unwrap_or_else(|_| panic!("{variable} is not set; run cargo xtask test keys"))
}

fn open(name: &str) -> Box<dyn KeyManager> {
    crate::open(&address(name)).unwrap()
}

/// A key for each VM, and one for all.
fn both(name: &str, traits: Traits) {
    run(&|| open(&format!("{name}_PER_VM")), traits);
    run(&|| open(&format!("{name}_SHARED")), Traits::default());
}

/// Whoever was stopped says so and nothing hangs.
fn is_down(name: &str) {
    let error = open(name).wrap(&tpm_of("a"), &DataKey::new([1; 32])).unwrap_err();
    assert!(matches!(error, KeyError::Unavailable { .. }), "{error}");
    println!("{error}");
}

#[test]
#[ignore = "needs Barbican: cargo xtask test keys"]
fn barbican() {
    both("BARBICAN", Traits { destroys: true, disables: false });
}

#[test]
#[ignore = "needs Barbican and Keystone: cargo xtask test keys"]
fn barbican_with_keystone() {
    run(&|| open("KEYSTONE"), Traits { destroys: true, disables: false });
    let error = open("KEYSTONE_WRONG").wrap(&tpm_of("a"), &DataKey::new([1; 32])).unwrap_err();
    assert!(matches!(error, KeyError::Refused { .. }), "{error}");
}

#[test]
#[ignore = "needs SoftHSM: cargo xtask test keys"]
fn softhsm() {
    both("PKCS11", Traits { destroys: true, disables: true });
    for _ in 0..20 {
        // More often than any token would allow a wrong PIN.
        let error = open("PKCS11_WRONG_PIN").wrap(&tpm_of("a"), &DataKey::new([1; 32])).unwrap_err();
        assert!(matches!(error, KeyError::Refused { .. }), "{error}");
    }
    let error = open("PKCS11_NO_TOKEN").wrap(&tpm_of("a"), &DataKey::new([1; 32])).unwrap_err();
    assert!(matches!(error, KeyError::Unavailable { .. }), "{error}");
}

#[test]
#[ignore = "needs vtpmd as a process: cargo xtask test keys"]
fn tpm_is_vtpmd() {
    run(&|| open("TPM_VTPMD"), Traits::default());
}

#[test]
#[ignore = "needs swtpm: cargo xtask test keys"]
fn tpm_is_swtpm() {
    run(&|| open("TPM_SWTPM"), Traits::default());
}

/// The contract of anchors, and an Index that is left and found again.
fn anchors_in(name: &str) {
    let place = address(name);
    let place = place.split('?').next().unwrap_or_default();
    let traits = sealwright_state::anchor::contract::Traits { many: false };
    let new = || crate::open_anchor(&format!("{place}?index=0x01800100")).unwrap();
    sealwright_state::anchor::contract::run(&mut || new(), traits);
}

#[test]
#[ignore = "needs vtpmd as a process: cargo xtask test keys"]
fn anchor_in_vtpmd() {
    anchors_in("TPM_VTPMD");
}

#[test]
#[ignore = "needs swtpm: cargo xtask test keys"]
fn anchor_in_swtpm() {
    anchors_in("TPM_SWTPM");
}

#[test]
#[ignore = "needs libvirtd: cargo xtask test keys"]
fn libvirt() {
    run(&|| open("LIBVIRT_UUID"), Traits::default());
    run(&|| open("LIBVIRT_USAGE"), Traits::default());
    let wrap = |name: &str| open(name).wrap(&tpm_of("a"), &DataKey::new([1; 32])).unwrap_err();
    let private = wrap("LIBVIRT_PRIVATE");
    assert!(matches!(private, KeyError::Refused { .. }) && private.to_string().contains("private='no'"), "{private}");
    let empty = wrap("LIBVIRT_EMPTY");
    assert!(matches!(empty, KeyError::Unusable { .. }) && empty.to_string().contains("secret-set-value"), "{empty}");
    let absent = wrap("LIBVIRT_ABSENT");
    assert!(matches!(absent, KeyError::NotFound { .. }), "{absent}");
}

#[test]
#[ignore = "needs nothing, but is told what was stopped: cargo xtask test keys"]
fn stopped() {
    for name in std::env::var("SEALWRIGHT_KEYS_STOPPED").unwrap().split(' ') {
        is_down(name);
    }
}

#[test]
#[ignore = "needs PyKMIP: cargo xtask test keys"]
fn kmip() {
    both("KMIP", Traits { destroys: true, disables: false });
    run(&|| open("KMIP_2"), Traits { destroys: true, disables: false });
    let error = open("KMIP_ABSENT").wrap(&tpm_of("a"), &DataKey::new([1; 32])).unwrap_err();
    assert!(matches!(error, KeyError::NotFound { .. }), "{error}");
}
