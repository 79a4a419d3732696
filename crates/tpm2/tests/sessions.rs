//! Sessions from outside: passwords, HMACs, policies, lockout, contexts, and what a failed commit leaves behind.

mod providers;

use sealwright_core::{Engine, Platform, PlatformFault};
use sealwright_crypto::{Crypto, HashAlg, RUST, kdf::kdfa};
use sealwright_tpm2::Tpm2;

providers::both!(
    headers,
    passwords_and_transactions,
    hmac_session_and_its_answer,
    bound_session_uses_its_key,
    policy_of_password_and_command,
    lockout_auth_fails_once,
    a_failure_counts_even_without_a_store,
    session_slots_and_contexts,
    audit_session_becomes_exclusive,
    saved_sessions_survive_a_restart_and_loaded_ones_do_not,
);

const NULL: u32 = 0x4000_0007;
const OWNER: u32 = 0x4000_0001;
const LOCKOUT: u32 = 0x4000_000A;
const RS_PW: u32 = 0x4000_0009;

#[derive(Default)]
struct Bench {
    now: u64,
    commits: u32,
    refuse: bool,
}

impl Platform for Bench {
    fn entropy(&mut self, out: &mut [u8]) -> Result<(), PlatformFault> {
        out.fill(0x5A);
        Ok(())
    }
    fn now(&mut self) -> u64 {
        self.now
    }
    fn commit(&mut self, _: &[u8]) -> Result<(), PlatformFault> {
        if self.refuse {
            return Err(PlatformFault::Unavailable);
        }
        self.commits += 1;
        Ok(())
    }
}

struct Machine {
    tpm: Tpm2,
    bench: Bench,
}

impl Machine {
    fn new(crypto: &'static Crypto) -> Self {
        let mut bench = Bench::default();
        let mut tpm = Tpm2::manufacture(crypto, &mut bench).unwrap();
        tpm.power_on(&mut bench);
        let mut machine = Self { tpm, bench };
        assert_eq!(code(&machine.plain(0x144, &[&0u16.to_be_bytes()])), 0);
        machine
    }

    fn send(&mut self, command: &[u8]) -> Vec<u8> {
        let mut response = [0; 4096];
        let len = self.tpm.execute(&mut self.bench, 0, command, &mut response);
        assert_eq!(u32_at(&response, 2) as usize, len);
        response[..len].to_vec()
    }

    /// A command without sessions; the parts are handles and parameters.
    fn plain(&mut self, code: u32, parts: &[&[u8]]) -> Vec<u8> {
        self.send(&framed(0x8001, code, &parts.concat()))
    }

    /// A command with an authorization area.
    fn with(&mut self, code: u32, handles: &[u32], auths: &[Vec<u8>], parameters: &[u8]) -> Vec<u8> {
        let mut body: Vec<u8> = handles.iter().flat_map(|h| h.to_be_bytes()).collect();
        let area = auths.concat();
        body.extend((area.len() as u32).to_be_bytes());
        body.extend(area);
        body.extend(parameters);
        self.send(&framed(0x8002, code, &body))
    }

    fn start_session(&mut self, kind: u8, bind: u32) -> (u32, Vec<u8>) {
        let response = self.plain(
            0x176,
            &[
                &NULL.to_be_bytes(),
                &bind.to_be_bytes(),
                &sized(&[7; 32]),
                &sized(&[]),
                &[kind],
                &0x10u16.to_be_bytes(),
                &0x0Bu16.to_be_bytes(),
            ],
        );
        assert_eq!(code(&response), 0, "{response:02x?}");
        (u32_at(&response, 10), response[16..48].to_vec())
    }

    fn change_auth(&mut self, hierarchy: u32, old: &[u8], new: &[u8]) {
        let response = self.with(0x129, &[hierarchy], &[password(old)], &sized(new));
        assert_eq!(code(&response), 0, "{response:02x?}");
    }

    fn digest(&mut self, session: u32) -> Vec<u8> {
        let response = self.plain(0x189, &[&session.to_be_bytes()]);
        assert_eq!(code(&response), 0);
        response[12..].to_vec()
    }
}

