use super::*;
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;

/// A daemon that gives these answers, each after a request of so many bytes, and keeps the requests.
fn daemon(script: &[(usize, &[&[u8]])]) -> (Control, JoinHandle<Vec<Vec<u8>>>) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let script: Vec<(usize, Vec<Vec<u8>>)> =
        script.iter().map(|(n, pieces)| (*n, pieces.iter().map(|p| p.to_vec()).collect())).collect();
    let peer = std::thread::spawn(move || {
        let mut requests = Vec::new();
        for (length, pieces) in script {
            let mut request = vec![0; length];
            theirs.read_exact(&mut request).unwrap();
            requests.push(request);
            for piece in pieces {
                theirs.write_all(&piece).unwrap();
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        requests
    });
    (Control::new(Stream::Unix(ours)).unwrap(), peer)
}

const OK: &[u8] = &[0; 4];

#[test]
fn requests_have_the_bytes_of_the_protocol() {
    let (mut control, peer) = daemon(&[
        (4, &[&[0, 0, 0, 0, 0, 1, 0xff, 0xff]]),
        (8, &[OK]),
        (5, &[OK]),
        (8, &[&[0, 0], &[0, 0, 0, 0], &[16, 0, 0, 0, 10, 0xf8, 0, 0, 16, 0]]),
        (8, &[OK]),
        (4, &[&[0, 0, 0, 0, 1, 0, 0, 0]]),
    ]);
    assert_eq!(control.capabilities().unwrap(), 0x1_ffff);
    control.init(true).unwrap();
    control.set_locality(3).unwrap();
    assert_eq!(control.set_buffer_size(0).unwrap(), BufferSize { size: 4096, minimum: 2808, maximum: 4096 });
    control.lock_storage(300).unwrap();
    assert!(control.established().unwrap());
    let requests = peer.join().unwrap();
    assert_eq!(requests[1], [0, 0, 0, 2, 0, 0, 0, 1]);
    assert_eq!(requests[2], [0, 0, 0, 5, 3]);
    assert_eq!(requests[3], [0, 0, 0, 0x11, 0, 0, 0, 0]);
    assert_eq!(requests[4], [0, 0, 0, 0x13, 0, 0, 1, 44]);
}

#[test]
fn a_refusal_may_be_short_or_padded_and_the_next_request_is_answered() {
    let (mut control, peer) = daemon(&[
        (4, &[&[0, 0, 0, 10]]),
        (4, &[&[0, 0, 0, 10, 0, 0, 0, 0]]),
        (16, &[&[0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]]),
        (4, &[OK]),
    ]);
    for _ in 0..2 {
        let fault = control.established().unwrap_err();
        assert!(matches!(fault, Fault::Refused { command: Command::GetTpmEstablished, code: 10 }));
        assert_eq!(fault.to_string(), "TPM result from PTM_GET_TPMESTABLISHED: 0xa");
    }
    assert_eq!(control.state_blob(BlobKind::SaveState, true).unwrap(), None);
    control.stop().unwrap();
    peer.join().unwrap();
}

#[test]
fn blobs_and_texts_may_come_in_parts() {
    let blob = [&[0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 3][..], b"abc"].concat();
    let rest = [&[0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2][..], b"de"].concat();
    let text = [&[0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 2][..], b"{\""].concat();
    let end = [&[0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 2][..], b"}\0"].concat();
    let (mut control, peer) =
        daemon(&[(16, &[&blob]), (16, &[&rest[..7], &rest[7..]]), (20, &[&text]), (20, &[&end]), (20, &[OK])]);
    let fetched = control.state_blob(BlobKind::Volatile, false).unwrap().unwrap();
    assert!(fetched.encrypted && fetched.bytes.as_slice() == b"abcde");
    assert_eq!(control.info(0x101).unwrap(), "{\"}");
    assert!(!format!("{fetched:?}").contains("97"), "no content in messages");
    control
        .set_state_blob(BlobKind::Permanent, &StateBlob { encrypted: true, bytes: Zeroizing::new(b"xyz!".to_vec()) })
        .unwrap();
    let requests = peer.join().unwrap();
    assert_eq!(requests[0], [0, 0, 0, 0x0c, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
    assert_eq!(requests[1][12..], [0, 0, 0, 3]);
    assert_eq!(requests[3][4..16], [0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 2]);
    assert_eq!(requests[4], [&[0, 0, 0, 0x0d, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4][..], b"xyz!"].concat());
}

#[test]
fn nonsense_and_silence_are_errors() {
    let head = |total: u32, length: u32| {
        let words = [0, 0, total, length].map(u32::to_be_bytes);
        words.as_flattened().to_vec()
    };
    for answer in [head(3, 4), head(4, 0), head(u32::MAX, u32::MAX)] {
        let (mut control, peer) = daemon(&[(16, &[&answer])]);
        assert!(matches!(control.state_blob(BlobKind::Permanent, true), Err(Fault::Nonsense(_))));
        peer.join().unwrap();
    }
    let (mut control, peer) = daemon(&[(20, &[&[0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0]])]);
    assert!(matches!(control.info(1), Err(Fault::Nonsense(_))));
    peer.join().unwrap();
    let (mut control, peer) = daemon(&[(4, &[&[0, 0]])]);
    let fault = control.config().unwrap_err().to_string();
    assert!(fault.starts_with("Could not execute PTM_GET_CONFIG: "), "{fault}");
    peer.join().unwrap();
}

#[test]
fn a_hash_goes_in_chunks() {
    let data = vec![7; HASH_CHUNK + 2];
    let (mut control, peer) = daemon(&[(4, &[OK]), (8 + HASH_CHUNK, &[OK]), (10, &[OK]), (4, &[OK])]);
    control.hash(&mut data.as_slice()).unwrap();
    let requests = peer.join().unwrap();
    assert_eq!(requests[1][..8], [0, 0, 0, 7, 0, 0, 16, 0]);
    assert_eq!(requests[2], [0, 0, 0, 7, 0, 0, 0, 2, 7, 7]);
}

#[test]
fn the_data_socket_goes_over_the_control_channel() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut control = Control::new(Stream::Unix(ours)).unwrap();
    let (data, mut kept) = UnixStream::pair().unwrap();
    let peer = std::thread::spawn(move || {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = rustix::net::RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [0; 8];
        let mut pieces = [io::IoSliceMut::new(&mut bytes)];
        rustix::net::recvmsg(&theirs, &mut pieces, &mut ancillary, rustix::net::RecvFlags::empty()).unwrap();
        (&theirs).write_all(&[0; 4]).unwrap();
        let received = ancillary.drain().find_map(|message| match message {
            rustix::net::RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        (bytes, received.unwrap())
    });
    control.set_data_fd(data.as_fd()).unwrap();
    let (bytes, received) = peer.join().unwrap();
    assert_eq!(bytes[..4], [0, 0, 0, 0x10]);
    rustix::io::write(&received, b"x").unwrap();
    let mut byte = [0];
    kept.read_exact(&mut byte).unwrap();
    assert_eq!(byte, *b"x");
}

#[test]
fn a_character_device_is_refused_in_words() {
    let null = Stream::Device(std::fs::File::open("/dev/null").unwrap());
    assert!(Control::new(null).unwrap_err().to_string().contains("ioctl"));
}
