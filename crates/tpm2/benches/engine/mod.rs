//! The engine alone with the commands that are measured: no socket, no storage, a clock and entropy that are always the
//! same.

use sealwright_core::{Engine, Platform, PlatformFault};
use sealwright_crypto::{Crypto, HashAlg};
use sealwright_tpm2::Tpm2;

struct Host(u64);

impl Platform for Host {
    fn entropy(&mut self, out: &mut [u8]) -> Result<(), PlatformFault> {
        out.fill(7);
        Ok(())
    }
    fn now(&mut self) -> u64 {
        self.0 += 1;
        self.0 / 100
    }
    fn commit(&mut self, _: &[u8]) -> Result<(), PlatformFault> {
        Ok(())
    }
}

/// A TPM that is switched on and started.
pub(crate) struct Machine {
    engine: Tpm2,
    host: Host,
    response: Vec<u8>,
}

/// A command that can be repeated, and what has to be removed after each time.
pub(crate) struct Repeated {
    command: Vec<u8>,
    /// The answer begins with a handle, which is flushed.
    flush: bool,
}

/// Makes the objects that a command needs, and the command.
type Prepare = fn(&mut Machine) -> Repeated;

/// A command by its name.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) prepare: Prepare,
}

const OWNER: u32 = 0x4000_0001;
const NULL: u32 = 0x4000_0007;
const INDEX: u32 = 0x0150_0000;

/// Everything that is measured.
pub(crate) const ROWS: &[Row] = &[
    Row { name: "GetRandom(32)", prepare: |_| once(command(0x17B, &[], 0, &[0, 32])) },
    Row { name: "ReadClock", prepare: |_| once(command(0x181, &[], 0, &[])) },
    Row {
        name: "GetCapability(properties)",
        prepare: |_| once(command(0x17A, &[], 0, &[0, 0, 0, 6, 0, 0, 1, 0, 0, 0, 0, 64])),
    },
    Row {
        name: "PCR_Read (8 of sha256)",
        prepare: |_| once(command(0x17E, &[], 0, &[0, 0, 0, 1, 0, 0x0B, 3, 0xFF, 0, 0])),
    },
    Row { name: "PCR_Extend (sha256)", prepare: |_| once(command(0x182, &[16], 1, &banks(&[HashAlg::Sha256]))) },
    Row { name: "PCR_Extend (4 banks)", prepare: |_| once(command(0x182, &[16], 1, &banks(&HashAlg::ALL))) },
    Row { name: "PCR_Event (256 B)", prepare: |_| once(command(0x13C, &[16], 1, &sized(&[3; 256]))) },
    Row {
        name: "Hash 1 KiB sha256",
        prepare: |_| once(command(0x17D, &[], 0, &[sized(&[1; 1024]), vec![0, 0x0B, 0x40, 0, 0, 7]].concat())),
    },
    Row {
        name: "Hash 1 KiB sha512",
        prepare: |_| once(command(0x17D, &[], 0, &[sized(&[1; 1024]), vec![0, 0x0D, 0x40, 0, 0, 7]].concat())),
    },
    Row {
        name: "EncryptDecrypt2 (1 KiB AES-128-CFB)",
        prepare: |m| {
            let key = m.primary(&symmetric());
            let parameters = [sized(&[4; 1024]), vec![0, 0, 0x43], sized(&[0; 16])].concat();
            once(command(0x193, &[key], 1, &parameters))
        },
    },
    Row {
        name: "HMAC (1 KiB)",
        prepare: |m| {
            let key = m.primary(&keyed());
            once(command(0x155, &[key], 1, &[sized(&[5; 1024]), vec![0, 0x10]].concat()))
        },
    },
    Row { name: "StartAuthSession + FlushContext", prepare: |_| flushed(command(0x176, &[NULL; 2], 0, &session())) },
    Row { name: "NV_Read (32 B)", prepare: |m| once(command(0x14E, &[m.index(); 2], 1, &[0, 32, 0, 0])) },
    Row {
        name: "NV_Write (32 B)",
        prepare: |m| once(command(0x137, &[m.index(); 2], 1, &[sized(&[3; 32]), vec![0, 0]].concat())),
    },
    Row {
        name: "Unseal",
        prepare: |m| {
            let object = m.loaded(&sealed(), &[1; 32]);
            once(command(0x15E, &[object], 1, &[]))
        },
    },
    Row {
        name: "ReadPublic",
        prepare: |m| {
            let parent = m.primary(&storage());
            once(command(0x173, &[parent], 0, &[]))
        },
    },
    Row {
        name: "Create sealed (32 B)",
        prepare: |m| {
            let parent = m.primary(&storage());
            once(command(0x153, &[parent], 1, &creation(&[1; 32], &sealed())))
        },
    },
    Row { name: "Load sealed + FlushContext", prepare: |m| m.load(&sealed(), &[1; 32]) },
    Row { name: "Load P-256 + FlushContext", prepare: |m| m.load(&signing(3), &[]) },
    Row {
        name: "ContextSave (P-256)",
        prepare: |m| {
            let parent = m.primary(&storage());
            once(command(0x162, &[parent], 0, &[]))
        },
    },
    Row {
        name: "CreatePrimary P-256 SRK + FlushContext",
        prepare: |_| flushed(command(0x131, &[OWNER], 1, &creation(&[], &storage()))),
    },
    Row {
        name: "Sign ECDSA P-256",
        prepare: |m| {
            let key = m.primary(&signing(3));
            once(command(0x15D, &[key], 1, &to_sign()))
        },
    },
    Row { name: "VerifySignature P-256", prepare: |m| m.verify(3, 32) },
    Row { name: "VerifySignature P-384", prepare: |m| m.verify(4, 48) },
    Row {
        name: "Sign RSA-2048 RSASSA",
        prepare: |m| {
            let key = m.primary(&signing_rsa());
            once(command(0x15D, &[key], 1, &to_sign()))
        },
    },
];