fn framed(tag: u16, code: u32, body: &[u8]) -> Vec<u8> {
    let mut command = tag.to_be_bytes().to_vec();
    command.extend((body.len() as u32 + 10).to_be_bytes());
    command.extend(code.to_be_bytes());
    command.extend(body);
    command
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    let mut out = (bytes.len() as u16).to_be_bytes().to_vec();
    out.extend(bytes);
    out
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn code(response: &[u8]) -> u32 {
    u32_at(response, 6)
}

fn auth(handle: u32, nonce: &[u8], attributes: u8, hmac: &[u8]) -> Vec<u8> {
    [&handle.to_be_bytes()[..], &sized(nonce), &[attributes], &sized(hmac)].concat()
}

fn password(value: &[u8]) -> Vec<u8> {
    auth(RS_PW, &[], 0, value)
}

fn sha256(parts: &[&[u8]]) -> Vec<u8> {
    RUST.hash.digest(HashAlg::Sha256, parts).to_vec()
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    RUST.hash.hmac(HashAlg::Sha256, key, parts).to_vec()
}

fn headers(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    for tag in [[0x00, 0x00], [0x00, 0xC0], [0x00, 0xC4], [0x80, 0x00], [0x80, 0x03], [0xFF, 0xFF]] {
        let command = [&tag[..], &[0, 0, 0, 10, 0, 0, 1, 0x7B]].concat();
        assert_eq!(m.send(&command), [0x00, 0xC4, 0, 0, 0, 10, 0, 0, 0, 0x1E], "{tag:x?}");
    }
    // TPM 1.2's GetTicks and two with authorizations: an answer with the tag 0x00C4 would be that of a TPM 1.2.
    for tag in [0xC1, 0xC2, 0xC3] {
        assert_eq!(m.send(&[0x00, tag, 0, 0, 0, 10, 0, 0, 0, 0xF1]), [0x80, 0x01, 0, 0, 0, 10, 0, 0, 0, 0x1E]);
    }
    assert_eq!(code(&m.send(&framed(0x8001, 0x17B, &[0, 4])[..11])), 0x142);
    assert_eq!(code(&m.plain(0x1FF, &[])), 0x143);
    assert_eq!(code(&m.plain(0x144, &[&[0, 0]])), 0x100);
    assert_eq!(code(&m.send(&[])), 0x09A);
    assert_eq!(code(&m.plain(0x129, &[&OWNER.to_be_bytes(), &sized(b"x")])), 0x125, "authorization is missing");
    assert_eq!(code(&m.plain(0x173, &[&0x8000_0001u32.to_be_bytes()])), 0x910);
    assert_eq!(code(&m.plain(0x173, &[&0x8100_0001u32.to_be_bytes()])), 0x18B);
}

fn passwords_and_transactions(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    m.change_auth(OWNER, b"", b"owner");
    let wrong = m.with(0x129, &[OWNER], &[password(b"other")], &sized(b"x"));
    assert_eq!(code(&wrong), 0x9A2, "hierarchies are not under dictionary-attack protection");
    m.bench.refuse = true;
    let refused = m.with(0x129, &[OWNER], &[password(b"owner")], &sized(b"new"));
    assert_eq!(code(&refused), 0x923);
    m.bench.refuse = false;
    m.change_auth(OWNER, b"owner\0\0", b"again");
}

fn hmac_session_and_its_answer(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    m.change_auth(OWNER, b"", b"owner");
    let (session, nonce_tpm) = m.start_session(0, NULL);
    let parameters = sized(b"next");
    let nonce = [3; 16];
    let cp_hash = sha256(&[&0x129u32.to_be_bytes(), &OWNER.to_be_bytes(), &parameters]);
    let mac = hmac(b"owner", &[&cp_hash, &nonce, &nonce_tpm, &[1]]);
    let mut bad = mac.clone();
    bad[0] ^= 1;
    assert_eq!(code(&m.with(0x129, &[OWNER], &[auth(session, &nonce, 1, &bad)], &parameters)), 0x9A2);
    let response = m.with(0x129, &[OWNER], &[auth(session, &nonce, 1, &mac)], &parameters);
    assert_eq!(code(&response), 0, "{response:02x?}");
    // The answer is under the new authorization value.
    let nonce_new = &response[16..48];
    let rp_hash = sha256(&[&0u32.to_be_bytes(), &0x129u32.to_be_bytes()]);
    assert_eq!(response[51..83], hmac(b"next", &[&rp_hash, nonce_new, &nonce, &[1]]));
    // The old nonce is spent.
    assert_eq!(code(&m.with(0x129, &[OWNER], &[auth(session, &nonce, 1, &mac)], &parameters)), 0x9A2);
}

fn bound_session_uses_its_key(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    m.change_auth(OWNER, b"", b"owner");
    let (session, nonce_tpm) = m.start_session(0, OWNER);
    let key = kdfa(&RUST, HashAlg::Sha256, b"owner", b"ATH", &nonce_tpm, &[7; 32], 256);
    let parameters = sized(b"owner");
    let cp_hash = sha256(&[&0x129u32.to_be_bytes(), &OWNER.to_be_bytes(), &parameters]);
    let mac = hmac(&key, &[&cp_hash, &nonce_tpm, &[0]]);
    let response = m.with(0x129, &[OWNER], &[auth(session, &[], 0, &mac)], &parameters);
    assert_eq!(code(&response), 0, "{response:02x?}");
    // It was not to continue.
    assert_eq!(code(&m.plain(0x165, &[&session.to_be_bytes()])), 0x1CB);
}

fn policy_of_password_and_command(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    let (trial, _) = m.start_session(3, NULL);
    assert_eq!(code(&m.plain(0x18C, &[&trial.to_be_bytes()])), 0);
    assert_eq!(code(&m.plain(0x16C, &[&trial.to_be_bytes(), &0x129u32.to_be_bytes()])), 0);
    let zero = [0u8; 32];
    let first = sha256(&[&zero, &0x16Bu32.to_be_bytes()]);
    let policy = sha256(&[&first, &0x16Cu32.to_be_bytes(), &0x129u32.to_be_bytes()]);
    assert_eq!(m.digest(trial), policy);
    let set = [sized(&policy), 0x0Bu16.to_be_bytes().to_vec()].concat();
    assert_eq!(code(&m.with(0x12E, &[OWNER], &[password(b"")], &set)), 0);
    m.change_auth(OWNER, b"", b"owner");

    let (session, _) = m.start_session(1, NULL);
    let parameters = sized(b"next");
    let attempt =
        |m: &mut Machine, value: &[u8]| code(&m.with(0x129, &[OWNER], &[auth(session, &[], 1, value)], &parameters));
    assert_eq!(attempt(&mut m, b"owner"), 0x99D, "nothing asserted yet");
    assert_eq!(code(&m.plain(0x18C, &[&session.to_be_bytes()])), 0);
    assert_eq!(code(&m.plain(0x16C, &[&session.to_be_bytes(), &0x129u32.to_be_bytes()])), 0);
    assert_eq!(attempt(&mut m, b"wrong"), 0x9A2);
    assert_eq!(attempt(&mut m, b"owner"), 0);
    assert_eq!(m.digest(session), zero, "used policies start again");
    assert_eq!(code(&m.with(0x129, &[OWNER], &[auth(trial, &[], 1, b"")], &parameters)), 0x982);
}

fn lockout_auth_fails_once(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    m.change_auth(LOCKOUT, b"", b"lock");
    let reset = |m: &mut Machine, value: &[u8]| code(&m.with(0x139, &[LOCKOUT], &[password(value)], &[]));
    assert_eq!(reset(&mut m, b"lock"), 0);
    let before = m.bench.commits;
    assert_eq!(reset(&mut m, b"wrong"), 0x98E);
    assert_eq!(m.bench.commits, before + 1, "the failure is durable before the answer");
    assert_eq!(reset(&mut m, b"lock"), 0x921);
    m.bench.now += 999_000;
    assert_eq!(reset(&mut m, b"lock"), 0x921);
    m.bench.now += 2_000;
    assert_eq!(reset(&mut m, b"lock"), 0);
}

fn a_failure_counts_even_without_a_store(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    m.change_auth(LOCKOUT, b"", b"lock");
    m.bench.refuse = true;
    assert_eq!(code(&m.with(0x139, &[LOCKOUT], &[password(b"wrong")], &[])), 0x923);
    m.bench.refuse = false;
    assert_eq!(code(&m.with(0x139, &[LOCKOUT], &[password(b"lock")], &[])), 0x921);
}

fn session_slots_and_contexts(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    let (first, _) = m.start_session(1, NULL);
    assert_eq!(code(&m.plain(0x18C, &[&first.to_be_bytes()])), 0);
    let digest = m.digest(first);
    let saved = m.plain(0x162, &[&first.to_be_bytes()]);
    assert_eq!(code(&saved), 0);
    let context = &saved[10..];
    assert_eq!(code(&m.plain(0x189, &[&first.to_be_bytes()])), 0x910, "saved sessions are not loaded");
    for _ in 0..3 {
        m.start_session(0, NULL);
    }
    assert_eq!(code(&m.plain(0x161, &[context])), 0x903);
    let flushed = m.plain(0x165, &[&0x0200_0001u32.to_be_bytes()]);
    assert_eq!(code(&flushed), 0);
    let mut damaged = context.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(code(&m.plain(0x161, &[&damaged])), 0x1DF);
    let loaded = m.plain(0x161, &[context]);
    assert_eq!((code(&loaded), u32_at(&loaded, 10)), (0, first));
    assert_eq!(m.digest(first), digest);
    let again = m.plain(0x162, &[&first.to_be_bytes()]);
    assert_eq!(code(&again), 0);
    assert_eq!(code(&m.plain(0x161, &[context])), 0x1CB, "a context loads once");
    assert_eq!(code(&m.plain(0x161, &[&again[10..]])), 0);
}

fn audit_session_becomes_exclusive(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    let (session, _) = m.start_session(0, NULL);
    // Without a key the HMAC is empty.
    let audited = m.with(0x17B, &[], &[auth(session, &[], 0x81, b"")], &8u16.to_be_bytes());
    assert_eq!(code(&audited), 0, "{audited:02x?}");
    assert_eq!(audited[audited.len() - 3], 0x83, "exclusive");
    assert_eq!(code(&m.plain(0x17B, &[&8u16.to_be_bytes()])), 0);
    let wants = m.with(0x17B, &[], &[auth(session, &[], 0x83, b"")], &8u16.to_be_bytes());
    assert_eq!(code(&wants), 0x121);
    let audited = m.with(0x17B, &[], &[auth(session, &[], 0x81, b"")], &8u16.to_be_bytes());
    assert_eq!(audited[audited.len() - 3], 0x81, "another command came between");
}

fn saved_sessions_survive_a_restart_and_loaded_ones_do_not(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    let (saved, _) = m.start_session(1, NULL);
    let context = m.plain(0x162, &[&saved.to_be_bytes()])[10..].to_vec();
    let (loaded, _) = m.start_session(0, NULL);
    // Shutdown(STATE), then Startup(STATE), a TPM Resume, and Startup(CLEAR), a TPM Restart.
    for kind in [1u16, 0] {
        assert_eq!(code(&m.plain(0x145, &[&1u16.to_be_bytes()])), 0);
        m.tpm.power_on(&mut m.bench);
        assert_eq!(code(&m.plain(0x144, &[&kind.to_be_bytes()])), 0);
        let handles = m.plain(0x17A, &[&1u32.to_be_bytes(), &0x0200_0000u32.to_be_bytes(), &9u32.to_be_bytes()]);
        assert_eq!(u32_at(&handles, 15), 0, "no session is loaded");
        let flushed = m.plain(0x165, &[&loaded.to_be_bytes()]);
        assert_eq!(code(&flushed), 0x1CB, "{flushed:02x?}");
    }
    assert_eq!(code(&m.plain(0x161, &[&context])), 0);
    m.tpm.power_on(&mut m.bench);
    assert_eq!(code(&m.plain(0x144, &[&0u16.to_be_bytes()])), 0);
    assert_eq!(code(&m.plain(0x161, &[&context])), 0x1DF, "a TPM Reset ends all sessions");
}
