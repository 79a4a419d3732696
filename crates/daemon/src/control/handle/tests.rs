use super::*;
use crate::testing::{CounterMaker, memory_store};
use crate::tpm::{Manners, Tpm};
use core::sync::atomic::AtomicBool;
use core::time::Duration;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

struct Peer {
    stream: UnixStream,
    control: Control,
    ours: OwnedFd,
}

impl Peer {
    fn new() -> Self {
        let cancel = Arc::new(AtomicBool::new(false));
        let maker = Box::new(CounterMaker);
        let tpm = Tpm::new(maker, memory_store(), None, None, Manners::default(), cancel.clone());
        let shared = Arc::new(Shared::new(tpm, cancel, true, false).unwrap());
        let (stream, ours) = UnixStream::pair().unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        Self { stream, control: Control::new(shared, false), ours: ours.into() }
    }

    /// Sends a request, lets the control channel serve it, and returns all of the answer.
    fn ask(&mut self, code: u32, body: &[u8]) -> Vec<u8> {
        self.stream.write_all(&[&code.to_be_bytes(), body].concat()).unwrap();
        self.control.serve(&self.ours);
        self.answer()
    }

    fn answer(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 1 << 20];
        let n = self.stream.read(&mut bytes).unwrap_or(0);
        bytes.truncate(n);
        bytes
    }

    fn init(&mut self) {
        assert_eq!(self.ask(2, &[0; 4]), [0; 4]);
    }
}

#[test]
fn answers_have_the_sizes_of_the_protocol() {
    let mut peer = Peer::new();
    assert_eq!(peer.ask(1, &[]), [0, 0, 0, 0, 0, 1, 0xff, 0xff]);
    for running_only in [4, 6, 8, 9, 0xa] {
        assert_eq!(peer.ask(running_only, &[]), [0, 0, 0, 0xa]);
    }
    assert_eq!(peer.ask(0xb, &[3]), [0, 0, 0, 0xa]);
    assert_eq!(peer.ask(7, &[0, 0, 0, 2, 1, 2]), [0, 0, 0, 0xa]);
    assert_eq!(peer.ask(0xc, &[0; 12]), [&[0, 0, 0, 0xa][..], &[0; 12]].concat());
    assert_eq!(peer.ask(0xf, &[]), [0; 8]);
    let (size, min, max) = crate::instance::BUFFER_SIZE;
    assert_eq!(peer.ask(0x11, &[0; 4]), *answer(&[0, size, min, max]));
    assert_eq!(peer.ask(0x11, &[0, 0, 0x0f, 0x80])[4..8], [0, 0, 0x0f, 0x80]);
    peer.init();
    assert_eq!(peer.ask(4, &[]), [0; 8]);
    assert_eq!(peer.ask(0x11, &[0, 0, 0x0f, 0x80]), [0, 0, 0, 0xa]);
    assert_eq!(peer.ask(0x11, &[0; 4])[4..8], [0, 0, 0x0f, 0x80]);
    assert_eq!(peer.ask(0xd, &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 9]), [0, 0, 0, 0xa]);
    assert_eq!(peer.ask(9, &[]), [0; 4]);
    assert_eq!(peer.ask(0xa, &[]), [0; 4]);
    assert_eq!(peer.ask(0x13, &[0; 4]), [0; 4]);
    assert_eq!(peer.ask(0xe, &[]), [0; 4]);
}

#[test]
fn malformed_requests_are_errors_and_the_next_one_works() {
    let mut peer = Peer::new();
    for (code, body, want) in [
        (0xff, &[][..], 0xa),
        (0, &[], 0xa),
        (2, &[0; 5], 3),
        (2, &[0; 3], 3),
        (0xe, &[1], 3),
        (5, &[5], 0x3d),
        (5, &[4], 0x3d),
        (0x10, &[], 3),
        (0xd, &[0; 11], 3),
        (0xd, &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 9], 3),
        (0x12, &[0; 15], 3),
        (0x12, &[0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0], 3),
    ] {
        assert_eq!(peer.ask(code, body), [0, 0, 0, want], "0x{code:x} {body:?}");
    }
    peer.stream.write_all(&[0, 0]).unwrap();
    assert_eq!(peer.control.serve(&peer.ours), Outcome::Continue);
    assert_eq!(peer.answer(), [0, 0, 0, 3]);
    peer.init();
}

