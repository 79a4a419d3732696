//! States that libtpms wrote, taken over and given back. The files are those of swtpm's own tests (see
//! `vectors/swtpm/README.md`).

mod host;
mod providers;

use host::Host;
use sealwright_core::Engine;
use sealwright_crypto::{Crypto, RUST};
use sealwright_tpm2::Tpm2;
use sealwright_tpm2::libtpms::ImportFault;
use std::path::PathBuf;

providers::both!(
    every_state_comes_and_goes_unchanged,
    what_is_written_is_what_libtpms_writes,
    a_profile_stays,
    a_state_starts,
    a_cut_state_is_refused_and_says_where,
    a_running_tpm_goes_on,
    a_volatile_state_of_another_tpm_is_refused,
    damaged_states_are_refused_or_usable,
    damaged_volatile_states_are_refused_or_usable,
);

const STATES: [&str; 8] = ["1", "3", "3b", "3c", "3d", "4", "6", "7"];

/// The blob in a file of swtpm's: after its header and the head of its only part.
fn vector(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/swtpm").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).split_off(16)
}

/// The permanent blob in a linear file: its place is in the first entry of the header.
fn linear(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/swtpm").join(name);
    let file = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    file[number(12) + 16..number(12) + number(16)].to_vec()
}

fn permanent(state: &str) -> Vec<u8> {
    vector(&format!("state{state}.permall"))
}

fn run(tpm: &mut Tpm2, host: &mut Host, command: &[u8]) -> Vec<u8> {
    let mut response = vec![0; 4096];
    let len = tpm.execute(host, 0, command, &mut response);
    response.truncate(len);
    response
}

fn every_state_comes_and_goes_unchanged(crypto: &'static Crypto) {
    for state in STATES {
        let bytes = permanent(state);
        let tpm = Tpm2::from_libtpms_permanent(crypto, &bytes).unwrap_or_else(|e| panic!("state {state}: {e}"));
        let out = tpm.to_libtpms_permanent().unwrap();
        let again = Tpm2::from_libtpms_permanent(crypto, &out).unwrap();
        assert_eq!(*again.to_libtpms_permanent().unwrap(), *out, "state {state}");
        assert_eq!(again.save_permanent(), tpm.save_permanent(), "state {state}");
        // Through our own format too.
        let own = Tpm2::restore(crypto, &tpm.save_permanent()).unwrap();
        assert_eq!(*own.to_libtpms_permanent().unwrap(), *out, "state {state}");
    }
}

/// Where two blobs differ, as the first and the last byte; the state of the random number generator left out.
fn difference(ours: &[u8], theirs: &[u8]) -> Option<(usize, usize)> {
    let drbg = theirs.windows(6).position(|w| w == [0, 2, 0x6F, 0xE8, 0x3E, 0xA1]).unwrap();
    // Header, reseed counter, magic, seed with its size, count and four numbers.
    let drbg = drbg + 8..drbg + 8 + 8 + 4 + 2 + 48 + 2 + 16;
    let differ = |at: &usize| ours.get(*at) != theirs.get(*at) && !drbg.contains(at);
    let mut places = (0..ours.len().max(theirs.len())).filter(differ);
    let first = places.next()?;
    Some((first, places.next_back().unwrap_or(first)))
}

fn what_is_written_is_what_libtpms_writes(crypto: &'static Crypto) {
    let names = ["v0.9-null", "v0.10-null", "v0.10-default-v1"];
    for name in names {
        let theirs = linear(&format!("state8-{name}.linear"));
        let tpm = Tpm2::from_libtpms_permanent(crypto, &theirs).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(tpm.libtpms_profile().is_some(), name == "v0.10-default-v1");
        let ours = tpm.to_libtpms_permanent().unwrap();
        assert_eq!(difference(&ours, &theirs), None, "{name}");
    }
}

fn a_profile_stays(crypto: &'static Crypto) {
    for state in STATES {
        let tpm = Tpm2::from_libtpms_permanent(crypto, &permanent(state)).unwrap();
        let own = Tpm2::restore(crypto, &tpm.save_permanent()).unwrap();
        assert_eq!(own.libtpms_profile(), tpm.libtpms_profile());
    }
}

fn a_state_starts(crypto: &'static Crypto) {
    for state in STATES {
        let mut host = Host::default();
        let mut tpm = Tpm2::from_libtpms_permanent(crypto, &permanent(state)).unwrap();
        tpm.power_on(&mut host);
        let response = run(&mut tpm, &mut host, &[0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0]);
        assert_eq!(response[6..10], [0; 4], "Startup of state {state}");
    }
}

fn a_cut_state_is_refused_and_says_where(crypto: &'static Crypto) {
    let bytes = permanent("3b");
    for len in 0..bytes.len() {
        assert!(Tpm2::from_libtpms_permanent(crypto, &bytes[..len]).is_err(), "{len} bytes");
    }
    assert_eq!(
        Tpm2::from_libtpms_permanent(crypto, &bytes[..3]).unwrap_err(),
        ImportFault::Truncated { part: "PERSISTENT_ALL" }
    );
    let mut long = bytes;
    long.push(0);
    assert!(Tpm2::from_libtpms_permanent(crypto, &long).is_err());
}

