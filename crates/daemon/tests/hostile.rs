//! Clients that mean no good: noise, half requests, sizes that are lies, descriptors that are no sockets. By both names of the
//! program: in swtpm's place other states and other defaults are behind the channels.

mod common;

use common::{Control, Daemon, Data, Folder, command, control_only, set_data_fd, wait, with_descriptors};
use core::time::Duration;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::time::Instant;

const CAPABILITIES: [u8; 8] = [0, 0, 0, 0, 0, 1, 0xff, 0xff];
/// Connections full of noise.
const CONNECTIONS: u32 = 4000;

/// xorshift64*: the same noise in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn bytes(&mut self, length: u64) -> Vec<u8> {
        (0..length).map(|_| (self.next() >> 32) as u8).collect()
    }
}

/// A daemon that was called by this name, with a TPM that runs.
fn running(name: &str, folder: &Folder, extra: &[&str]) -> Daemon {
    let words = [&["--flags", "startup-clear"][..], extra].concat();
    let daemon = Daemon::spawn(folder, command(folder, &words).arg0(name));
    assert_eq!(daemon.control().ask(1, &[], 8), CAPABILITIES);
    daemon
}

/// Open descriptors and resident memory in KiB of a process; `None` if another user's test may not see them.
fn resources(daemon: &Daemon) -> Option<(usize, u64)> {
    let folder = format!("/proc/{}", daemon.child.id());
    let descriptors = std::fs::read_dir(format!("{folder}/fd")).ok()?.count();
    let status = std::fs::read_to_string(format!("{folder}/status")).ok()?;
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some((descriptors, memory.trim().trim_end_matches(" kB").parse().ok()?))
}

/// The process is as it was: it serves both channels, and has not grown.
fn unharmed(daemon: &mut Daemon, before: Option<(usize, u64)>) {
    assert!(daemon.child.try_wait().unwrap().is_none(), "the daemon ended");
    assert_eq!(daemon.control().ask(1, &[], 8), CAPABILITIES);
    let Some((descriptors, memory)) = before else { return };
    // Connections that were left are closed when their turn comes.
    let memory_now = wait("the closing of descriptors", || {
        resources(daemon).filter(|(now, _)| *now <= descriptors).map(|(_, memory)| memory)
    });
    assert!(memory_now < memory + 8192, "{memory_now} KiB of memory, there were {memory}");
}

fn thousands_of_connections_of_noise(name: &str) {
    let folder = Folder::new("noise");
    let mut daemon = running(name, &folder, &["--log", "level=0"]);
    assert_eq!(daemon.control().ask(1, &[], 8), CAPABILITIES);
    let before = resources(&daemon);
    let mut noise = Noise(0x0123_4567_89ab_cdef);
    for number in 0..CONNECTIONS {
        let mut stream = daemon.control().0;
        let length = noise.next() % 70;
        let mut bytes = noise.bytes(length);
        // Half of them begin with a command's number; SHUTDOWN's, which rightly ends the process, is left out.
        if number % 2 == 0
            && let Some(head) = bytes.first_chunk_mut::<4>()
        {
            *head = [0, 0, 0, head[3] % 24];
        }
        if bytes.starts_with(&[0, 0, 0, 3]) {
            bytes[3] = 0xff;
        }
        // The daemon may answer and close before all is written.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        if number % 5 == 0 {
            let _ = stream.read(&mut [0; 64]);
        }
        if number % 500 == 0 {
            assert!(daemon.child.try_wait().unwrap().is_none(), "the daemon ended after {number} connections");
        }
    }
    unharmed(&mut daemon, before);
    let mut control = daemon.control();
    assert_eq!(control.result(0x0e, &[]), 0, "STOP");
    assert_eq!(control.result(0x02, &[0; 4]), 0, "INIT");
    assert_eq!(control.result(0x05, &[0]), 0, "SET_LOCALITY");
    drop(control);
    let mut data = daemon.data();
    assert_eq!(data.startup(), 0);
    assert_eq!(data.random().0, 0);
}

