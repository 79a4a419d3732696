//! Commands that the specification has since revision 1.59, which libtpms 0.9 does not know.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod client;
mod host;
mod providers;

use client::{Machine, NULL, OWNER, PLATFORM, auth, code, password, sha256, sized, take, u32_at};
use sealwright_crypto::Crypto;

providers::both!(
    text_for_an_elliptic_curve_key,
    a_policy_over_a_property,
    a_policy_over_parameters,
    read_only_mode,
    public_areas_with_a_type_of_handle,
    commands_that_the_profile_leaves_out,
);

/// KDF2 with SHA-256.
const KDF2: [u8; 4] = [0, 0x21, 0, 0x0B];

fn text_for_an_elliptic_curve_key(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    // An unrestricted decryption key on P-256 without scheme and KDF.
    let public = [&[0u8, 0x23, 0, 0x0B][..], &0x0002_0472u32.to_be_bytes(), &[0, 0]];
    let public = [public.concat(), vec![0, 0x10, 0, 0x10, 0, 3, 0, 0x10, 0, 0, 0, 0]].concat();
    let parameters = [sized(&[0, 0, 0, 0]), sized(&public), vec![0, 0, 0, 0, 0, 0]].concat();
    let made = m.with(0x131, &[OWNER], &[password(b"")], &parameters);
    assert_eq!(code(&made), 0, "{made:02x?}");
    let key = u32_at(&made, 10);
    for text in [&b"x"[..], b"a text of more than one block of the hash, which the stream must cover", b""] {
        let sealed = m.plain(0x199, &[&key.to_be_bytes(), &sized(text), &KDF2]);
        assert_eq!(code(&sealed), 0, "{sealed:02x?}");
        let (_, rest) = take(&sealed[10..]);
        let (hidden, rest) = take(rest);
        let (check, _) = take(rest);
        assert_eq!((hidden.len(), check.len()), (text.len(), 32));
        assert!(text.is_empty() || hidden != text);
        let all = [&sealed[10..], &KDF2].concat();
        let opened = m.with(0x19A, &[key], &[password(b"")], &all);
        assert_eq!((code(&opened), take(&opened[14..]).0), (0, text));
        let mut damaged = all.clone();
        // The last byte of the check value.
        let last = damaged.len() - KDF2.len() - 1;
        damaged[last] ^= 1;
        assert_ne!(code(&m.with(0x19A, &[key], &[password(b"")], &damaged)), 0);
    }
    // Neither the key nor the caller names a KDF.
    assert_eq!(code(&m.plain(0x199, &[&key.to_be_bytes(), &sized(b"x"), &[0, 0x10]])), 0x2D2);
}

fn a_policy_over_a_property(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    // TPM_PT_FAMILY_INDICATOR is "2.0"; the value is behind the property's number.
    let arguments = |family: &[u8]| {
        [&sized(family)[..], &4u16.to_be_bytes(), &[0, 0], &6u32.to_be_bytes(), &0x100u32.to_be_bytes()].concat()
    };
    let hashed = sha256(&[b"2.0\0", &[0, 4, 0, 0, 0, 0, 0, 6, 0, 0, 1, 0]]);
    let expected = sha256(&[&[0; 32], &0x19Bu32.to_be_bytes(), &hashed]);
    for kind in [1, 3] {
        let (session, _) = m.session(kind, &[0, 0x10]);
        let wrong = m.plain(0x19B, &[&session.to_be_bytes(), &arguments(b"1.2\0")]);
        // A trial session does not compare.
        assert_eq!(code(&wrong), if kind == 1 { 0x126 } else { 0 });
        assert_eq!(code(&m.plain(0x180, &[&session.to_be_bytes()])), 0);
        assert_eq!(code(&m.plain(0x19B, &[&session.to_be_bytes(), &arguments(b"2.0\0")])), 0);
        assert_eq!(m.digest(session), expected);
    }
}

fn a_policy_over_parameters(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    let parameters = sized(b"new");
    let hash = sha256(&[&0x129u32.to_be_bytes(), &parameters]);
    let policy = sha256(&[&[0; 32], &0x19Cu32.to_be_bytes(), &hash]);
    let set = [sized(&policy), vec![0, 0x0B]].concat();
    assert_eq!(code(&m.with(0x12E, &[OWNER], &[password(b"")], &set)), 0);
    let (session, _) = m.session(1, &[0, 0x10]);
    let by = || vec![auth(session, &[9; 16], 1, b"")];
    assert_eq!(code(&m.plain(0x19C, &[&session.to_be_bytes(), &sized(&hash[1..])])), 0x1D5);
    assert_eq!(code(&m.plain(0x19C, &[&session.to_be_bytes(), &sized(&hash)])), 0);
    assert_eq!(m.digest(session), policy);
    // It is for these parameters and no others, and not twice.
    assert_eq!(code(&m.with(0x129, &[OWNER], &by(), &sized(b"old"))), 0x99D);
    assert_eq!(code(&m.plain(0x19C, &[&session.to_be_bytes(), &sized(&hash)])), 0x151);
    assert_eq!(code(&m.with(0x129, &[OWNER], &by(), &parameters)), 0);
    assert_eq!(code(&m.with(0x129, &[OWNER], &[password(b"new")], &sized(b""))), 0);
}