const RUNNING: [&str; 5] = ["1", "3b", "3c", "3d", "4"];

fn resumed(crypto: &'static Crypto, state: &str) -> (Tpm2, Host) {
    let mut host = Host::default();
    let mut tpm = Tpm2::from_libtpms_permanent(crypto, &permanent(state)).unwrap();
    let volatile = vector(&format!("state{state}.volatilestate"));
    tpm.resume_libtpms_volatile(&mut host, &volatile, None).unwrap_or_else(|e| panic!("state {state}: {e}"));
    (tpm, host)
}

fn a_running_tpm_goes_on(crypto: &'static Crypto) {
    for state in RUNNING {
        let (mut tpm, mut host) = resumed(crypto, state);
        let out = tpm.to_libtpms_volatile(&mut host, 1_000_000).unwrap_or_else(|e| panic!("state {state}: {e}"));
        let mut again = Tpm2::from_libtpms_permanent(crypto, &tpm.to_libtpms_permanent().unwrap()).unwrap();
        again.resume_libtpms_volatile(&mut host, &out, Some(1_000_000)).unwrap();
        // The random number generator is another on purpose; everything else is the same.
        let same = |tpm: &mut Tpm2, host: &mut Host| {
            let bytes = tpm.to_libtpms_volatile(host, 0).unwrap();
            let drbg = bytes.windows(6).position(|w| w == [0, 2, 0x6F, 0xE8, 0x3E, 0xA1]).unwrap();
            let mut bytes = bytes[..bytes.len() - 20].to_vec();
            bytes[drbg..drbg + 100].fill(0);
            bytes
        };
        assert_eq!(same(&mut tpm, &mut host), same(&mut again, &mut host), "state {state}");
        assert_eq!(tpm.save_permanent(), again.save_permanent(), "state {state}");
    }
}

fn a_volatile_state_of_another_tpm_is_refused(crypto: &'static Crypto) {
    let mut host = Host::default();
    let mut tpm = Tpm2::from_libtpms_permanent(crypto, &permanent("3c")).unwrap();
    let before = tpm.save_permanent();
    let other = vector("state3b.volatilestate");
    assert_eq!(tpm.resume_libtpms_volatile(&mut host, &other, None), Err(ImportFault::Mismatch));
    let mut damaged = vector("state3c.volatilestate");
    damaged[100] ^= 1;
    assert_eq!(tpm.resume_libtpms_volatile(&mut host, &damaged, None), Err(ImportFault::Digest));
    assert!(matches!(
        tpm.resume_libtpms_volatile(&mut host, &permanent("3c"), None),
        Err(ImportFault::Magic { found: 0xAB36_4723, .. })
    ));
    assert_eq!(tpm.save_permanent(), before);
}

/// A small generator, so that a failure can be repeated.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn mutated(bytes: &[u8], seed: &mut u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + random(seed) % 3 {
        let at = random(seed) as usize % bytes.len();
        match random(seed) % 5 {
            0 => bytes[at] ^= 1 << (random(seed) % 8),
            1 => bytes[at] = 0xFF,
            2 => bytes[at] = 0,
            3 => drop(bytes.splice(at..at, [random(seed) as u8])),
            _ => drop(bytes.remove(at)),
        }
    }
    bytes
}

fn damaged_states_are_refused_or_usable(crypto: &'static Crypto) {
    let mut seed = 1;
    let mut host = Host::default();
    for state in STATES {
        let bytes = permanent(state);
        for _ in 0..300 {
            let damaged = mutated(&bytes, &mut seed);
            if let Ok(mut tpm) = Tpm2::from_libtpms_permanent(crypto, &damaged) {
                tpm.power_on(&mut host);
                run(&mut tpm, &mut host, &[0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0]);
                let _ = tpm.to_libtpms_permanent();
            }
        }
    }
}

fn damaged_volatile_states_are_refused_or_usable(crypto: &'static Crypto) {
    let mut seed = 2;
    let mut host = Host::default();
    for state in RUNNING {
        let volatile = vector(&format!("state{state}.volatilestate"));
        let permanent = permanent(state);
        for _ in 0..300 {
            let mut damaged = mutated(&volatile[..volatile.len() - 20], &mut seed);
            // With a digest that is right, or the damage would not be looked at.
            damaged.extend(RUST.hash.digest(sealwright_crypto::HashAlg::Sha1, &[&damaged]).to_vec());
            let mut tpm = Tpm2::from_libtpms_permanent(crypto, &permanent).unwrap();
            if tpm.resume_libtpms_volatile(&mut host, &damaged, None).is_ok() {
                run(&mut tpm, &mut host, &[0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x45, 0, 0]);
                let _ = tpm.to_libtpms_volatile(&mut host, 0);
            }
        }
    }
}
