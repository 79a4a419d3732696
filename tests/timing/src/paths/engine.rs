//! Guesses of an authorization value, as commands to a whole engine.

use super::{Path, flat};
use crate::subject::{Random, Subject, choose};
use core::hint::black_box;
use sealwright_core::{Engine, Platform, PlatformFault};
use sealwright_crypto::{Crypto, HashAlg, RUST};
use sealwright_crypto_native::NATIVE;
use sealwright_tpm2::Tpm2;

/// Bytes of an authorization value, and of an HMAC.
const SIZE: usize = 32;
const OWNER: u32 = 0x4000_0001;
const NULL: u32 = 0x4000_0007;
const PASSWORD: u32 = 0x4000_0009;
const UNSEAL: u32 = 0x15E;
/// TPM_RC_BAD_AUTH for the first session: the object is exempt from the protection against guessing.
const BAD_AUTH: [u8; 4] = [0, 0, 0x09, 0xA2];

struct Host(Random);

impl Platform for Host {
    fn entropy(&mut self, out: &mut [u8]) -> Result<(), PlatformFault> {
        sealwright_crypto::Random::fill(&mut self.0, out);
        Ok(())
    }
    fn now(&mut self) -> u64 {
        0
    }
    fn commit(&mut self, _: &[u8]) -> Result<(), PlatformFault> {
        Ok(())
    }
}

