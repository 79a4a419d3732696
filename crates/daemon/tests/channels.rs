//! Both channels of a real daemon: bytes, order, garbage, and QEMU's way of using them.

mod common;

use common::{Control, Daemon, Folder, control_only, key_file, set_data_fd};
use core::time::Duration;
use std::io::{Read, Write};
use std::time::Instant;

/// TPM2_ReadClock, QEMU's probe.
const READ_CLOCK: [u8; 10] = [0x80, 1, 0, 0, 0, 10, 0, 0, 1, 0x81];

/// A daemon as QEMU gets it: control channel only.
fn for_qemu(folder: &Folder) -> Daemon {
    Daemon::spawn(folder, &mut control_only(folder))
}

/// What QEMU sends at the reset of the machine.
fn qemu_reset(control: &mut Control) {
    assert_eq!(control.result(0x0e, &[]), 0, "STOP");
    let sizes = control.ask(0x11, &4096_u32.to_be_bytes(), 16);
    assert_eq!(sizes[..8], [0, 0, 0, 0, 0, 0, 0x10, 0]);
    assert_eq!(control.result(0x02, &[0; 4]), 0, "INIT");
}

#[test]
fn qemu_starts_resets_migrates_and_leaves() {
    let (here, there) = (Folder::new("qemu-source"), Folder::new("qemu-target"));
    let mut source = for_qemu(&here);
    let mut control = source.control();
    let (result, mut data) = set_data_fd(&mut control);
    assert_eq!(result, 0);
    assert_eq!(set_data_fd(&mut control).0, 0x1f, "only one");
    data.0.write_all(&READ_CLOCK).unwrap();
    assert_eq!(data.read().unwrap().0, 0x101, "a TPM 2.0 that is off");
    assert_eq!(control.ask(1, &[], 8), [0, 0, 0, 0, 0, 1, 0xff, 0xff]);
    qemu_reset(&mut control);
    assert_eq!(control.result(0x05, &[0, 0, 0, 0]), 0, "SET_LOCALITY with padding");
    assert_eq!(control.ask(0x04, &[], 8), [0; 8]);
    assert_eq!(data.startup(), 0);
    assert_eq!(data.extend(), 0);
    let extended = data.pcr();
    qemu_reset(&mut control);
    assert_eq!(data.startup(), 0);
    assert_ne!(data.pcr(), extended, "a reset starts the PCRs anew");
    for _ in 0..3 {
        assert_eq!(data.extend(), 0);
    }
    let extended = data.pcr();

    let mut target = for_qemu(&there);
    let mut arriving = target.control();
    let (result, mut arriving_data) = set_data_fd(&mut arriving);
    assert_eq!(result, 0);
    assert_eq!(arriving.result(0x0e, &[]), 0, "STOP");
    for kind in [1, 2, 3] {
        let (result, flags, blob) = control.blob(kind, 1);
        assert_eq!((result, flags), (if kind == 3 { 0x800 } else { 0 }, 0));
        if kind != 3 {
            assert_eq!(arriving.set_blob(kind, 0, &blob), 0, "blob {kind}");
        }
    }
    assert_eq!(arriving.result(0x02, &[0, 0, 0, 1]), 0, "INIT");
    assert_eq!(arriving_data.pcr(), extended, "no Startup was needed");
    arriving.shutdown();
    control.shutdown();
    assert!(source.wait().success() && target.wait().success());
}

#[test]
fn migration_blobs_are_sealed_and_opened_by_the_migration_key() {
    let (here, there) = (Folder::new("sealed-source"), Folder::new("sealed-target"));
    key_file(&here.at("key"), '1');
    key_file(&here.at("migration"), '3');
    let keys = [
        "--key".to_owned(),
        format!("file={},mode=aes-256-cbc", here.text("key")),
        "--migration-key".to_owned(),
        format!("file={},mode=aes-256-cbc", here.text("migration")),
    ];
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let source = Daemon::running(&here, &keys);
    let mut control = source.control();
    assert_eq!(control.ask(0x0f, &[], 8), [0, 0, 0, 0, 0, 0, 0, 3], "GET_CONFIG");
    let (_, flags, permanent) = control.blob(1, 0);
    assert_eq!(flags, 2);
    let (_, flags, volatile) = control.blob(2, 1);
    assert_eq!(flags, 0);
    let plain = Daemon::start(&there, &[]);
    let mut arriving = plain.control();
    assert_eq!(arriving.set_blob(1, 2, &permanent), 0x0d, "KEYNOTFOUND");
    drop((arriving, plain));
    let sealed = Daemon::start(&there, &keys);
    let mut arriving = sealed.control();
    assert_eq!(arriving.set_blob(2, 0, &volatile), 0x800, "volatile before permanent");
    assert_eq!(arriving.set_blob(1, 2, &permanent), 0);
    assert_eq!(arriving.set_blob(2, 0, &volatile), 0);
    assert_eq!(arriving.result(0x02, &[0, 0, 0, 1]), 0);
    assert_eq!(sealed.data().random().0, 0);
}