impl Machine {
    /// A fresh TPM on a provider.
    pub(crate) fn new(crypto: &'static Crypto) -> Self {
        let mut host = Host(100_000);
        let mut engine = Tpm2::manufacture(crypto, &mut host).expect("the host refuses nothing");
        engine.power_on(&mut host);
        let mut machine = Self { engine, host, response: vec![0; 4096] };
        machine.run(&command(0x144, &[], 0, &[0, 0]));
        machine
    }

    /// Runs a command that must succeed, and what cleans up after it.
    pub(crate) fn repeat(&mut self, repeated: &Repeated) {
        let response = self.run(&repeated.command);
        if repeated.flush {
            let handle = word(&response[10..]);
            self.run(&command(0x165, &[], 0, &handle.to_be_bytes()));
        }
    }

    fn run(&mut self, command: &[u8]) -> &[u8] {
        let length = self.engine.execute(&mut self.host, 0, command, &mut self.response);
        let response = &self.response[..length];
        assert_eq!(response[6..10], [0; 4], "{command:x?}");
        response
    }

    fn handle(&mut self, command: &[u8]) -> u32 {
        word(&self.run(command)[10..])
    }

    fn primary(&mut self, template: &[u8]) -> u32 {
        self.handle(&command(0x131, &[OWNER], 1, &creation(&[], template)))
    }

    /// Loads a new child of a new parent again and again.
    fn load(&mut self, template: &[u8], data: &[u8]) -> Repeated {
        let parent = self.primary(&storage());
        let made = self.run(&command(0x153, &[parent], 1, &creation(data, template)))[14..].to_vec();
        let size = |at: usize| 2 + usize::from(u16::from_be_bytes([made[at], made[at + 1]]));
        let private = size(0);
        flushed(command(0x157, &[parent], 1, &made[..private + size(private)]))
    }

    fn loaded(&mut self, template: &[u8], data: &[u8]) -> u32 {
        let load = self.load(template, data);
        self.handle(&load.command)
    }

    /// The verification of a signature by a new key, whose numbers have `size` bytes.
    fn verify(&mut self, curve: u8, size: usize) -> Repeated {
        let key = self.primary(&signing(curve));
        let signature = self.run(&command(0x15D, &[key], 1, &to_sign()))[14..][..8 + 2 * size].to_vec();
        once(command(0x177, &[key], 0, &[sized(&[5; 32]), signature].concat()))
    }

