use super::*;
use crate::testing::{CounterMaker, memory_store};
use crate::tpm::{Manners, Tpm};
use core::sync::atomic::AtomicBool;
use core::time::Duration;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

fn client(initialised: bool) -> (UnixStream, Arc<Shared>) {
    client_of(Origin::Outside, initialised)
}

fn client_of(origin: Origin, initialised: bool) -> (UnixStream, Arc<Shared>) {
    let cancel = Arc::new(AtomicBool::new(false));
    let mut tpm = Tpm::new(Box::new(CounterMaker), memory_store(), None, None, Manners::default(), cancel.clone());
    if initialised {
        tpm.init(false).unwrap();
    }
    let shared = Arc::new(Shared::new(tpm, cancel, false, true).unwrap());
    let (ours, theirs) = UnixStream::pair().unwrap();
    assert!(shared.try_data_client(theirs.as_fd()));
    start_client(theirs.into(), shared.clone(), origin, false).unwrap();
    ours.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    (ours, shared)
}

const fn command(code: u8) -> [u8; 10] {
    [0x80, 1, 0, 0, 0, 10, 0, 0, 0, code]
}

fn answer(stream: &mut UnixStream) -> u32 {
    let mut bytes = [0; 10];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes[..6], [0x80, 1, 0, 0, 0, 10]);
    u32::from_be_bytes(bytes[6..].try_into().unwrap())
}

#[test]
fn split_and_joined_commands_are_told_apart() {
    let (mut stream, _shared) = client(true);
    for byte in command(1) {
        stream.write_all(&[byte]).unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(answer(&mut stream), 1);
    let three = [command(1), command(1), command(1)].concat();
    stream.write_all(&three[..25]).unwrap();
    assert_eq!((answer(&mut stream), answer(&mut stream)), (2, 3));
    stream.write_all(&three[25..]).unwrap();
    assert_eq!(answer(&mut stream), 4);
}

#[test]
fn the_prefix_wraps_the_response_and_sets_the_locality() {
    let (mut stream, _shared) = client(true);
    stream.write_all(&[&[0, 0, 0, 8, 2, 0, 0, 0, 10][..], &command(3)].concat()).unwrap();
    let mut bytes = [0xff; 18];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, [0, 0, 0, 10, 0x80, 1, 0, 0, 0, 10, 0, 0, 0, 2, 0, 0, 0, 0]);
    stream.write_all(&command(3)).unwrap();
    assert_eq!(answer(&mut stream), 2, "the locality stays");
    stream.write_all(&[0x80, 1, 0, 0, 0, 11, 0x20, 0, 0x10, 0, 1]).unwrap();
    assert_eq!(answer(&mut stream), 0);
    stream.write_all(&command(3)).unwrap();
    assert_eq!(answer(&mut stream), 1);
}

#[test]
fn a_guest_does_not_choose_its_locality() {
    let (mut stream, _shared) = client_of(Origin::Controller, true);
    // All that a VMM sends of a command whose size field says more.
    let wrapped = [&[0, 0, 0, 8, 4, 0, 0, 0, 10][..], &command(3)].concat().repeat(200);
    stream.write_all(&wrapped).unwrap();
    assert_eq!(answer(&mut stream), 0x142, "one answer, of the usual form");
    stream.write_all(&command(3)).unwrap();
    assert_eq!(answer(&mut stream), 0, "the locality is what it was");
}

#[test]
fn wrong_sizes_are_answered_and_the_next_command_works() {
    let (mut stream, _shared) = client(true);
    stream.write_all(&[0x80, 1, 0, 0, 0, 9, 0, 0, 0, 1]).unwrap();
    assert_eq!(answer(&mut stream), 0x142, "size below the header");
    stream.write_all(&[0x80, 1, 0, 0, 0, 11, 0, 0, 0, 1]).unwrap();
    assert_eq!(answer(&mut stream), 0x142, "one byte never came");
    stream.write_all(&[0x80]).unwrap();
    assert_eq!(answer(&mut stream), 0x142, "one byte only");
    let mut large = vec![0; 100_000];
    large[..10].copy_from_slice(&[0x80, 1, 0, 1, 0x86, 0xa0, 0, 0, 0, 1]);
    stream.write_all(&large).unwrap();
    assert_eq!(answer(&mut stream), 0x142, "larger than any buffer");
    stream.write_all(&[0x80, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1]).unwrap();
    assert_eq!(answer(&mut stream), 0x142, "a size that never comes");
    stream.write_all(&command(1)).unwrap();
    assert_eq!(answer(&mut stream), 1);
}

#[test]
fn before_init_the_answer_is_failure() {
    let (mut stream, _shared) = client(false);
    stream.write_all(&[0x80, 1, 0, 0, 0, 10, 0, 0, 1, 0x81]).unwrap();
    assert_eq!(answer(&mut stream), 0x101);
}

#[test]
fn a_long_command_is_cancelled_from_beside() {
    let (mut stream, shared) = client(true);
    stream.write_all(&command(2)).unwrap();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(50) {
        std::thread::yield_now();
    }
    shared.cancel();
    assert_eq!(answer(&mut stream), 0x909);
    shared.cancel();
    stream.write_all(&command(1)).unwrap();
    assert_eq!(answer(&mut stream), 1, "a late cancel does not hit the next command");
}

#[test]
fn the_client_slot_is_free_again_after_it_left() {
    let (stream, shared) = client(true);
    assert!(!shared.data_channel_is_free());
    assert!(!shared.try_data_client(stream.as_fd()));
    drop(stream);
    assert!(shared.data_channel_is_free());
    let (next, _other) = UnixStream::pair().unwrap();
    shared.wait_data_client(next.as_fd());
}
