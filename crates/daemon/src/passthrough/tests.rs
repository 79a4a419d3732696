//! The guest's view of a device that is a thread here: a TPM that answers what the test says.

use super::device::{Device, Source};
use super::guest::Passthrough;
use super::policy::Policy;
use crate::served::Served;
use crate::testing::Folder;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};

/// A TPM 2.0 on a socket, with handles in use, that keeps what it was asked.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    handles: Vec<u32>,
    heard: Vec<Vec<u8>>,
    /// Hang up instead of answering this command.
    hang_up: Option<u32>,
}

fn respond(code: u32, rest: &[u8]) -> Vec<u8> {
    let size = u32::try_from(10 + rest.len()).unwrap();
    [&[0x80, 1][..], &size.to_be_bytes(), &code.to_be_bytes(), rest].concat()
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

impl State {
    fn answer(&mut self, command: &[u8]) -> Option<Vec<u8>> {
        self.heard.push(command.to_vec());
        let code = word(command, 6);
        if self.hang_up == Some(code) {
            return None;
        }
        Some(match code {
            0x17a => {
                let (which, first) = (word(command, 10), word(command, 14));
                let words: Vec<u32> = match which {
                    6 => vec![0x105, 0x4142_4344, 0x11e, 2048],
                    _ => self.handles.iter().copied().filter(|h| *h >= first && h >> 24 == first >> 24).collect(),
                };
                let count = u32::try_from(if which == 6 { words.len() / 2 } else { words.len() }).unwrap();
                let body: Vec<u8> = [which, count].iter().chain(&words).flat_map(|w| w.to_be_bytes()).collect();
                respond(0, &[&[0][..], &body].concat())
            }
            0x165 => {
                let handle = word(command, 10);
                self.handles.retain(|h| *h != handle);
                respond(0, &[])
            }
            _ => respond(0, b"from the device"),
        })
    }
}

impl Fake {
    /// Serves on a socket in the folder; clients one after the other.
    fn serve(&self, folder: &Folder) -> Source {
        let path = folder.path().join("tpm");
        let listener = UnixListener::bind(&path).unwrap();
        let state = self.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = client.unwrap();
                let mut bytes = [0; 4096];
                while let Ok(n @ 1..) = client.read(&mut bytes) {
                    let Some(answer) = state.0.lock().unwrap().answer(&bytes[..n]) else { break };
                    client.write_all(&answer).unwrap();
                }
            }
        });
        Source::Socket(path.to_str().unwrap().to_owned())
    }

    fn heard(&self, code: u32) -> usize {
        self.0.lock().unwrap().heard.iter().filter(|command| word(command, 6) == code).count()
    }
}

struct Bench {
    fake: Fake,
    tpm: Passthrough,
    _folder: Folder,
}

impl Bench {
    fn new(handles: &[u32]) -> Self {
        let (fake, folder) = (Fake::default(), Folder::new("passthrough"));
        fake.0.lock().unwrap().handles = handles.to_vec();
        let device = Device::open(&fake.serve(&folder)).unwrap();
        let tpm = Passthrough::new(device, None, None, Policy::default()).unwrap();
        Self { fake, tpm, _folder: folder }
    }

    fn run(&mut self, locality: u8, command: &[u8]) -> (u32, Vec<u8>) {
        let mut response = vec![0; 4096];
        let n = self.tpm.execute(locality, command, &mut response);
        assert_eq!(n, word(&response, 2) as usize);
        (word(&response, 6), response[10..n].to_vec())
    }

    fn plain(&mut self, code: u32, rest: &[u8]) -> u32 {
        let size = u32::try_from(10 + rest.len()).unwrap();
        self.run(0, &[&[0x80, 1][..], &size.to_be_bytes(), &code.to_be_bytes(), rest].concat()).0
    }

    fn reset(&mut self) {
        assert_eq!(self.tpm.stop(), 0);
        self.tpm.init(false).unwrap();
    }
}

const RANDOM: u32 = 0x17b;

#[test]
fn the_guest_has_a_startup_of_its_own() {
    let mut bench = Bench::new(&[]);
    assert_eq!(bench.plain(RANDOM, &[0, 4]), 0x101, "off");
    bench.tpm.init(false).unwrap();
    assert_eq!(bench.plain(RANDOM, &[0, 4]), 0x100);
    assert_eq!(bench.plain(0x144, &[0, 1]), 0x1c4, "nothing to resume");
    assert_eq!(bench.plain(0x144, &[0, 7]), 0x1c4);
    assert_eq!(bench.plain(0x144, &[0]), 0x142);
    assert_eq!(bench.plain(0x144, &[0, 0]), 0);
    assert_eq!(bench.plain(0x144, &[0, 0]), 0x100, "once per boot");
    assert_eq!(bench.run(0, &[0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7b, 0, 4]).1, b"from the device");
    // Sleep: Shutdown(STATE), a reset, Startup(STATE).
    assert_eq!(bench.plain(0x145, &[0, 1]), 0);
    bench.reset();
    assert_eq!(bench.plain(0x144, &[0, 1]), 0);
    assert_eq!(bench.plain(0x145, &[0, 1]), 0);
    assert_eq!(bench.plain(RANDOM, &[0, 4]), 0);
    bench.reset();
    assert_eq!(bench.plain(0x144, &[0, 1]), 0x1c4, "the guest went on after Shutdown");
    assert_eq!((bench.fake.heard(0x144), bench.fake.heard(0x145)), (0, 0), "the device heard neither");
}