fn noise_on_the_data_channel(name: &str) {
    let folder = Folder::new("data-noise");
    let mut daemon = running(name, &folder, &["--log", "level=0"]);
    // Its start is over once it answers.
    assert_eq!(daemon.control().ask(1, &[], 8), CAPABILITIES);
    let before = resources(&daemon);
    let mut noise = Noise(0xfeed_f00d_dead_beef);
    for _ in 0..300 {
        let mut data = daemon.data();
        let length = noise.next() % 200;
        let _ = data.0.write_all(&noise.bytes(length));
        let _ = data.0.shutdown(std::net::Shutdown::Write);
    }
    unharmed(&mut daemon, before);
    assert_eq!(daemon.data().random().0, 0);
}

fn half_a_request_holds_up_nobody_for_long(name: &str) {
    let folder = Folder::new("slow");
    let daemon = running(name, &folder, &[]);
    // INIT byte by byte, slower than it may take: refused, and what comes later is no request.
    let mut slow = daemon.control();
    let begin = Instant::now();
    for byte in [0, 0, 0, 2] {
        let _ = slow.0.write_all(&[byte]);
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(slow.take(4), [0, 0, 0, 3], "malformed");
    assert!(begin.elapsed() < Duration::from_secs(5));
    drop(slow);
    // Half a request and no more: others wait for half a second at most.
    for half in [&[0][..], &[0, 0, 0, 2, 0], &[0, 0, 0, 0x0d, 0, 0, 0, 0, 0, 0]] {
        let mut slow = daemon.control();
        slow.0.write_all(half).unwrap();
        let begin = Instant::now();
        assert_eq!(slow.take(4)[3], if half.get(3) == Some(&0x0d) { 0x0a } else { 3 });
        drop(slow);
        assert_eq!(daemon.control().ask(1, &[], 8), CAPABILITIES);
        assert!(begin.elapsed() < Duration::from_secs(5), "{half:?}");
    }
    // A data client that stops in the middle of a command hears that its size is wrong, and can go on.
    let mut data = daemon.data();
    data.0.write_all(&[0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7b, 0]).unwrap();
    assert_eq!(data.read().unwrap().0, 0x142);
    assert_eq!(data.random().0, 0);
    // Meanwhile nobody at the control channel waits. (More than one try, for machines that are busy with other things.)
    let quick = (0..10).any(|_| {
        data.0.write_all(&[0x80, 1, 0, 0]).unwrap();
        let begin = Instant::now();
        assert_eq!(daemon.control().ask(1, &[], 8), CAPABILITIES);
        let quick = begin.elapsed() < Duration::from_millis(400);
        assert_eq!(data.read().unwrap().0, 0x9a, "not even a header");
        quick
    });
    assert!(quick, "the control channel waited for the data channel");
}

fn sizes_that_are_lies(name: &str) {
    let folder = Folder::new("sizes");
    let mut daemon = running(name, &folder, &[]);
    assert_eq!(daemon.control().ask(1, &[], 8), CAPABILITIES);
    let before = resources(&daemon);
    for announced in [0x8_0001_u32, 0x7fff_ffff, 0xffff_ffff] {
        let length = announced.to_be_bytes();
        let mut control = daemon.control();
        assert_eq!(control.result(0x06, &[]), 0, "HASH_START");
        assert_eq!(control.result(0x07, &length), 0x1f, "HASH_DATA without the data");
        assert_eq!(control.result(0x0e, &[]), 0, "STOP");
        let blob = [&[0, 0, 0, 0, 0, 0, 0, 1][..], &length].concat();
        assert_eq!(control.result(0x0d, &blob), 9, "SET_STATEBLOB of {announced} bytes");
        assert_eq!(control.result(0x02, &[0; 4]), 0, "INIT");
        let far = [&[0, 0, 0, 1, 0, 0, 0, 1][..], &length].concat();
        assert_eq!(control.ask(0x0c, &far, 16)[8..], [0; 8], "GET_STATEBLOB from behind its end");
        assert_eq!(control.result(0x11, &length), 0x0a, "SET_BUFFERSIZE while the TPM is on");
    }
    // A command of a megabyte, all of it sent, is refused for its size, and the next one is read from its beginning.
    let mut data = daemon.data();
    assert_eq!(data.startup(), 0);
    let mut large = vec![0x55; 1 << 20];
    large[..10].copy_from_slice(&[0x80, 1, 0, 0x10, 0, 0, 0, 0, 1, 0x7b]);
    data.0.write_all(&large).unwrap();
    assert_eq!(data.read().unwrap().0, 0x142);
    assert_eq!(data.random().0, 0);
    drop(data);
    unharmed(&mut daemon, before);
}

fn descriptors_that_nobody_wants_are_closed(name: &str) {
    let folder = Folder::new("descriptors");
    let mut daemon = Daemon::spawn(&folder, control_only(&folder).arg0(name));
    let mut control = daemon.control();
    assert_eq!(control.ask(1, &[], 8), CAPABILITIES);
    // What the state needs is open from now on.
    assert_eq!(control.result(0x02, &[0; 4]), 0, "INIT");
    assert_eq!(control.result(0x0e, &[]), 0, "STOP");
    let before = resources(&daemon);
    let file = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    let (datagram, _other) = std::os::unix::net::UnixDatagram::pair().unwrap();
    for wrong in [file.as_fd(), datagram.as_fd()] {
        with_descriptors(&control, &[0, 0, 0, 0x10], &[wrong]);
        assert_eq!(control.take(4), [0, 0, 0, 3], "no stream socket");
    }
    let flat = |daemon: &Daemon| {
        let Some(((before, _), (now, _))) = before.zip(resources(daemon)) else { return };
        assert!(now <= before + 1, "{now} descriptors, there were {before}");
    };
    for _ in 0..50 {
        with_descriptors(&control, &[0, 0, 0, 0x01], &[file.as_fd(); 200]);
        assert_eq!(control.take(8), CAPABILITIES);
        flat(&daemon);
        // In the middle of a request, and of a stream of data, where none are looked for.
        control.send(0x0d, &[0, 0, 0, 0, 0, 0, 0, 1]);
        with_descriptors(&control, &[0, 0, 0, 64], &[file.as_fd(); 200]);
        with_descriptors(&control, &[0x55; 60], &[file.as_fd(); 200]);
        with_descriptors(&control, &[0x55; 4], &[file.as_fd(); 200]);
        assert_ne!(control.take(4), [0; 4], "noise is no state");
        flat(&daemon);
    }
    // Of many the first is the data channel.
    let (ours, theirs) = UnixStream::pair().unwrap();
    let many: Vec<BorrowedFd<'_>> = [theirs.as_fd()].into_iter().chain([file.as_fd(); 150]).collect();
    with_descriptors(&control, &[0, 0, 0, 0x10], &many);
    assert_eq!(control.take(4), [0; 4]);
    assert_eq!(control.result(0x02, &[0; 4]), 0, "INIT");
    let mut data = Data::new(ours);
    assert_eq!(data.startup(), 0);
    let before_commands = resources(&daemon);
    for _ in 0..20 {
        let channel = Control(data.0.try_clone().unwrap());
        with_descriptors(&channel, &[0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7b, 0, 8], &[file.as_fd(); 200]);
        assert_eq!(data.read().unwrap().0, 0);
        if let Some(((before, _), (now, _))) = before_commands.zip(resources(&daemon)) {
            assert!(now <= before, "{now} descriptors, there were {before}");
        }
    }
    drop((data, theirs));
    assert_eq!(control.result(0x0e, &[]), 0, "STOP");
    assert_eq!(control.result(0x10, &[]), 3, "SET_DATAFD without a descriptor");
    drop(control);
    unharmed(&mut daemon, before);
}

fn a_second_controller_waits_for_the_first(name: &str) {
    let folder = Folder::new("two");
    let daemon = running(name, &folder, &[]);
    let mut first = daemon.control();
    assert_eq!(first.ask(1, &[], 8), CAPABILITIES);
    let mut second = daemon.control();
    second.send(4, &[]);
    second.0.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(second.0.read(&mut [0; 8]).is_err(), "one controller at a time");
    assert_eq!(first.ask(4, &[], 8), [0; 8], "the first is still served");
    drop(first);
    second.0.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(second.take(8), [0; 8]);
    // The same on the data channel.
    let mut first = daemon.data();
    assert_eq!(first.random().0, 0);
    let mut second = daemon.data();
    second.0.write_all(&[0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7b, 0, 8]).unwrap();
    assert_eq!(first.random().0, 0);
    drop(first);
    assert_eq!(second.read().unwrap().0, 0);
}

fn a_client_that_takes_no_answers_is_dropped(name: &str) {
    let folder = Folder::new("deaf");
    let daemon = running(name, &folder, &[]);
    let mut deaf = daemon.control();
    deaf.0.set_nonblocking(true).unwrap();
    let request = [0, 0, 0, 0x0c, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0];
    // One request at a time, so that each is read as one; answers pile up until no more fit.
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end && deaf.0.write_all(&request).is_ok() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let begin = Instant::now();
    let mut next = UnixStream::connect(&daemon.folder_ctrl).map(Control).unwrap();
    next.0.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    assert_eq!(next.ask(1, &[], 8), CAPABILITIES);
    assert!(begin.elapsed() < Duration::from_secs(15));
}

fn blobs_of_noise(name: &str) {
    /// The largest that is taken.
    const MOST: u64 = 512 * 1024;
    let folder = Folder::new("blobs");
    let mut daemon = running(name, &folder, &["--log", "level=0"]);
    let mut control = daemon.control();
    assert_eq!(control.result(0x0e, &[]), 0, "STOP");
    let mut noise = Noise(0x5eed_0000_1234_5678);
    let mut bytes = noise.bytes(MOST);
    let mut before = None;
    for round in 0..60_u32 {
        // The envelope of swtpm, of vtpmd, and none; the rest is noise.
        match round % 3 {
            0 => bytes[..16].copy_from_slice(&[2, 1, 0, 10, 0, 0, 0, 8, 0, 0, 0, 1, 0, 7, 0xff, 0xf0]),
            1 => bytes[..16].copy_from_slice(b"SEALWRIGHT state"),
            _ => bytes[..16].copy_from_slice(&noise.bytes(16)),
        }
        let kind = u8::try_from(round % 4).unwrap();
        assert_ne!(control.set_blob(kind, u8::try_from(round % 3).unwrap(), &bytes), 0, "round {round}");
        // The first ones show how much one needs.
        if round == 8 {
            before = resources(&daemon);
        }
    }
    assert_eq!(control.result(0x02, &[0; 4]), 0, "INIT: the state that was there");
    drop(control);
    unharmed(&mut daemon, before);
    assert_eq!(daemon.data().startup(), 0);
}

/// What a guest writes reaches the socket that its VMM handed over as it is. Bytes like those by which other clients choose a
/// locality give it none, and one answer of the form that a VMM reads.
fn a_guest_does_not_choose_its_locality(name: &str) {
    let folder = Folder::new("locality");
    let daemon = Daemon::spawn(&folder, control_only(&folder).arg0(name));
    let mut control = daemon.control();
    let (result, mut guest) = set_data_fd(&mut control);
    assert_eq!(result, 0);
    assert_eq!(control.result(0x02, &[0; 4]), 0, "INIT");
    assert_eq!(guest.startup(), 0);
    let reset = |data: &mut Data| data.run(true, 0x13d, &[&[0, 0, 0, 20]], &[]).0;
    const TPM_RC_LOCALITY: u32 = 0x907;
    assert_eq!(reset(&mut guest), TPM_RC_LOCALITY, "PCR 20 is reset at locality 2");
    let command = [0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7b, 0, 8];
    let wrapped = [&[0, 0, 0, 8, 2, 0, 0, 0, 12][..], &command].concat();
    guest.0.write_all(&wrapped.repeat(190)).unwrap();
    assert_ne!(guest.read().unwrap().0, 0);
    assert_eq!(reset(&mut guest), TPM_RC_LOCALITY);
    assert_eq!(control.result(0x05, &[2]), 0, "SET_LOCALITY of the VMM");
    assert_eq!(reset(&mut guest), 0);
}

/// Each test, once by each name.
macro_rules! by_each_name {
    ($($test:ident)*) => {
        mod vtpmd {
            $(#[test] fn $test() { super::$test("vtpmd"); })*
        }
        mod swtpm {
            $(#[test] fn $test() { super::$test("swtpm"); })*
        }
    };
}

by_each_name! {
    a_guest_does_not_choose_its_locality
    blobs_of_noise
    thousands_of_connections_of_noise
    noise_on_the_data_channel
    half_a_request_holds_up_nobody_for_long
    sizes_that_are_lies
    descriptors_that_nobody_wants_are_closed
    a_second_controller_waits_for_the_first
    a_client_that_takes_no_answers_is_dropped
}