fn read_only_mode(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    let index = 0x0150_0000;
    m.define(index, 0x0206_0006, 8);
    m.write(index, &[5; 8]);
    let switch = |m: &mut Machine, on: u8| code(&m.with(0x1A0, &[PLATFORM], &[password(b"")], &[on]));
    assert_eq!(code(&m.with(0x1A0, &[OWNER], &[password(b"")], &[1])), 0x184, "only the platform");
    assert_eq!(switch(&mut m, 1), 0);
    let read_only = code(&m.with(0x129, &[OWNER], &[password(b"")], &sized(b"x")));
    assert_ne!(read_only, 0);
    for (cc, handles) in [(0x126u32, vec![PLATFORM]), (0x122, vec![OWNER, index]), (0x124, vec![PLATFORM])] {
        assert_eq!(code(&m.with(cc, &handles, &[password(b"")], &[])), read_only, "{cc:#x}");
    }
    // Reading, measuring and random numbers go on.
    assert_eq!(take(&m.read(index, 8, 0)[14..]).0, [5; 8]);
    let extend = [&1u32.to_be_bytes()[..], &[0, 0x0B], &[1; 32]].concat();
    assert_eq!(code(&m.with(0x182, &[16], &[password(b"")], &extend)), 0);
    assert_eq!(code(&m.plain(0x17B, &[&8u16.to_be_bytes()])), 0);
    assert_eq!(switch(&mut m, 0), 0);
    assert_eq!(code(&m.with(0x122, &[OWNER, index], &[password(b"")], &[])), 0);
    // A start of the platform ends it.
    assert_eq!(switch(&mut m, 1), 0);
    m.power_cycle();
    assert_eq!(code(&m.with(0x129, &[OWNER], &[password(b"")], &sized(b""))), 0);
}

fn public_areas_with_a_type_of_handle(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    let index = 0x0150_0001u32;
    let public = [&index.to_be_bytes()[..], &[0, 0x0B], &0x0206_0006u32.to_be_bytes(), &[0, 0, 0, 8]].concat();
    let typed = [&[1][..], &public].concat();
    let define = [sized(b"nv"), sized(&typed)].concat();
    let made = m.with(0x19D, &[OWNER], &[password(b"")], &define);
    assert_eq!(code(&made), 0, "{made:02x?}");
    let shown = m.plain(0x19E, &[&index.to_be_bytes()]);
    let (area, rest) = take(&shown[10..]);
    assert_eq!(area, typed);
    let name = [&[0, 0x0B][..], &sha256(&[&public])].concat();
    assert_eq!(take(rest).0, name);
    let older = m.plain(0x169, &[&index.to_be_bytes()]);
    let (area, rest) = take(&older[10..]);
    assert_eq!((area, take(rest).0), (&public[..], &name[..]));
    assert_eq!(code(&m.plain(0x19E, &[&NULL.to_be_bytes()])), 0x184);
}

/// A command that the profile leaves out is unknown to the commands that name others, as it is to a TPM built without it.
fn commands_that_the_profile_leaves_out(crypto: &'static Crypto) {
    /// ECC_Encrypt, which libtpms 0.9 does not have.
    const LATER: u32 = 0x199;
    for (profile, known) in [("null", false), ("default-v1", true)] {
        let mut m = Machine::of_profile(crypto, profile);
        let (trial, _) = m.session(3, &[0, 0x10]);
        let refusal = code(&m.plain(0x16C, &[&trial.to_be_bytes(), &LATER.to_be_bytes()]));
        assert_eq!(refusal, if known { 0 } else { 0x1E4 }, "TPM_RC_POLICY_CC of parameter 1 without it");
        // No new hash; ReadClock and the command are to be audited.
        let lists = [&[0u8, 0x10][..], &[0, 0, 0, 2], &0x181u32.to_be_bytes(), &LATER.to_be_bytes(), &[0; 4]].concat();
        assert_eq!(code(&m.with(0x140, &[OWNER], &[password(b"")], &lists)), 0);
        let audited = m.plain(0x17A, &[&4u32.to_be_bytes(), &0u32.to_be_bytes(), &100u32.to_be_bytes()]);
        let codes: Vec<u32> = audited[19..].chunks_exact(4).map(|word| u32_at(word, 0)).collect();
        let expected: &[u32] = if known { &[0x140, 0x181, LATER] } else { &[0x140, 0x181] };
        assert_eq!(codes, expected, "{profile}");
    }
}
