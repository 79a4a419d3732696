//! Many TPMs in one process, as a VMM or a paravisor may have them: each engine is a value, with a host of its own that
//! keeps its state in memory.
//!
//! `cargo run --release -p sealwright-tpm2 --example many_engines -- [COUNT] [native|rust]` makes COUNT states, restores
//! an engine from each, and prints what they take.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "an example ends at the first thing that goes wrong")]

use core::time::Duration;
use sealwright_core::{Engine, Platform, PlatformFault};
use sealwright_crypto::{Crypto, RUST};
use sealwright_crypto_native::NATIVE;
use sealwright_tpm2::Tpm2;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::time::Instant;

/// What one TPM has of the host: entropy, time, and a place for its state.
struct Host {
    entropy: Arc<File>,
    begin: Instant,
    /// The last committed state. A real host writes it to a disk before `commit` returns.
    state: Vec<u8>,
}

impl Platform for Host {
    fn entropy(&mut self, out: &mut [u8]) -> Result<(), PlatformFault> {
        (&*self.entropy).read_exact(out).map_err(|_| PlatformFault::Entropy)
    }
    fn now(&mut self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
    fn commit(&mut self, state: &[u8]) -> Result<(), PlatformFault> {
        self.state = state.to_vec();
        Ok(())
    }
}

/// A TPM with its host.
struct Vtpm {
    engine: Tpm2,
    host: Host,
}

impl Vtpm {
    fn new(crypto: &'static Crypto, entropy: &Arc<File>) -> Self {
        let mut host = Host { entropy: entropy.clone(), begin: Instant::now(), state: Vec::new() };
        let engine = Tpm2::manufacture(crypto, &mut host).expect("the host refuses nothing");
        Self { engine, host }.powered()
    }

    /// From what [`Platform::commit`] was given.
    fn restored(crypto: &'static Crypto, entropy: &Arc<File>, state: Vec<u8>) -> Self {
        let engine = Tpm2::restore(crypto, &state).expect("a state that was committed");
        Self { engine, host: Host { entropy: entropy.clone(), begin: Instant::now(), state } }.powered()
    }

    fn powered(mut self) -> Self {
        self.engine.power_on(&mut self.host);
        self.run(&command(STARTUP, &[], &[0, 0]), &mut [0; 4096]);
        self
    }

    /// Runs a command that has to succeed; its response is in the buffer.
    fn run<'a>(&mut self, command: &[u8], response: &'a mut [u8]) -> &'a [u8] {
        let length = self.engine.execute(&mut self.host, 0, command, response);
        assert_eq!(response[6..10], [0; 4], "{command:02x?} is refused: {:02x?}", &response[..length]);
        &response[..length]
    }
}

const STARTUP: u32 = 0x144;
const SHUTDOWN: u32 = 0x145;
const OWNER: u32 = 0x4000_0001;
const INDEX: u32 = 0x0150_0000;

/// A command; handles are authorized by the empty password, all but those of commands without authorizations.
fn command(code: u32, handles: &[u32], parameters: &[u8]) -> Vec<u8> {
    let mut body: Vec<u8> = handles.iter().flat_map(|handle| handle.to_be_bytes()).collect();
    let tag: u16 = if handles.is_empty() { 0x8001 } else { 0x8002 };
    if !handles.is_empty() {
        body.extend([0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 1, 0, 0]);
    }
    body.extend(parameters);
    let size = u32::try_from(body.len() + 10).expect("a short command");
    [&tag.to_be_bytes()[..], &size.to_be_bytes(), &code.to_be_bytes(), &body].concat()
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).expect("a short field").to_be_bytes()[..], bytes].concat()
}

/// CreatePrimary of a storage key on P-256.
fn primary() -> Vec<u8> {
    let key = [0, 0x23, 0, 0x0B, 0, 3, 4, 0x72, 0, 0, 0, 6, 0, 128, 0, 0x43, 0, 0x10, 0, 3, 0, 0x10, 0, 0, 0, 0];
    command(0x131, &[OWNER], &[sized(&[0; 4]), sized(&key), vec![0; 6]].concat())
}

/// PCR_Extend of PCR 16 in four banks.
fn extend() -> Vec<u8> {
    let banks = [(4u16, 20), (0x0B, 32), (0x0C, 48), (0x0D, 64)];
    let digests = banks.iter().flat_map(|(bank, size)| [&bank.to_be_bytes()[..], &vec![7; *size]].concat());
    command(0x182, &[16], &[&4u32.to_be_bytes()[..], &digests.collect::<Vec<_>>()].concat())
}

