//! What the engine itself takes for a command, in this process and on the portable provider: no socket, no storage.
//!
//! `cargo bench -p sealwright-tpm2 [FILTER]` prints nanoseconds; `cargo xtask bench` measures whole daemons.

use sealwright_core::{Engine, Platform, PlatformFault};
use sealwright_crypto::RUST;
use sealwright_tpm2::Tpm2;
use std::time::Instant;

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

/// A command: code, handles, password authorizations for them if any, parameters.
fn command(code: u32, handles: &[u32], passwords: usize, parameters: &[u8]) -> Vec<u8> {
    let mut body: Vec<u8> = handles.iter().flat_map(|handle| handle.to_be_bytes()).collect();
    if passwords > 0 {
        body.extend((9 * passwords as u32).to_be_bytes());
        body.extend([0x40, 0, 0, 9, 0, 0, 1, 0, 0].repeat(passwords));
    }
    body.extend(parameters);
    let tag: u16 = if passwords > 0 { 0x8002 } else { 0x8001 };
    let size = body.len() as u32 + 10;
    [&tag.to_be_bytes()[..], &size.to_be_bytes(), &code.to_be_bytes(), &body].concat()
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

struct Machine {
    engine: Tpm2,
    host: Host,
    response: Vec<u8>,
}

impl Machine {
    fn new() -> Self {
        let mut host = Host(100_000);
        let mut engine = Tpm2::manufacture(&RUST, &mut host).expect("the host refuses nothing");
        engine.power_on(&mut host);
        let mut machine = Self { engine, host, response: vec![0; 4096] };
        machine.run(&command(0x144, &[], 0, &[0, 0]));
        machine
    }

    fn run(&mut self, command: &[u8]) -> &[u8] {
        let length = self.engine.execute(&mut self.host, 0, command, &mut self.response);
        let response = &self.response[..length];
        assert_eq!(response[6..10], [0; 4], "{command:x?}");
        response
    }

    fn handle(&mut self, command: &[u8]) -> u32 {
        u32::from_be_bytes(self.run(command)[10..14].try_into().expect("a handle"))
    }
}

const FLUSH: u32 = 0x165;

/// Median nanoseconds of `repeat`, in blocks.
fn measure(name: &str, mut repeat: impl FnMut()) {
    let mut times: Vec<f64> = (0..101)
        .map(|_| {
            let begin = Instant::now();
            for _ in 0..100 {
                repeat();
            }
            begin.elapsed().as_nanos() as f64 / 100.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{name:40} {:>9.0} ns", times[50]);
}

fn main() {
    let filters: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let wanted = |name: &str| filters.is_empty() || filters.iter().any(|f| name.contains(f.as_str()));
    let banks = |algs: &[(u16, usize)]| {
        let digests = algs.iter().flat_map(|(alg, size)| [&alg.to_be_bytes()[..], &vec![7; *size]].concat());
        [&(algs.len() as u32).to_be_bytes()[..], &digests.collect::<Vec<_>>()].concat()
    };
    // A sealed object under a P-256 storage key.
    let storage = [0, 0x23, 0, 0x0B, 0, 3, 4, 0x72, 0, 0, 0, 6, 0, 128, 0, 0x43, 0, 0x10, 0, 3, 0, 0x10, 0, 0, 0, 0];
    let sealed = [0, 8, 0, 0x0B, 0, 0, 4, 0x52, 0, 0, 0, 0x10, 0, 0];
    let create = |data: &[u8], template: &[u8]| {
        let sensitive = [sized(&[]), sized(data)].concat();
        [sized(&sensitive), sized(template), vec![0; 6]].concat()
    };
    let index = [&0x0150_0000u32.to_be_bytes()[..], &[0, 0x0B, 0, 6, 0, 6, 0, 0, 0, 32]].concat();
    let pcrs = [0, 0, 0, 1, 0, 0x0B, 3, 0xFF, 0, 0];
    let session = [&sized(&[1; 16])[..], &[0, 0, 0, 0, 0x10, 0, 0x0B]].concat();

    let mut m = Machine::new();
    let parent = m.handle(&command(0x131, &[0x4000_0001], 1, &create(&[], &storage)));
    let made = m.run(&command(0x153, &[parent], 1, &create(&[1; 32], &sealed)))[14..].to_vec();
    let private = 2 + usize::from(u16::from_be_bytes([made[0], made[1]]));
    let public = 2 + usize::from(u16::from_be_bytes([made[private], made[private + 1]]));
    let blobs = made[..private + public].to_vec();
    let object = m.handle(&command(0x157, &[parent], 1, &blobs));
    m.run(&command(0x12A, &[0x4000_0001], 1, &[sized(&[]), sized(&index)].concat()));
    m.run(&command(0x137, &[0x0150_0000, 0x0150_0000], 1, &[sized(&[3; 32]), vec![0, 0]].concat()));

    let one = [(0x0B, 32)];
    let four = [(4, 20), (0x0B, 32), (0x0C, 48), (0x0D, 64)];
    let rows = [
        ("GetRandom(32)", command(0x17B, &[], 0, &[0, 32])),
        ("ReadClock", command(0x181, &[], 0, &[])),
        ("GetCapability(properties)", command(0x17A, &[], 0, &[0, 0, 0, 6, 0, 0, 1, 0, 0, 0, 0, 64])),
        ("PCR_Read", command(0x17E, &[], 0, &pcrs)),
        ("PCR_Extend (sha256)", command(0x182, &[16], 1, &banks(&one))),
        ("PCR_Extend (4 banks)", command(0x182, &[16], 1, &banks(&four))),
        ("Hash 1 KiB sha256", command(0x17D, &[], 0, &[sized(&[1; 1024]), vec![0, 0x0B, 0x40, 0, 0, 7]].concat())),
        ("Unseal", command(0x15E, &[object], 1, &[])),
        ("ReadPublic", command(0x173, &[object], 0, &[])),
        ("NV_Read", command(0x14E, &[0x0150_0000, 0x0150_0000], 1, &[0, 32, 0, 0])),
        ("NV_Write", command(0x137, &[0x0150_0000, 0x0150_0000], 1, &[sized(&[3; 32]), vec![0, 0]].concat())),
        ("ContextSave (P-256)", command(0x162, &[parent], 0, &[])),
        ("Create sealed", command(0x153, &[parent], 1, &create(&[1; 32], &sealed))),
    ];
    for (name, bytes) in rows.iter().filter(|(name, _)| wanted(name)) {
        measure(name, || {
            m.run(bytes);
        });
    }
    let pairs = [
        ("StartAuthSession + FlushContext", command(0x176, &[0x4000_0007; 2], 0, &session)),
        ("Load sealed + FlushContext", command(0x157, &[parent], 1, &blobs)),
    ];
    for (name, bytes) in pairs.iter().filter(|(name, _)| wanted(name)) {
        measure(name, || {
            let handle = m.handle(bytes);
            m.run(&command(FLUSH, &[], 0, &handle.to_be_bytes()));
        });
    }
}
