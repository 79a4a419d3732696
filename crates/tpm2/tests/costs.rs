//! What authorizations cost, whatever becomes of the command, and what the parameters of a command look like on the way.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod client;
mod host;
mod providers;

use client::{Machine, OWNER, auth, code, password, sha256, sized, take};
use sealwright_crypto::{Crypto, HashAlg, RUST, kdf::kdfa};

providers::both!(
    a_pin_counts_even_if_the_command_fails,
    a_use_of_a_protected_index_is_remembered,
    unwritten_bytes,
    parameters_hidden_by_xor,
);

const INDEX: u32 = 0x0150_0000;
/// TPM_PT_LOCKOUT_COUNTER.
const FAILURES: u32 = 0x20E;

fn a_pin_counts_even_if_the_command_fails(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    // PIN_PASS, written by the owner, read with its own value.
    m.define(INDEX, 0x0206_0092, 8);
    m.write(INDEX, &[0, 0, 0, 0, 0, 0, 0, 3]);
    assert_eq!(code(&m.read(INDEX, 9, 0)), 0x146);
    assert_eq!(take(&m.read(INDEX, 8, 0)[14..]).0, [0, 0, 0, 2, 0, 0, 0, 3]);
    assert_eq!(code(&m.read(INDEX, 9, 0)), 0x146);
    assert_eq!(code(&m.read(INDEX, 8, 0)), 0x12F, "three uses are all");
}

fn a_use_of_a_protected_index_is_remembered(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    // Without NO_DA.
    m.define(INDEX, 0x0006_0006, 8);
    m.write(INDEX, &[1; 8]);
    m.power_cycle();
    assert_eq!(m.property(FAILURES), 0, "nothing protected was used");
    // A right value, but the command fails.
    assert_eq!(code(&m.read(INDEX, 9, 0)), 0x146);
    m.power_cycle();
    assert_eq!(m.property(FAILURES), 1);
    // An orderly end.
    assert_eq!(code(&m.read(INDEX, 8, 0)), 0);
    assert_eq!(code(&m.plain(0x145, &[&[0, 0]])), 0);
    m.power_cycle();
    assert_eq!(m.property(FAILURES), 1);
    // An orderly end that a later command makes worthless.
    assert_eq!(code(&m.read(INDEX, 8, 0)), 0);
    assert_eq!(code(&m.plain(0x145, &[&[0, 0]])), 0);
    let extend = [&1u32.to_be_bytes()[..], &[0, 0x0B], &[1; 32]].concat();
    assert_eq!(code(&m.with(0x182, &[0], &[password(b"")], &extend)), 0);
    m.power_cycle();
    assert_eq!(m.property(FAILURES), 2);
}

fn unwritten_bytes(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    for (index, attributes, rest) in [(INDEX, 0x0206_0006, 0xFF), (INDEX + 1, 0x0606_0006, 0)] {
        m.define(index, attributes, 4);
        assert_eq!(code(&m.read(index, 4, 0)), 0x14A);
        m.write(index, &[7]);
        assert_eq!(take(&m.read(index, 4, 0)[14..]).0, [7, rest, rest, rest]);
    }
}

fn parameters_hidden_by_xor(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    assert_eq!(code(&m.with(0x129, &[OWNER], &[password(b"")], &sized(b"old"))), 0);
    let (session, nonce_tpm) = m.session(0, &[0, 0x0A, 0, 0x0B]);
    let nonce = [9; 32];
    // An unbound session has no key of its own: the authorization value is all.
    let mask = kdfa(&RUST, HashAlg::Sha256, b"old", b"XOR", &nonce, &nonce_tpm, 9 * 8);
    let hidden: Vec<u8> = b"new value".iter().zip(mask.iter()).map(|(a, b)| a ^ b).collect();
    let parameters = sized(&hidden);
    let command = sha256(&[&0x129u32.to_be_bytes(), &OWNER.to_be_bytes(), &parameters]);
    // decrypt and continueSession
    let attributes = 0x21;
    let signed = RUST.hash.hmac(HashAlg::Sha256, b"old", &[&command, &nonce, &nonce_tpm, &[attributes]]);
    let changed = m.with(0x129, &[OWNER], &[auth(session, &nonce, attributes, &signed)], &parameters);
    assert_eq!(code(&changed), 0, "{changed:02x?}");
    assert_eq!(code(&m.with(0x129, &[OWNER], &[password(b"new value")], &sized(b""))), 0);
}
