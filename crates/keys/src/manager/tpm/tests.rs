//! Against our own engine on a socket; against vtpmd and swtpm as processes in `cargo xtask test keys`.

use core::time::Duration;
use std::sync::Mutex;

use sealwright_state::{DataKey, KeyError};

use super::Pcrs;
use crate::contract::{Traits, run, tpm_of};
use crate::tpm::double::{Mood, double, execute, start};

#[test]
fn runs_the_contract() {
    let tpm = double();
    run(&|| tpm.open(""), Traits::default());
    std::fs::write(tpm.folder.path("pin"), "1234\n").unwrap();
    run(&|| tpm.open(&format!("&pcrs=sha256:7&auth-file={}", tpm.folder.path("pin").display())), Traits::default());
}

#[test]
fn other_pcr_values_are_refused() {
    let tpm = double();
    let manager = tpm.open("&pcrs=sha256:4+7");
    let key = DataKey::random().unwrap();
    let wrapped = manager.wrap(&tpm_of("a"), &key).unwrap();
    tpm.extend(5);
    assert_eq!(manager.unwrap(&tpm_of("a"), &wrapped).unwrap().expose(), key.expose());
    tpm.extend(7);
    let error = manager.unwrap(&tpm_of("a"), &wrapped).unwrap_err();
    assert!(matches!(error, KeyError::Refused { .. }) && error.to_string().contains("PCRs"), "{error}");
}

#[test]
fn a_wrong_value_is_refused() {
    let tpm = double();
    let pin = tpm.folder.path("pin");
    for options in ["", "&pcrs=sha256:7"] {
        let manager = tpm.open(&format!("{options}&auth-file={}", pin.display()));
        std::fs::write(&pin, "1234").unwrap();
        let wrapped = manager.wrap(&tpm_of("a"), &DataKey::random().unwrap()).unwrap();
        std::fs::write(&pin, "4321").unwrap();
        let error = manager.unwrap(&tpm_of("a"), &wrapped).unwrap_err();
        assert!(matches!(error, KeyError::Refused { .. }) && error.to_string().contains("auth-file"), "{error}");
        let forgotten = tpm.open(options).unwrap(&tpm_of("a"), &wrapped).unwrap_err();
        assert!(matches!(forgotten, KeyError::Unusable { .. }), "{forgotten}");
        std::fs::write(&pin, "1234").unwrap();
        manager.unwrap(&tpm_of("a"), &wrapped).unwrap();
    }
}

#[test]
fn another_tpm_has_not_the_key() {
    let (one, other) = (double(), double());
    let wrapped = one.open("").wrap(&tpm_of("a"), &DataKey::random().unwrap()).unwrap();
    let error = other.open("").unwrap(&tpm_of("a"), &wrapped).unwrap_err();
    assert!(matches!(error, KeyError::NotFound { .. }), "{error}");
    let missing = one.open("&parent=0x81000001").wrap(&tpm_of("a"), &DataKey::random().unwrap()).unwrap_err();
    assert!(matches!(missing, KeyError::NotFound { .. }), "{missing}");
}

#[test]
fn the_secret_does_not_cross_in_clear() {
    let tpm = double();
    let keeper = super::Tpm {
        path: tpm.folder.path("tpm"),
        timeout: Duration::from_secs(10),
        pcrs: None,
        parent: 0,
        auth: None,
        one: Mutex::new(()),
    };
    let context = tpm_of("a");
    let kept = crate::keeper::Keeper::keep(&keeper, &context).unwrap();
    let claim = crate::keeper::Claim { context: &context, key: &kept.key, token: &kept.token };
    let again = crate::keeper::Keeper::recover(&keeper, &claim).unwrap();
    assert_eq!(again, kept.secret);
    let seen = tpm.seen.lock().unwrap();
    assert!(seen.len() > 1000 && !seen.windows(32).any(|part| part == kept.secret.bytes()));
}

#[test]
fn faults_are_named_and_pass() {
    let tpm = double();
    let manager = tpm.open("");
    let quick = crate::open(&format!("tpm:{}?timeout=1", tpm.folder.path("tpm").display())).unwrap();
    let key = DataKey::random().unwrap();
    let wrapped = manager.wrap(&tpm_of("a"), &key).unwrap();
    for mood in [Mood::Slow, Mood::Closes, Mood::Nonsense, Mood::Interposes] {
        *tpm.mood.lock().unwrap() = mood;
        let error = if mood == Mood::Slow { &quick } else { &manager }.unwrap(&tpm_of("a"), &wrapped).unwrap_err();
        match mood {
            Mood::Slow => assert!(matches!(error, KeyError::Timeout { .. }), "{error}"),
            Mood::Interposes => assert!(error.to_string().contains("between"), "{error}"),
            _ => assert!(matches!(error, KeyError::Unavailable { .. }), "{mood:?}: {error}"),
        }
        *tpm.mood.lock().unwrap() = Mood::Good;
        // What a broken connection leaves loaded goes with the power; a resource manager would have cleaned up.
        start(&mut tpm.engine.lock().unwrap());
        assert_eq!(manager.unwrap(&tpm_of("a"), &wrapped).unwrap().expose(), key.expose(), "after {mood:?}");
    }
    let none = crate::open("tpm:/proc/nonexistent/tpm").unwrap().wrap(&tpm_of("a"), &key).unwrap_err();
    assert!(matches!(none, KeyError::Unavailable { .. }) && none.to_string().contains("no such device"), "{none}");
}

#[test]
fn nothing_is_left_loaded() {
    let tpm = double();
    std::fs::write(tpm.folder.path("pin"), "1234").unwrap();
    let manager = tpm.open(&format!("&pcrs=sha256:7&auth-file={}", tpm.folder.path("pin").display()));
    let wrapped = manager.wrap(&tpm_of("a"), &DataKey::random().unwrap()).unwrap();
    tpm.extend(7);
    for _ in 0..5 {
        // The TPM has room for three objects; refused ones must go as well.
        assert!(matches!(manager.unwrap(&tpm_of("a"), &wrapped), Err(KeyError::Refused { .. })));
    }
    // TPM2_GetCapability, handles: transient objects, then loaded sessions.
    for first in [0x80, 0x02] {
        let command = [0x80, 1, 0, 0, 0, 22, 0, 0, 1, 0x7A, 0, 0, 0, 1, first, 0, 0, 0, 0, 0, 0, 10];
        let answer = execute(&mut tpm.engine.lock().unwrap(), &command);
        assert_eq!(answer[6..10], [0; 4]);
        assert_eq!(answer[15..19], [0; 4], "handles {first:#x} are left");
    }
}

#[test]
fn addresses_are_checked() {
    assert_eq!(Pcrs::parse("sha1:0+23"), Some(Pcrs { bank: 4, bits: [1, 0, 0x80] }));
    let refused = |address: &str| crate::open(address).err().unwrap().to_string();
    for wrong in ["7", "md5:7", "sha256:24", "sha256:", "sha256:7,11"] {
        assert!(refused(&format!("tpm:?pcrs={wrong}")).contains("sha256:4+7"), "{wrong}");
    }
    assert!(refused("tpm:?parent=0x40000001").contains("0x81000001"));
    assert!(refused("tpm:tpmrm0").contains("absolute"));
}