#[test]
fn locality_comes_padded_or_not() {
    let mut peer = Peer::new();
    assert_eq!(peer.ask(5, &[1]), [0; 4]);
    assert_eq!(peer.ask(5, &[2, 0, 0, 0]), [0; 4]);
}

#[test]
fn the_hash_sequence_sets_the_established_bit() {
    let mut peer = Peer::new();
    peer.init();
    assert_eq!(peer.ask(6, &[]), [0; 4]);
    assert_eq!(peer.ask(7, &[0, 0, 0, 3, 1, 2, 3]), [0; 4]);
    assert_eq!(peer.ask(7, &[0, 0, 0, 1, 1, 2]), [0, 0, 0, 3], "more than announced");
    assert_eq!(peer.ask(7, &[0, 0, 0, 9, 1]), [0, 0, 0, 0x1f], "less than announced");
    assert_eq!(peer.ask(8, &[]), [0; 4]);
    assert_eq!(peer.ask(4, &[]), [0, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(peer.ask(0xb, &[0]), [0, 0, 0, 0x3d]);
    assert_eq!(peer.ask(0xb, &[3, 0, 0, 0]), [0; 4]);
    assert_eq!(peer.ask(4, &[]), [0; 8]);
}

#[test]
fn blobs_go_out_and_come_back() {
    let mut peer = Peer::new();
    peer.init();
    let get = |peer: &mut Peer, kind: u8| peer.ask(0xc, &[0, 0, 0, 1, 0, 0, 0, kind, 0, 0, 0, 0]);
    let permanent = get(&mut peer, 1);
    let volatile = get(&mut peer, 2);
    assert_eq!(get(&mut peer, 3), [&[0, 0, 8, 0][..], &[0; 12]].concat());
    assert_eq!(get(&mut peer, 4), [&[0, 0, 0, 9][..], &[0; 12]].concat());
    assert_eq!(permanent[8..12], permanent[12..16], "totlength equals length");
    let offset = peer.ask(0xc, &[0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 80]);
    assert_eq!(offset[16..], permanent[96..]);
    peer.ask(0xe, &[]);
    for (kind, blob) in [(1, &permanent[16..]), (2, &volatile[16..])] {
        let head = [&[0, 0, 0, 0, 0, 0, 0, kind][..], &u32::try_from(blob.len()).unwrap().to_be_bytes()].concat();
        // The header first and the body after it, as QEMU sends them.
        peer.stream.write_all(&[&[0, 0, 0, 0xd], &head[..]].concat()).unwrap();
        let mut writer = peer.stream.try_clone().unwrap();
        let body = blob.to_vec();
        let sender = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            writer.write_all(&body).unwrap();
        });
        peer.control.serve(&peer.ours);
        sender.join().unwrap();
        assert_eq!(peer.answer(), [0; 4]);
    }
    assert_eq!(peer.ask(2, &[0, 0, 0, 1]), [0; 4]);
    peer.ask(0xe, &[]);
    let large = [&[0, 0, 0, 0, 0, 0, 0, 1][..], &[0, 8, 0, 1]].concat();
    assert_eq!(peer.ask(0xd, &large), [0, 0, 0, 9]);
}

#[test]
fn information_comes_in_pieces() {
    let mut peer = Peer::new();
    let whole = peer.ask(0x12, &[0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(whole.last(), Some(&0));
    assert_eq!(whole[4..8], whole[8..12]);
    let tail = peer.ask(0x12, &[0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 9, 0, 0, 0, 0]);
    assert_eq!(tail[12..], whole[21..]);
}

#[test]
fn random_bytes_never_end_the_channel() {
    let mut peer = Peer::new();
    peer.init();
    let mut seed = 0x9e37_79b9_u32;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(3) {
        let mut next = || {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            seed
        };
        // Mostly real command numbers, with any body; SHUTDOWN is left out.
        let number = match next() % 24 {
            3 => 2,
            n => n,
        };
        let body: Vec<u8> = (0..next() % 40).map(|_| (next() >> 24) as u8 & 3).collect();
        peer.stream.write_all(&[&number.to_be_bytes(), &body[..]].concat()).unwrap();
        assert_eq!(peer.control.serve(&peer.ours), Outcome::Continue, "{number} {body:?}");
        assert!(peer.answer().len() >= 4);
    }
    peer.stream.write_all(&[0, 0, 0, 1]).unwrap();
    assert_eq!(peer.control.serve(&peer.ours), Outcome::Continue);
    assert_eq!(peer.answer().len(), 8);
}