    /// A written index of 32 bytes.
    fn index(&mut self) -> u32 {
        let public = [&INDEX.to_be_bytes()[..], &[0, 0x0B, 0, 6, 0, 6, 0, 0, 0, 32]].concat();
        self.run(&command(0x12A, &[OWNER], 1, &[sized(&[]), sized(&public)].concat()));
        self.run(&command(0x137, &[INDEX; 2], 1, &[sized(&[2; 32]), vec![0, 0]].concat()));
        INDEX
    }
}

fn once(command: Vec<u8>) -> Repeated {
    Repeated { command, flush: false }
}

fn flushed(command: Vec<u8>) -> Repeated {
    Repeated { command, flush: true }
}

/// A command: code, handles, as many authorizations with empty passwords, parameters. `authorized` is how many handles need
/// one; of two NV handles the first does.
fn command(code: u32, handles: &[u32], authorized: usize, parameters: &[u8]) -> Vec<u8> {
    let mut body: Vec<u8> = handles.iter().flat_map(|handle| handle.to_be_bytes()).collect();
    if authorized > 0 {
        body.extend((9 * authorized as u32).to_be_bytes());
        body.extend([0x40, 0, 0, 9, 0, 0, 1, 0, 0].repeat(authorized));
    }
    body.extend(parameters);
    let tag: u16 = if authorized > 0 { 0x8002 } else { 0x8001 };
    let size = body.len() as u32 + 10;
    [&tag.to_be_bytes()[..], &size.to_be_bytes(), &code.to_be_bytes(), &body].concat()
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().expect("four bytes"))
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

fn banks(algs: &[HashAlg]) -> Vec<u8> {
    let digests = algs.iter().flat_map(|alg| [&alg.id().to_be_bytes()[..], &vec![7; alg.size()]].concat());
    [&(algs.len() as u32).to_be_bytes()[..], &digests.collect::<Vec<_>>()].concat()
}

/// Parameters of TPM2_CreatePrimary and TPM2_Create.
fn creation(data: &[u8], template: &[u8]) -> Vec<u8> {
    let sensitive = [sized(&[]), sized(data)].concat();
    [sized(&sensitive), sized(template), vec![0; 6]].concat()
}

/// A P-256 storage key.
fn storage() -> Vec<u8> {
    vec![0, 0x23, 0, 0x0B, 0, 3, 4, 0x72, 0, 0, 0, 6, 0, 128, 0, 0x43, 0, 0x10, 0, 3, 0, 0x10, 0, 0, 0, 0]
}

fn sealed() -> Vec<u8> {
    vec![0, 8, 0, 0x0B, 0, 0, 4, 0x52, 0, 0, 0, 0x10, 0, 0]
}

/// An ECDSA key with SHA-256.
fn signing(curve: u8) -> Vec<u8> {
    vec![0, 0x23, 0, 0x0B, 0, 4, 4, 0x72, 0, 0, 0, 0x10, 0, 0x18, 0, 0x0B, 0, curve, 0, 0x10, 0, 0, 0, 0]
}

/// An RSASSA key of 2048 bits with SHA-256.
fn signing_rsa() -> Vec<u8> {
    vec![0, 1, 0, 0x0B, 0, 4, 4, 0x72, 0, 0, 0, 0x10, 0, 0x14, 0, 0x0B, 8, 0, 0, 0, 0, 0, 0, 0]
}

/// An AES-128 key without a mode of its own, to encrypt and to decrypt.
fn symmetric() -> Vec<u8> {
    vec![0, 0x25, 0, 0x0B, 0, 6, 4, 0x72, 0, 0, 0, 6, 0, 128, 0, 0x43, 0, 0]
}

/// An HMAC key with SHA-256.
fn keyed() -> Vec<u8> {
    vec![0, 8, 0, 0x0B, 0, 4, 4, 0x72, 0, 0, 0, 5, 0, 0x0B, 0, 0]
}

/// A digest in the key's own scheme.
fn to_sign() -> Vec<u8> {
    [sized(&[5; 32]), vec![0, 0x10, 0x80, 0x24, 0x40, 0, 0, 7, 0, 0]].concat()
}

/// Parameters of an HMAC session.
fn session() -> Vec<u8> {
    [&sized(&[1; 16])[..], &[0, 0, 0, 0, 0x10, 0, 0x0B]].concat()
}