/// Gives a TPM what a VM's has: a kilobyte in NV, such as a certificate, and a persistent key. Its committed state.
fn furnished(mut vtpm: Vtpm, content: u8) -> Vec<u8> {
    let mut response = [0; 4096];
    let public = [&INDEX.to_be_bytes()[..], &[0, 0x0B, 0, 6, 0, 6, 0, 0, 4, 0]].concat();
    vtpm.run(&command(0x12A, &[OWNER], &[sized(&[]), sized(&public)].concat()), &mut response);
    for offset in [0u16, 512] {
        let parameters = [&sized(&[content; 512])[..], &offset.to_be_bytes()].concat();
        // One of the two handles is authorized.
        let mut write = command(0x137, &[INDEX], &parameters);
        write.splice(10..10, INDEX.to_be_bytes());
        let size = u32::try_from(write.len()).expect("a short command");
        write[2..6].copy_from_slice(&size.to_be_bytes());
        vtpm.run(&write, &mut response);
    }
    let key = vtpm.run(&primary(), &mut response)[10..14].to_vec();
    let mut evict = command(0x120, &[OWNER], &0x8100_0001u32.to_be_bytes());
    evict.splice(14..14, key.iter().copied());
    let size = u32::try_from(evict.len()).expect("a short command");
    evict[2..6].copy_from_slice(&size.to_be_bytes());
    vtpm.run(&evict, &mut response);
    vtpm.run(&command(SHUTDOWN, &[], &[0, 0]), &mut response);
    vtpm.host.state
}

/// KiB that this process has for itself.
fn own_memory() -> f64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|value| value.parse().ok()).unwrap_or(0.0)
}

fn say(name: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_nanos() as f64 / 1000.0;
    println!("{name}, us, median: {:.2}", at(50));
    println!("{name}, us, p99: {:.2}", at(99));
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let count: usize = arguments.first().map_or(1000, |text| text.parse().expect("a number of engines"));
    let crypto = match arguments.get(1).map(String::as_str) {
        None | Some("native") => &NATIVE,
        Some("rust") => &RUST,
        Some(other) => panic!("{other} is no provider; native and rust are"),
    };
    let entropy = Arc::new(File::open("/dev/urandom").expect("a source of entropy"));
    let states: Vec<_> = (0..count).map(|i| furnished(Vtpm::new(crypto, &entropy), i as u8)).collect();
    println!("engines: {count}");
    println!("state, each, bytes: {}", states.iter().map(Vec::len).sum::<usize>() / count.max(1));

    let before = own_memory();
    let begin = Instant::now();
    let mut times = Vec::with_capacity(count);
    let mut vtpms: Vec<Vtpm> = Vec::with_capacity(count);
    for state in states {
        let begin = Instant::now();
        vtpms.push(Vtpm::restored(crypto, &entropy, state));
        times.push(begin.elapsed());
    }
    println!("start of all, ms: {:.2}", begin.elapsed().as_secs_f64() * 1000.0);
    say("restore, power on, Startup of one", &mut times);
    println!("engine, each, KiB: {:.1}", (own_memory() - before) / count as f64);
    println!("of it the value itself, bytes: {}", size_of::<Tpm2>());

    let mut response = [0; 4096];
    let mut rows = vec![("GetRandom(32)", command(0x17B, &[], &[0, 32])), ("PCR_Extend, 4 banks", extend())];
    rows.push(("ReadClock", command(0x181, &[], &[])));
    for (name, bytes) in &rows {
        // One engine again and again, then each in turn, whose memory is then cold.
        let mut one = Vec::with_capacity(10_000);
        for _ in 0..10_000 {
            let begin = Instant::now();
            vtpms[0].run(bytes, &mut response);
            one.push(begin.elapsed());
        }
        say(&format!("{name}, the same engine"), &mut one);
        let mut all = Vec::with_capacity(count * 10);
        for _ in 0..10 {
            for vtpm in &mut vtpms {
                let begin = Instant::now();
                vtpm.run(bytes, &mut response);
                all.push(begin.elapsed());
            }
        }
        say(&format!("{name}, each engine in turn"), &mut all);
    }
    println!("engine after work, each, KiB: {:.1}", (own_memory() - before) / count as f64);

    // Engines are `Send`: threads of one process share them out.
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let rounds = 20;
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for share in vtpms.chunks_mut(count.div_ceil(threads).max(1)) {
            scope.spawn(|| {
                let mut response = [0; 4096];
                for _ in 0..rounds {
                    for vtpm in share.iter_mut() {
                        for (_, bytes) in &rows {
                            vtpm.run(bytes, &mut response);
                        }
                    }
                }
            });
        }
    });
    let rate = (count * rounds * rows.len()) as f64 / begin.elapsed().as_secs_f64();
    println!("commands a second on {threads} threads: {rate:.0}");
}