#[test]
fn a_stored_volatile_state_is_continued() {
    let folder = Folder::new("volatile");
    let mut daemon = Daemon::running(&folder, &[]);
    let mut data = daemon.data();
    assert_eq!(data.extend(), 0);
    let extended = data.pcr();
    assert_eq!(daemon.control().result(0x0a, &[]), 0, "STORE_VOLATILE");
    daemon.kill();
    let again = Daemon::start(&folder, &["--flags", "not-need-init"]);
    assert_eq!(again.data().pcr(), extended);
}

#[test]
fn commands_are_framed_by_their_size() {
    let folder = Folder::new("frames");
    let daemon = Daemon::running(&folder, &[]);
    let mut data = daemon.data();
    for byte in READ_CLOCK {
        data.0.write_all(&[byte]).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(data.read().unwrap().0, 0);
    data.0.write_all(&[READ_CLOCK, READ_CLOCK, READ_CLOCK].concat()).unwrap();
    for _ in 0..3 {
        assert_eq!(data.read().unwrap().0, 0);
    }
    for size in [9_u32, 11, 5000, u32::MAX] {
        let mut bad = READ_CLOCK;
        bad[2..6].copy_from_slice(&size.to_be_bytes());
        data.0.write_all(&bad).unwrap();
        assert_eq!(data.read().unwrap().0, 0x142, "TPM_RC_COMMAND_SIZE for {size}");
    }
    assert_eq!(data.random().0, 0);
    data.0.write_all(&[&[0, 0, 0, 8, 0, 0, 0, 0, 10][..], &READ_CLOCK].concat()).unwrap();
    let mut size = [0; 4];
    data.0.read_exact(&mut size).unwrap();
    assert_eq!(data.read().unwrap().0, 0);
    let mut end = [1; 4];
    data.0.read_exact(&mut end).unwrap();
    assert_eq!(end, [0; 4]);
}

#[test]
fn tcp_with_disconnect_closes_after_each_response() {
    let folder = Folder::new("tcp");
    let [port] = common::ports(core::net::Ipv4Addr::LOCALHOST.into());
    let server = format!("type=tcp,port={port},disconnect");
    let _daemon = Daemon::running(&folder, &["--server", &server]);
    for _ in 0..3 {
        let mut stream = common::wait("the port", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        stream.write_all(&READ_CLOCK).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        assert_eq!(all[6..10], [0; 4]);
    }
}

#[test]
fn garbage_on_the_control_channel_never_ends_the_process() {
    let folder = Folder::new("garbage");
    let mut daemon = Daemon::running(&folder, &["--log", "level=0"]);
    let mut seed = 0x2545_f491_u32;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(5) {
        let mut control = daemon.control();
        control.0.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        for _ in 0..20 {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            // Any number but SHUTDOWN's, and bytes behind it.
            let number = match seed % 32 {
                3 => u32::MAX,
                n => n,
            };
            let body: Vec<u8> = (0..seed >> 27).map(|n| (seed >> (n % 24)) as u8).collect();
            if control.0.write_all(&[&number.to_be_bytes(), &body[..]].concat()).is_err() {
                break;
            }
            let _ = control.0.read(&mut [0; 8192]);
        }
        assert!(daemon.child.try_wait().unwrap().is_none(), "the daemon ended");
    }
    assert_eq!(daemon.control().ask(1, &[], 8), [0, 0, 0, 0, 0, 1, 0xff, 0xff]);
}

#[test]
fn the_control_channel_answers_and_cancels_while_a_command_runs() {
    let folder = Folder::new("cancel");
    let daemon = Daemon::running(&folder, &[]);
    let mut data = daemon.data();
    let mut control = daemon.control();
    // CreatePrimary of an RSA 4096 signing key, again and again until one was hit by the cancel.
    let public =
        [&[0, 1, 0, 0x0b, 0, 4, 0, 0x72, 0, 0][..], &[0, 0x10, 0, 0x14, 0, 0x0b, 0x10, 0, 0, 0, 0, 0, 0, 0]].concat();
    for attempt in 0..20_u8 {
        let sized = [&u16::try_from(public.len() + 1).unwrap().to_be_bytes()[..], &public[..22]].concat();
        let unique = [0, 1, attempt];
        let rest = [&[0, 4, 0, 0, 0, 0][..], &sized, &unique, &[0, 0, 0, 0, 0, 0]].concat();
        let auth = [0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0];
        let size = u32::try_from(10 + 4 + auth.len() + rest.len()).unwrap();
        let head = [&[0x80, 2][..], &size.to_be_bytes(), &[0, 0, 1, 0x31], &[0x40, 0, 0, 1]].concat();
        data.0.write_all(&[&head[..], &auth, &rest].concat()).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        let begin = Instant::now();
        assert_eq!(control.ask(1, &[], 8)[..4], [0; 4]);
        assert_eq!(control.ask(4, &[], 8)[..4], [0; 4]);
        assert!(begin.elapsed() < Duration::from_millis(500), "the control channel waited for the command");
        assert_eq!(control.result(9, &[]), 0);
        let (rc, rest) = data.read().unwrap();
        match rc {
            0x909 => return,
            0 => {
                let handle: [u8; 4] = rest[..4].try_into().unwrap();
                assert_eq!(data.run(false, 0x165, &[&handle], &[]).0, 0, "FlushContext");
            }
            other => panic!("CreatePrimary gave 0x{other:x}"),
        }
    }
    panic!("no command was cancelled in 20 attempts");
}