#[test]
fn a_reset_removes_what_the_guest_left_and_nothing_of_the_host() {
    let host = [0x8000_0000, 0x0200_0005, 0x0300_0006];
    let mut bench = Bench::new(&host);
    bench.tpm.init(false).unwrap();
    assert_eq!(bench.plain(0x144, &[0, 0]), 0);
    assert_eq!(bench.plain(RANDOM, &[0, 4]), 0);
    bench.fake.0.lock().unwrap().handles.extend([0x8000_0001, 0x8000_0002, 0x0200_0000, 0x0300_0001]);
    bench.reset();
    let left = |bench: &Bench| bench.fake.0.lock().unwrap().handles.clone();
    assert_eq!(left(&bench), [host[0], host[1], host[2], 0x0300_0001], "a saved session may be resumed");
    assert_eq!(bench.plain(0x144, &[0, 0]), 0);
    assert_eq!(left(&bench), host);
}

#[test]
fn refused_commands_and_broken_ones_do_not_reach_the_device() {
    let mut bench = Bench::new(&[]);
    bench.tpm.init(false).unwrap();
    assert_eq!(bench.plain(0x144, &[0, 0]), 0);
    let before = bench.fake.0.lock().unwrap().heard.len();
    assert_eq!(bench.plain(0x126, &[0x40, 0, 0, 0x0a]), 0x120, "Clear");
    assert_eq!(bench.plain(0x2000_1000, &[3]), 0x120, "the locality command of the kernel's vTPM");
    assert_eq!(bench.run(0, &[0x00, 0xc1, 0, 0, 0, 12, 0, 0, 0, 0x97, 0, 1]).0, 0x1e, "TPM_Init of TPM 1.2");
    assert_eq!(bench.run(0, &[0x80, 1, 0, 0, 0, 11, 0, 0, 1, 0x7b]).0, 0x142);
    assert_eq!(bench.run(0, &[0x80, 1, 0]).0, 0x142);
    assert_eq!(bench.run(1, &[0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7b, 0, 4]).0, 0x907);
    let large = [&[0x80, 1, 0, 0, 0x10, 0, 0, 0, 1, 0x7b][..], &[0; 4086]].concat();
    assert_eq!(bench.run(0, &large).0, 0x142, "more than the device takes");
    let closed = [
        &[0x80, 2, 0, 0, 0, 29, 0, 0, 1, 0x29, 0x40, 0, 0, 0x0c, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 1, 0, 0][..],
        &[0, 0],
    ]
    .concat();
    assert_eq!(bench.run(0, &closed), (0, vec![0, 0, 0, 0, 0, 0, 1, 0, 0]), "HierarchyChangeAuth of the platform");
    assert_eq!(bench.fake.0.lock().unwrap().heard.len(), before);
}

#[test]
fn state_stays_in_the_device() {
    let mut bench = Bench::new(&[]);
    bench.tpm.init(false).unwrap();
    let refused = bench.tpm.state_blob(1, true).unwrap_err();
    assert!(refused.why.contains("neither migrated nor saved"), "{}", refused.why);
    assert!(bench.tpm.set_state_blob(1, b"x").is_err() && bench.tpm.store_volatile().is_err());
    assert!(bench.tpm.lock_storage(1).is_err());
    // Without these two bits QEMU blocks migration.
    assert_eq!(bench.tpm.capabilities() & 0x300, 0);
    assert_eq!(bench.tpm.buffer_size(0), (2048, 1024, 2048));
    assert!(bench.tpm.describe()(2).contains("id:41424344"));
}

#[test]
fn a_device_that_fails_is_asked_no_more_until_the_vm_is_reset() {
    let mut bench = Bench::new(&[]);
    bench.tpm.init(false).unwrap();
    assert_eq!(bench.plain(0x144, &[0, 0]), 0);
    bench.fake.0.lock().unwrap().hang_up = Some(RANDOM);
    assert_eq!(bench.plain(RANDOM, &[0, 4]), 0x101);
    bench.fake.0.lock().unwrap().hang_up = None;
    let before = bench.fake.heard(RANDOM);
    assert_eq!(bench.plain(RANDOM, &[0, 4]), 0x101);
    assert_eq!(bench.fake.heard(RANDOM), before);
    bench.reset();
    assert_eq!(bench.plain(0x144, &[0, 0]), 0);
    assert_eq!(bench.plain(RANDOM, &[0, 4]), 0);
}

#[test]
fn what_is_no_tpm_is_refused() {
    let open = |source: Source| match Device::open(&source) {
        Ok(_) => panic!("opened"),
        Err(failure) => failure.0,
    };
    assert!(open(Source::Path("/dev/nonexistent-tpm".into())).contains("no such device"));
    let folder = Folder::new("no-device");
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    assert!(open(Source::Path(file)).contains("neither a TPM device nor a socket"));
    assert!(open(Source::Descriptor(1_000_000)).contains("not open"));
    assert!(open(Source::Socket("no-port".to_owned())).contains("HOST:PORT"));
    assert!(open(Source::Socket("/proc/nonexistent/socket".to_owned())).contains("cannot connect"));
    // A character device that is no TPM opens, and does not answer like one.
    let device = Device::open(&Source::Path("/dev/null".into())).unwrap();
    assert!(Passthrough::new(device, None, None, Policy::default()).is_err());
}