/// An engine with a sealed object.
struct Machine {
    engine: Tpm2,
    host: Host,
    response: [u8; 4096],
    object: u32,
    name: Vec<u8>,
    auth: Vec<u8>,
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

/// One entry of an authorization area.
fn authorization(session: u32, nonce: &[u8], attributes: u8, value: &[u8]) -> Vec<u8> {
    [&session.to_be_bytes()[..], &sized(nonce), &[attributes], &sized(value)].concat()
}

fn command(code: u32, handles: &[u32], authorization: Option<&[u8]>, parameters: &[u8]) -> Vec<u8> {
    let mut body: Vec<u8> = handles.iter().flat_map(|handle| handle.to_be_bytes()).collect();
    if let Some(entry) = authorization {
        body.extend((entry.len() as u32).to_be_bytes());
        body.extend(entry);
    }
    body.extend(parameters);
    let tag: u16 = if authorization.is_some() { 0x8002 } else { 0x8001 };
    [&tag.to_be_bytes()[..], &(body.len() as u32 + 10).to_be_bytes(), &code.to_be_bytes(), &body].concat()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.iter().skip(at).take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// The bytes of the sized field at `at`, and where it ends.
fn field(bytes: &[u8], at: usize) -> (&[u8], usize) {
    let end = at + 2 + (u32_at(bytes, at) >> 16) as usize;
    (bytes.get(at + 2..end).unwrap_or_default(), end)
}

impl Machine {
    fn new(crypto: &'static Crypto, random: &mut Random) -> Result<Self, String> {
        let mut host = Host(Random(random.next()));
        let mut engine = Tpm2::manufacture(crypto, &mut host).map_err(|e| format!("no TPM: {e:?}"))?;
        engine.power_on(&mut host);
        let mut auth = random.bytes(SIZE);
        // No zeros at its end, which would be cut off.
        auth.splice(SIZE - 1.., [0xA5]);
        let mut machine = Self { engine, host, response: [0; 4096], object: 0, name: Vec::new(), auth };
        machine.must(&command(0x144, &[], None, &[0, 0]))?;
        // KEYEDHASH, SHA-256, fixedTPM | fixedParent | userWithAuth | noDA, no policy, no scheme.
        let public = [0, 8, 0, 0x0B, 0, 0, 4, 0x52, 0, 0, 0, 0x10, 0, 0];
        let sensitive = [sized(&machine.auth), sized(&random.bytes(32))].concat();
        let parameters = [sized(&sensitive), sized(&public), vec![0; 6]].concat();
        let empty = authorization(PASSWORD, &[], 1, &[]);
        let made = machine.must(&command(0x131, &[OWNER], Some(&empty), &parameters))?;
        machine.object = u32_at(&made, 10);
        // Public area, creation data, creation hash, ticket (tag, hierarchy, digest), name.
        let (_, at) = field(&made, 18);
        let (_, at) = field(&made, at);
        let (_, at) = field(&made, at);
        let (_, at) = field(&made, at + 6);
        machine.name = field(&made, at).0.to_vec();
        Ok(machine)
    }

    fn run(&mut self, command: &[u8]) -> usize {
        self.engine.execute(&mut self.host, 0, command, &mut self.response)
    }

    fn must(&mut self, command: &[u8]) -> Result<Vec<u8>, String> {
        let length = self.run(command);
        let response = self.response.get(..length).unwrap_or_default().to_vec();
        match response.get(6..10) {
            Some(&[0, 0, 0, 0]) => Ok(response),
            _ => Err(format!("a command was refused: {command:02x?}: {response:02x?}")),
        }
    }
}

/// Unseal with a value that is wrong in its last byte only, or in all.
struct Guess {
    machine: Machine,
    command: Vec<u8>,
    /// Where the value is in the command.
    at: usize,
    near: Vec<u8>,
    value: Vec<u8>,
}

impl Subject for Guess {
    fn prepare(&mut self, class: bool, random: &mut Random) {
        let mut far = random.bytes(SIZE);
        if let Some(last) = far.last_mut() {
            // Zeros at the end of a guess are cut off, and a shorter one is compared sooner: that is the guesser's own doing.
            *last |= 1;
        }
        choose(class, &self.near, &far, &mut self.value);
        for (to, from) in self.command.iter_mut().skip(self.at).zip(&self.value) {
            *to = *from;
        }
    }
    fn run(&mut self) {
        black_box(self.machine.run(black_box(&self.command)));
    }
}

/// Guesses of the value at the end of a command.
fn guess(mut machine: Machine, command: Vec<u8>, right: &[u8]) -> Result<Box<dyn Subject>, String> {
    let at = command.len() - SIZE;
    let mut near = right.to_vec();
    if let Some(last) = near.last_mut() {
        *last ^= 1;
    }
    let mut wrong = command.clone();
    wrong.splice(at.., near.iter().copied());
    let length = machine.run(&wrong);
    if machine.response.get(6..10) != Some(&BAD_AUTH) {
        return Err(format!("a wrong value was not refused: {:02x?}", machine.response.get(..length)));
    }
    Ok(Box::new(Guess { machine, command, at, near, value: vec![0; SIZE] }))
}

fn password(crypto: &'static Crypto, random: &mut Random) -> Result<Box<dyn Subject>, String> {
    let mut machine = Machine::new(crypto, random)?;
    let right = machine.auth.clone();
    let unseal = command(UNSEAL, &[machine.object], Some(&authorization(PASSWORD, &[], 1, &right)), &[]);
    machine.must(&unseal)?;
    guess(machine, unseal, &right)
}

/// In an HMAC session that is neither bound nor salted: the authorization value is the key.
fn hmac(crypto: &'static Crypto, random: &mut Random) -> Result<Box<dyn Subject>, String> {
    let mut machine = Machine::new(crypto, random)?;
    let nonce = random.bytes(SIZE);
    let parameters = [&sized(&nonce)[..], &[0, 0, 0, 0, 0x10, 0, 0x0B]].concat();
    let made = machine.must(&command(0x176, &[NULL, NULL], None, &parameters))?;
    let (session, object) = (u32_at(&made, 10), machine.object);
    let parameters = RUST.hash.digest(HashAlg::Sha256, &[&UNSEAL.to_be_bytes(), &machine.name]);
    let (auth, attributes) = (machine.auth.clone(), 1);
    let unseal = |nonce_tpm: &[u8]| {
        let parts: [&[u8]; 4] = [&parameters, &nonce, nonce_tpm, &[attributes]];
        let right = RUST.hash.hmac(HashAlg::Sha256, &auth, &parts).to_vec();
        let entry = authorization(session, &nonce, attributes, &right);
        (command(UNSEAL, &[object], Some(&entry), &[]), right)
    };
    // The right value opens the object, and the session gets another nonce, which a refusal leaves: after the size of
    // the parameters and the data.
    let opened = machine.must(&unseal(field(&made, 14).0).0)?;
    let (_, at) = field(&opened, 14);
    let (unseal, right) = unseal(field(&opened, at).0);
    guess(machine, unseal, &right)
}

pub(super) fn paths() -> Vec<Path> {
    let classes = "wrong in the last byte, in all";
    let each = |crypto: &'static Crypto| {
        let name = |what: &str| format!("Unseal, {} provider: {what}", crypto.name);
        vec![
            flat(name("wrong password"), classes, 200_000, move |random| password(crypto, random)),
            flat(name("wrong HMAC"), classes, 200_000, move |random| hmac(crypto, random)),
        ]
    };
    [each(&NATIVE), each(&RUST)].into_iter().flatten().collect()
}
