//! vtpmd by the name of swtpm: what a program that replaces swtpm must do, item by item.
//!
//! 1. every option of swtpm, in each spelling; nothing is ignored silently
//! 2. the capability strings that libvirt checks, and a version of 0.10 or later
//! 3. the control socket is there at once and answers while commands run; CANCEL stops them
//! 4. answers byte by byte, padded requests, blobs in pieces
//! 5. every commit is whole and durable before it is answered
//! 6. locks: one process, released after the last blob of a migration, taken back by LOCK_STORAGE
//! 7. TPM2_Shutdown before STOP, INIT, SHUTDOWN and the end
//! 8. libtpms's formats, and its primary keys: `tests/compat`, against Debian's swtpm; here that the files are swtpm's
//! 9. capacities and properties of TPMs of libtpms; only object contexts may be larger, for RSA-4096 keys
//! 10. the tools: `tests/compat/tests/programs.rs`, with all of them in place

mod common;

use common::{Control, Daemon, Data, Folder, VTPMD, key_file, wait};
use core::time::Duration;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Instant;

/// vtpmd by the name of swtpm.
fn swtpm() -> Command {
    let mut command = Command::new(VTPMD);
    command.arg0("swtpm").stdin(Stdio::null());
    command
}

fn output(words: &[&str]) -> (Option<i32>, String, String) {
    let out = swtpm().args(words).output().unwrap();
    let text = |b: Vec<u8>| String::from_utf8(b).unwrap();
    (out.status.code(), text(out.stdout), text(out.stderr))
}

/// The words that libvirt runs, with a data socket besides.
fn words(folder: &Folder, extra: &[&str]) -> Command {
    let mut command = swtpm();
    command
        .arg("socket")
        .args(["--ctrl", &format!("type=unixio,path={},mode=0600", folder.text("ctrl"))])
        .args(["--tpmstate", &format!("dir={},mode=0600,lock", folder.text("state"))])
        .args(["--log", &format!("file={},level=3", folder.text("log"))])
        .arg("--tpm2")
        .args(["--server", &format!("type=unixio,path={}", folder.text("data"))])
        .args(extra)
        .stderr(Stdio::piped());
    command
}

fn start(folder: &Folder, extra: &[&str]) -> Daemon {
    Daemon::spawn(folder, &mut words(folder, extra))
}

fn on(folder: &Folder, extra: &[&str]) -> (Daemon, Control, Data) {
    let daemon = start(folder, extra);
    let mut control = daemon.control();
    assert_eq!(control.result(2, &[0; 4]), 0, "INIT");
    let mut data = daemon.data();
    assert_eq!(data.startup(), 0);
    (daemon, control, data)
}

#[test]
fn item_1_every_option_in_each_spelling() {
    let folder = Folder::new("item-1");
    let state = format!("dir={}", folder.text("state"));
    for words in [
        &["--tpmstate", &state, "--print-states"][..],
        &["--tpms", &state, "--print-s"],
        &[&format!("--tpmstate=backend-uri=dir://{}", folder.text("state")), "--print-states", "--seccomp=action=none"],
        &["--tpmstate", &state, "--print-states", "--migration", "incoming,release-lock-outgoing"],
        &["--tpmstate", &state, "--print-states", "--flags", "startup-clear", "--locality=reject-locality-4"],
        &["--tpmstate", &state, "--print-states", "-r", "root", "-d", "-t", "--log", "level=0", "--pid", "fd=2"],
        &["--tpmstate", &state, "--print-states", "-p", "2321", "--ctrl", "type=tcp,port=2322,terminate"],
    ] {
        let all = [&["socket", "--tpm2"][..], words].concat();
        let (code, stdout, stderr) = output(&all);
        assert_eq!((code, stdout.trim()), (Some(0), r#"{ "type": "swtpm", "states": [] }"#), "{words:?}: {stderr}");
    }
    for (words, part) in [
        (&[][..], "Missing TPM interface type."),
        (&["other"], "Unsupported TPM interface type 'other'."),
        (&["cuse", "-n", "vtpm0"], "'cuse' is not supported"),
        (&["socket", "--tpm2", "--unknown"], "unknown option '--unknown'"),
        (&["socket", "--tpm2", "stray"], "stray"),
        (&["socket", "--tpm2", "--tpmstate", "dir=/x,strange", "--print-states"], "Unknown option 'strange'"),
        (&["socket", "--tpm2", "--print-states"], "--tpmstate"),
        (&["socket", "--fd", "1"], "standard stream"),
        (&["socket", "--tpm2", "--tpmstate", "dir=/x", "--vm", "a", "--flags", "not-need-init", "-p", "0"], "--vm"),
    ] {
        let (code, _, stderr) = output(words);
        assert!(code == Some(1) && stderr.starts_with("swtpm: ") && stderr.contains(part), "{words:?}: {stderr}");
    }
    for words in [&["--help"][..], &["-h"], &["socket", "--help"], &["chardev", "-h"], &["--version"], &["-v"]] {
        assert_eq!(output(words).0, Some(0), "{words:?}");
    }
    assert!(output(&["socket", "--help"]).1.contains("--tpm2"));
    assert!(!output(&["--help"]).1.contains("cuse"), "it is not there");
}

/// Options of swtpm with a value each, `""` for those without one.
const EACH: [(&str, &str); 22] = [
    ("port", "2321"),
    ("server", "type=unixio,path=/x,mode=0600"),
    ("ctrl", "type=tcp,port=2322,bindaddr=127.0.0.1,terminate"),
    ("terminate", ""),
    ("daemon", ""),
    ("tpm2", ""),
    ("tpmstate", "dir=/x,mode=0600,lock=false,backup,fsync"),
    ("key", "pwdfile=/x,mode=aes-256-cbc,kdf=pbkdf2,remove=false"),
    ("migration-key", "file=/x,format=binary,mode=aes-cbc"),
    ("log", "file=/x,level=20,prefix=p,truncate"),
    ("pid", "file=/x"),
    ("locality", "reject-locality-4,allow-set-locality"),
    ("runas", "root"),
    ("chroot", "/x"),
    ("seccomp", "action=log"),
    ("flags", "not-need-init,startup-clear,disable-auto-shutdown"),
    ("migration", "incoming,release-lock-outgoing"),
    ("profile", "name=custom,remove-disabled=check"),
    ("pcap", "file=/x,truncate,mode=0600,checksums"),
    ("print-states", ""),
    ("print-profiles", ""),
    ("print-info", "0x20"),
];

#[test]
fn item_1_each_option_by_each_of_its_beginnings() {
    // The capabilities are printed once the whole line was understood.
    for (name, value) in EACH {
        let others = || EACH.iter().map(|(other, _)| *other).chain(["print-capabilities", "help", "fd", "version"]);
        let clear = |length: usize| others().filter(|other| other.starts_with(&name[..length])).count() == 1;
        for length in (1..=name.len()).filter(|length| *length == name.len() || clear(*length)) {
            let word = format!("--{}", &name[..length]);
            let joined = format!("{word}={value}");
            let lines: &[&[&str]] = if value.is_empty() { &[&[&word]] } else { &[&[&word, value], &[&joined]] };
            for line in lines {
                let (code, stdout, stderr) = output(&[&["socket"][..], line, &["--print-capabilities"]].concat());
                assert!(code == Some(0) && stdout.starts_with(r#"{ "type": "swtpm""#), "{line:?}: {stderr}");
            }
        }
        // An unknown part of the value, and a value where there is none, are errors.
        let wrong = if value.is_empty() { format!("--{name}=x") } else { format!("--{name}={value},strange=1") };
        let plain = ["port", "print-info", "runas", "chroot"].contains(&name);
        if !plain {
            let (code, _, stderr) = output(&["socket", &wrong, "--print-capabilities"]);
            assert!(code == Some(1) && stderr.contains(name), "{wrong}: {stderr}");
        }
    }
    // A beginning of two options is neither.
    let (code, _, stderr) = output(&["socket", "--print", "--tpm2"]);
    assert!(code == Some(1) && stderr.contains("--print"), "{stderr}");
}

#[test]
fn item_2_what_libvirt_looks_for() {
    let (code, text, _) = output(&["socket", "--tpm2", "--print-capabilities"]);
    assert_eq!(code, Some(0));
    assert!(text.starts_with(r#"{ "type": "swtpm", "features": [ "tpm-2.0", "#), "{text}");
    for feature in [
        "tpm-send-command-header",
        "flags-opt-startup",
        "cmdarg-seccomp",
        "cmdarg-key-fd",
        "cmdarg-pwd-fd",
        "cmdarg-print-states",
        "cmdarg-migration",
        "nvram-backend-dir",
        "nvram-backend-file",
        "rsa-keysize-2048",
        "rsa-keysize-3072",
        "cmdarg-print-info",
        "tpmstate-opt-lock",
    ] {
        assert!(text.contains(&format!("\"{feature}\"")), "{feature}");
    }
    assert!(text.trim().ends_with(r#""version": "0.10.2" }"#));
    assert!(output(&["--version"]).1.starts_with("TPM emulator version 0.10.2"));
}

/// TPM2_CreatePrimary of an RSA-3072 key (a sample template of the endorsement hierarchy): it takes long.
fn make_a_key(data: &mut Data) -> u32 {
    let attributes: u32 = 0x0003_0472;
    let public = [
        &[0, 1, 0, 0x0b][..],
        &attributes.to_be_bytes(),
        &[0, 0, 0, 6, 0, 128, 0, 0x43, 0, 0x10, 0x0c, 0, 0, 0, 0, 0, 0, 0],
    ]
    .concat();
    let sized = [&u16::try_from(public.len()).unwrap().to_be_bytes()[..], &public].concat();
    let rest = [&[0, 4, 0, 0, 0, 0][..], &sized, &[0, 0, 0, 0, 0, 0]].concat();
    data.run(true, 0x131, &[&[0x40, 0, 0, 1]], &rest).0
}

#[test]
fn item_3_the_control_channel_is_there_and_answers_while_a_command_runs() {
    let folder = Folder::new("item-3");
    // libvirt waits for a second. (One of ten: other tests are running.)
    let in_time = |_| {
        let _ = std::fs::remove_file(folder.at("ctrl"));
        let begin = Instant::now();
        let mut child = words(&folder, &[]).spawn().unwrap();
        wait("the control socket", || folder.at("ctrl").exists().then_some(()));
        let took = begin.elapsed();
        child.kill().unwrap();
        child.wait().unwrap();
        took < Duration::from_secs(1)
    };
    assert!((0..10).any(in_time));

    let folder = Folder::new("item-3-cancel");
    let (daemon, mut control, mut data) = on(&folder, &[]);
    let worker = std::thread::spawn(move || {
        loop {
            let rc = make_a_key(&mut data);
            if rc != 0 {
                return rc;
            }
            // Made before it could be cancelled.
            assert_eq!(data.run(false, 0x165, &[], &[0x80, 0, 0, 0]).0, 0, "FlushContext");
        }
    });
    for _ in 0..1000 {
        assert_eq!(control.ask(1, &[], 8), [0, 0, 0, 0, 0, 1, 0xff, 0xff]);
        assert_eq!(control.result(9, &[]), 0, "CANCEL");
        if worker.is_finished() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(worker.join().unwrap(), 0x909, "TPM_RC_CANCELED");
    drop(daemon);
}

#[test]
fn item_4_answers_byte_by_byte() {
    let folder = Folder::new("item-4");
    let daemon = start(&folder, &[]);
    let mut control = daemon.control();
    assert_eq!(control.ask(1, &[], 8), [0, 0, 0, 0, 0, 1, 0xff, 0xff], "GET_CAPABILITY");
    for code in [4, 6, 7, 8, 9, 0x0a, 0x0b] {
        let body: &[u8] = if code == 7 { &[0, 0, 0, 0] } else { &[] };
        let body = if code == 0x0b { &[0][..] } else { body };
        assert_eq!(control.ask(code, body, 4), [0, 0, 0, 0x0a], "command {code} before INIT");
    }
    assert_eq!(control.ask(0xff, &[], 4), [0, 0, 0, 0x0a], "no command");
    assert_eq!(control.ask(0x11, &[0; 4], 16)[..4], [0; 4], "SET_BUFFERSIZE");
    for padding in 0..4 {
        assert_eq!(control.ask(5, &vec![0; 1 + padding], 4), [0; 4], "SET_LOCALITY");
    }
    assert_eq!(control.ask(5, &[5], 4), [0, 0, 0, 0x3d]);
    assert_eq!(control.ask(2, &[0, 0], 4), [0, 0, 0, 3], "INIT, cut off");
    assert_eq!(control.ask(2, &[0; 4], 4), [0; 4], "INIT");
    assert_eq!(control.ask(4, &[], 8), [0; 8], "GET_TPMESTABLISHED");
    assert_eq!(control.ask(0x0b, &[0, 0, 0, 0], 4), [0, 0, 0, 0x3d], "RESET_TPMESTABLISHED at locality 0");
    assert_eq!(control.ask(0x0b, &[3, 0, 0, 0], 4), [0; 4]);
    assert_eq!(control.ask(0x0f, &[], 8), [0; 8], "GET_CONFIG");
    assert_eq!(control.ask(0x11, &[0, 0, 0x10, 0], 4), [0, 0, 0, 0x0a], "SET_BUFFERSIZE while on");
    assert_eq!(control.ask(0x13, &[0; 4], 4), [0; 4], "LOCK_STORAGE");
    assert_eq!(control.ask(6, &[], 4), [0; 4], "HASH_START");
    control.send(7, &[0, 0, 0, 8, 1, 2, 3]);
    std::thread::sleep(Duration::from_millis(50));
    control.0.write_all(&[4, 5, 6, 7, 8]).unwrap();
    assert_eq!(control.take(4), [0; 4], "HASH_DATA in pieces");
    assert_eq!(control.ask(8, &[], 4), [0; 4], "HASH_END");
    assert_eq!(control.ask(4, &[], 8), [0, 0, 0, 0, 1, 0, 0, 0]);
    let (result, flags, blob) = control.blob(1, 0);
    assert_eq!((result, flags, &blob[..4]), (0, 0, &[2, 1, 0, 10][..]), "GET_STATEBLOB in swtpm's envelope");
    assert_eq!(control.blob(3, 0), (0x800, 0, vec![]));
    assert_eq!(control.result(0x0e, &[]), 0, "STOP");
    for piece in [1, 7, 1000] {
        let head = [&[0, 0, 0, 0, 0, 0, 0, 1][..], &u32::try_from(blob.len()).unwrap().to_be_bytes()].concat();
        control.send(0x0d, &head);
        for part in blob.chunks(piece).map(<[u8]>::to_vec) {
            control.0.write_all(&part).unwrap();
        }
        assert_eq!(control.take(4), [0; 4], "SET_STATEBLOB in pieces of {piece}");
    }
    assert_eq!(control.ask(2, &[0; 4], 4), [0; 4], "INIT with the blob");
}

#[test]
fn item_5_every_commit_is_there_after_a_kill() {
    for state in ["dir", "file"] {
        let folder = Folder::new("item-5");
        let place = match state {
            "dir" => format!("dir={}", folder.text("state")),
            _ => format!("backend-uri=file://{}", folder.text("linear")),
        };
        let mut counted = 0;
        for round in 0..6 {
            let (mut daemon, _, mut data) = on(&folder, &["--tpmstate", &place]);
            if round == 0 {
                assert_eq!(data.define_counter(), 0);
                assert_eq!(data.increment(), Some(0));
                counted = data.counter();
            }
            let found = data.counter();
            assert!(found == counted || found == counted + 1, "{state}: {found} after {counted}");
            counted = found;
            let pid = daemon.child.id().to_string();
            let killer = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(5 + round * 13));
                Command::new("kill").args(["-9", &pid]).status().unwrap();
            });
            while data.increment() == Some(0) {
                counted += 1;
            }
            killer.join().unwrap();
            daemon.wait();
        }
        if state == "dir" {
            let names: Vec<_> =
                std::fs::read_dir(folder.at("state")).unwrap().map(|e| e.unwrap().file_name()).collect();
            assert!(
                names.iter().any(|name| name == "tpm2-00.permall") && !names.iter().any(|name| name == "tpm.state")
            );
        }
    }
}

#[test]
fn item_6_one_lock_that_a_migration_hands_over() {
    let (here, there) = (Folder::new("item-6"), Folder::new("item-6-other"));
    let shared = format!("dir={},lock", here.text("state"));
    let (_source, mut control, mut data) = on(&here, &["--migration", "release-lock-outgoing"]);
    assert_eq!(data.define_counter(), 0);
    let refused = start(&there, &["--tpmstate", &shared]);
    assert_eq!(refused.control().result(2, &[0; 4]), 0x1f, "INIT while another process has the lock");
    let log = std::fs::read_to_string(there.at("log")).unwrap();
    assert!(log.contains("SWTPM_NVRAM_Lock_Dir: Could not lock access to lockfile"), "{log}");
    drop(refused);
    // Scripts ask in this way whether a state is in use.
    let line = ["socket", "--tpm2", "--tpmstate", &shared, "--flags", "not-need-init"];
    let (code, _, stderr) = output(&line);
    assert!(code == Some(1) && stderr.contains("Resource temporarily unavailable"), "{stderr}");

    let target = start(&there, &["--tpmstate", &shared, "--migration", "release-lock-outgoing,incoming"]);
    let mut arriving = target.control();
    let blobs = [1, 2].map(|kind| (kind, control.blob(kind, 1).2));
    assert_eq!(control.blob(3, 1).0, 0x800, "the last one releases the lock");
    for (kind, blob) in &blobs {
        assert_eq!(arriving.set_blob(*kind, 0, blob), 0, "blob {kind}");
    }
    assert_eq!(arriving.result(2, &[0, 0, 0, 1]), 0, "INIT");
    assert_eq!(control.result(0x13, &[0, 0, 0, 2]), 9, "LOCK_STORAGE while the destination has the lock");
    // It tries again, 300 times with 10 ms between: the destination ends meanwhile.
    std::thread::scope(|threads| {
        threads.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            arriving.shutdown();
        });
        assert_eq!(control.result(0x13, &[0, 0, 1, 0x2c]), 0, "the source goes on");
    });
    drop(target);
    assert_eq!(data.increment(), Some(0));
    // Without LOCK_STORAGE the next command of the guest takes the lock back.
    for kind in [1, 2, 3] {
        control.blob(kind, 1);
    }
    assert_eq!(data.increment(), Some(0));
    let refused = start(&there, &["--tpmstate", &shared]);
    assert_eq!(refused.control().result(2, &[0; 4]), 0x1f);
}

#[test]
fn item_7_a_tpm_that_is_switched_off_is_shut_down() {
    // TPM_PT_PERMANENT 0x200: not that; the lockout counter (0x20e) counts a start that no Shutdown came before, if an
    // authorization had been used.
    fn lockout_counter(data: &mut Data) -> u32 {
        let (rc, rest) = data.run(false, 0x17a, &[], &[0, 0, 0, 6, 0, 0, 2, 0x0e, 0, 0, 0, 1]);
        assert_eq!(rc, 0);
        u32::from_be_bytes(rest[rest.len() - 4..].try_into().unwrap())
    }
    /// An NV Index that is subject to the lockout, written with its authorization value.
    fn use_an_authorization(data: &mut Data, define: bool) {
        if define {
            let public = [0, 14, 1, 0x50, 0, 9, 0, 0x0b, 0, 4, 0, 4, 0, 0, 0, 4];
            assert_eq!(data.run(true, 0x12a, &[&[0x40, 0, 0, 1]], &[&[0, 0][..], &public].concat()).0, 0);
        }
        let index = [1, 0x50, 0, 9];
        assert_eq!(data.run(true, 0x137, &[&index, &index], &[0, 4, 1, 2, 3, 4, 0, 0]).0, 0);
    }
    let folder = Folder::new("item-7");
    let (_daemon, mut control, mut data) = on(&folder, &[]);
    use_an_authorization(&mut data, true);
    for _ in 0..3 {
        use_an_authorization(&mut data, false);
        assert_eq!(control.result(2, &[0; 4]), 0, "INIT");
        assert_eq!(data.startup(), 0);
        assert_eq!(lockout_counter(&mut data), 0, "after INIT");
        use_an_authorization(&mut data, false);
        assert_eq!(control.result(0x0e, &[]), 0, "STOP");
        assert_eq!(control.result(2, &[0; 4]), 0, "INIT");
        assert_eq!(data.startup(), 0);
        assert_eq!(lockout_counter(&mut data), 0, "after STOP");
    }
    drop(data);
    drop(control);
    drop(_daemon);
    let (mut daemon, _, mut data) = on(&folder, &["--flags", "disable-auto-shutdown"]);
    use_an_authorization(&mut data, false);
    assert!(Command::new("kill").arg(daemon.child.id().to_string()).status().unwrap().success());
    assert!(daemon.wait().success());
    let (_daemon, _, mut data) = on(&folder, &[]);
    assert_eq!(lockout_counter(&mut data), 1, "not switched off by --flags disable-auto-shutdown");
}

#[test]
fn item_8_the_files_are_swtpms() {
    let folder = Folder::new("item-8");
    key_file(&folder.at("key"), '5');
    let key = format!("file={},mode=aes-256-cbc", folder.text("key"));
    let permall = folder.at("state/tpm2-00.permall");
    let size = |name: &str| std::fs::metadata(folder.at(name)).unwrap().len();
    let (mut daemon, mut control, _data) = on(&folder, &["--key", &key]);
    assert_eq!(control.result(0x0a, &[]), 0, "STORE_VOLATILE");
    let (_, text, _) =
        output(&["socket", "--tpm2", "--print-states", "--tpmstate", &format!("dir={}", folder.text("state"))]);
    let listed = format!(
        r#"{{ "type": "swtpm", "states": [ {{"name": "permall", "size": {}}}, {{"name": "volatilestate", "size": {}}} ] }}"#,
        size("state/tpm2-00.permall"),
        size("state/tpm2-00.volatilestate")
    );
    assert_eq!(text.trim(), listed);
    control.shutdown();
    assert!(daemon.wait().success());
    // Version 2, header of 10 bytes, encrypted with a key of 256 bits; the ciphertext is the first part.
    let bytes = std::fs::read(&permall).unwrap();
    assert_eq!(bytes[..6], [2, 1, 0, 10, 0, 9]);
    assert_eq!(bytes[6..10], u32::try_from(bytes.len()).unwrap().to_be_bytes());
    assert_eq!(bytes[10..12], [0, 2]);
    assert_eq!(std::fs::metadata(&permall).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!folder.at("state/tpm.state").exists());

    // Without the key it is refused and left alone; INIT says which.
    let without = start(&folder, &[]);
    assert_eq!(without.control().result(2, &[0; 4]), 0x101, "no key");
    let log = std::fs::read_to_string(folder.at("log")).unwrap();
    assert!(log.contains("no key was given"), "{log}");
    drop(without);
    assert_eq!(std::fs::read(&permall).unwrap(), bytes);
    // A missing state is a new TPM, as with swtpm.
    std::fs::remove_file(&permall).unwrap();
    std::fs::remove_file(folder.at("state/tpm2-00.volatilestate")).unwrap();
    drop(on(&folder, &[]));
    assert_eq!(std::fs::read(&permall).unwrap()[..6], [2, 1, 0, 10, 0, 0]);
    // A state in vtpmd's own format is not written beside.
    std::fs::write(folder.at("state/tpm.state"), b"x").unwrap();
    let out = words(&folder, &["--flags", "not-need-init"]).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).contains("--state-format vtpmd"));
}

#[test]
fn item_8_a_backup_takes_the_place_of_a_state_that_is_torn() {
    let folder = Folder::new("item-8-backup");
    let state = format!("dir={},backup", folder.text("state"));
    let (mut daemon, mut control, mut data) = on(&folder, &["--tpmstate", &state]);
    assert_eq!(data.define_counter(), 0);
    assert_eq!(data.increment(), Some(0));
    control.shutdown();
    daemon.wait();
    std::fs::write(folder.at("state/tpm2-00.permall"), b"").unwrap();
    let (_daemon, _, mut data) = on(&folder, &["--tpmstate", &state]);
    assert!(data.counter() > 0);
}

#[test]
fn item_9_properties_are_those_of_libtpms() {
    let folder = Folder::new("item-9");
    let (_daemon, mut control, mut data) = on(&folder, &[]);
    // The least buffer of swtpm is 2808 bytes; here contexts of RSA-4096 keys fit too. QEMU's CRB wants no more than 3968.
    let sizes = control.ask(0x11, &[0; 4], 16);
    assert!(u32::from_be_bytes(sizes[8..12].try_into().unwrap()) <= 3968);
    for (property, value) in [
        (0x102_u32, 164_u32), // REVISION
        (0x105, 0x4942_4d00), // MANUFACTURER
        (0x106, 0x5357_2020), // VENDOR_STRING_1
        (0x107, 0x2054_504d), // VENDOR_STRING_2
        (0x10a, 1),           // VENDOR_TPM_TYPE
        (0x10d, 1024),        // INPUT_BUFFER
        (0x10e, 3),           // HR_TRANSIENT_MIN
        (0x10f, 7),           // HR_PERSISTENT_MIN
        (0x110, 3),           // HR_LOADED_MIN
        (0x111, 64),          // ACTIVE_SESSIONS_MAX
        (0x112, 24),          // PCR_COUNT
        (0x114, 0xffff),      // CONTEXT_GAP_MAX
        (0x117, 2048),        // NV_INDEX_MAX
        (0x118, 6),           // MEMORY
        (0x119, 4096),        // CLOCK_UPDATE
        (0x11a, 0x0d),        // CONTEXT_HASH
        (0x11b, 6),           // CONTEXT_SYM
        (0x11c, 256),         // CONTEXT_SYM_SIZE
        (0x11d, 255),         // ORDERLY_COUNT
        (0x11e, 4096),        // MAX_COMMAND_SIZE
        (0x11f, 4096),        // MAX_RESPONSE_SIZE
        (0x120, 64),          // MAX_DIGEST
        (0x122, 404),         // MAX_SESSION_CONTEXT
        (0x128, 128),         // SPLIT_MAX
        (0x129, 110),         // TOTAL_COMMANDS
        (0x12c, 1024),        // NV_BUFFER_MAX
    ] {
        let body = [&[0, 0, 0, 6][..], &property.to_be_bytes(), &[0, 0, 0, 1]].concat();
        let (rc, rest) = data.run(false, 0x17a, &[], &body);
        assert_eq!(rc, 0);
        assert_eq!(rest[rest.len() - 8..rest.len() - 4], property.to_be_bytes());
        assert_eq!(rest[rest.len() - 4..], value.to_be_bytes(), "property 0x{property:x}");
    }
}

#[test]
fn a_character_device_is_a_data_channel() {
    // The slave of a pseudo-terminal, in raw mode, is a character device.
    let folder = Folder::new("chardev");
    let flags = rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY;
    let master = rustix::pty::openpt(flags).unwrap();
    rustix::pty::grantpt(&master).unwrap();
    rustix::pty::unlockpt(&master).unwrap();
    let path = rustix::pty::ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let mut settings = rustix::termios::tcgetattr(&master).unwrap();
    settings.make_raw();
    rustix::termios::tcsetattr(&master, rustix::termios::OptionalActions::Now, &settings).unwrap();
    let mut command = swtpm();
    command
        .args(["chardev", "--tpm2", "--chardev", &path, "--flags", "startup-clear"])
        .args(["--tpmstate", &format!("dir={}", folder.text("state"))])
        .args(["--ctrl", &format!("type=unixio,path={}", folder.text("ctrl"))])
        .stderr(Stdio::piped());
    let daemon = Daemon::spawn(&folder, &mut command);
    let mut data = Data(std::fs::File::from(master));
    assert_eq!(data.random().0, 0);
    daemon.control().shutdown();

    let (code, _, stderr) =
        output(&["chardev", "--tpm2", "-c", "/etc/passwd", "--tpmstate", "dir=/tmp", "--flags", "not-need-init"]);
    assert!(code == Some(1) && stderr.contains("not a character device"), "{stderr}");
    if !std::path::Path::new("/dev/vtpmx").exists() {
        let line = ["chardev", "--tpm2", "--vtpm-proxy", "--tpmstate", &format!("dir={}", folder.text("state"))];
        let (code, _, stderr) = output(&line);
        assert!(code == Some(1) && stderr.contains("tpm_vtpm_proxy"), "{stderr}");
    }
    let (code, _, stderr) = output(&["chardev", "--tpm2", "--tpmstate", "dir=/tmp"]);
    assert!(code == Some(1) && stderr.contains("--vtpm-proxy"), "{stderr}");
}

#[test]
fn the_lines_that_libvirt_runs() {
    let folder = Folder::new("libvirt");
    std::fs::write(folder.at("pass"), "a passphrase").unwrap();
    // A shell gives the passphrase twice, as libvirt does by two pipes.
    let script = r#"exec "$0" "$@" 7<"$PASS" 8<"$PASS""#;
    let run = |words: &[String]| {
        let mut command = Command::new("sh");
        // The shell's $0 is the program; by a link it has the name.
        let link = folder.at("swtpm");
        let _ = std::os::unix::fs::symlink(VTPMD, &link);
        command.args(["-c", script]).arg(link).args(words).env("PASS", folder.at("pass")).stdin(Stdio::null());
        command
    };
    let text = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let state = folder.text("state");
    let daemon = text(&format!(
        "socket --ctrl type=unixio,path={},mode=0600 --tpmstate dir={state},mode=0600,lock --log file={},level=3 --terminate --tpm2 --key pwdfd=7,mode=aes-256-cbc --migration-key pwdfd=8,mode=aes-256-cbc --migration release-lock-outgoing",
        folder.text("ctrl"),
        folder.text("log"),
    ));
    let mut child = run(&daemon).spawn().unwrap();
    let mut control = Control(wait("the control socket", || UnixStream::connect(folder.at("ctrl")).ok()));
    assert_eq!(control.ask(0x0f, &[], 8), [0, 0, 0, 0, 0, 0, 0, 3], "GET_CONFIG: both keys");
    assert_eq!(control.result(2, &[0; 4]), 0);
    control.shutdown();
    assert!(wait("the end", || child.try_wait().unwrap()).success());
    assert!(!folder.at("ctrl").exists());
    let profile =
        text(&format!("socket --print-info 0x20 --tpm2 --tpmstate dir={state} --key pwdfd=7,mode=aes-256-cbc"));
    let out = run(&profile).output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
}

/// TPM2_GetRandom, TPM2_StirRandom and TPM2_Hash with SHA-1 of a TPM with this profile.
fn with_profile(profile: &str) -> (Folder, [u32; 3]) {
    let folder = Folder::new("profile");
    let (_daemon, mut control, mut data) = on(&folder, &["--profile", profile]);
    let codes = [
        data.random().0,
        data.run(false, 0x146, &[], &[0, 1, 7]).0,
        data.run(false, 0x17d, &[], &[0, 1, 7, 0, 4, 0x40, 0, 0, 7]).0,
    ];
    control.shutdown();
    (folder, codes)
}

#[test]
fn a_profile_is_kept_and_obeyed() {
    let all = "0x11f-0x122,0x124-0x12e,0x130-0x140,0x142-0x145,0x147-0x159,0x15b-0x15e,0x160-0x165,0x167-0x174,0x176-0x178,0x17a-0x193,0x197,0x199-0x19c";
    let text = format!(r#"profile={{"Name":"custom:mine","Commands":"{all}"}}"#);
    let (folder, codes) = with_profile(&text);
    assert_eq!(codes, [0, 0x143, 0], "StirRandom was left out");
    let state = format!("dir={}", folder.text("state"));
    let (code, json, _) = output(&["socket", "--tpm2", "--print-info", "0x20", "--tpmstate", &state]);
    assert_eq!(code, Some(0));
    assert!(
        json.contains(r#"{"ActiveProfile":{"Name":"custom:mine","StateFormatLevel":8,"Commands":"0x11f-0x122"#),
        "{json}"
    );
    // The next start has it too, whatever is asked for.
    let (_daemon, mut control, mut data) = on(&folder, &["--profile", "name=null"]);
    assert_eq!(data.run(false, 0x146, &[], &[0, 1, 7]).0, 0x143);
    let answer = control.ask(0x12, &[0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0], 12);
    let length = u32::from_be_bytes(answer[8..12].try_into().unwrap());
    let info = control.take(length as usize);
    assert!(info.starts_with(br#"{"ActiveProfile":{"Name":"custom:mine""#), "GET_INFO");

    let (code, list, _) = output(&["socket", "--tpm2", "--print-profiles"]);
    assert!(code == Some(0) && list.starts_with(r#"{"AvailableProfiles":[{"Name":"default-v2","StateFormatLevel":8,"#));
    let without = list.split("\"Algorithms\":\"").nth(1).unwrap().split('"').next().unwrap().replace(",sha1", "");
    let (_, codes) = with_profile(&format!(r#"profile={{"Name":"custom","Algorithms":"{without}"}}"#));
    assert_eq!(codes, [0, 0, 0x2c3], "SHA-1 was left out: TPM_RC_HASH, parameter 2");
    let (_, codes) = with_profile("name=default-v1");
    assert_eq!(codes, [0, 0, 0]);
    let line = ["socket", "--tpm2", "--tpmstate", "dir=/tmp", "--flags", "not-need-init", "-p", "0", "--profile"];
    let (code, _, stderr) = output(&[&line[..], &["name=other"]].concat());
    assert!(code == Some(1) && stderr.contains("no profile 'other'"), "{stderr}");
}

#[test]
fn rsa_4096_is_not_of_the_null_profile() {
    let folder = Folder::new("null-profile");
    let (_daemon, _, mut data) = on(&folder, &[]);
    // TPM2_TestParms of an RSA key: symmetric NULL, scheme NULL, bits, exponent 0.
    let mut test = |bits: u16| {
        let [high, low] = bits.to_be_bytes();
        data.run(false, 0x18a, &[], &[0, 1, 0, 0x10, 0, 0x10, high, low, 0, 0, 0, 0]).0
    };
    assert_eq!(test(3072), 0);
    assert_eq!(test(4096), 0x1c4, "TPM_RC_VALUE, parameter 1");
}

#[test]
fn a_capture_has_swtpms_sizes() {
    let folder = Folder::new("pcap");
    let pcap = format!("file={},mode=0654", folder.text("capture"));
    let size = || std::fs::metadata(folder.at("capture")).unwrap().len();
    let daemon = start(&folder, &["--pcap", &pcap]);
    let mut control = daemon.control();
    assert_eq!(control.result(2, &[0; 4]), 0, "INIT");
    assert_eq!(size(), 312);
    assert_eq!(daemon.data().startup(), 0);
    assert_eq!(size(), 508);
    assert_eq!(std::fs::metadata(folder.at("capture")).unwrap().permissions().mode() & 0o777, 0o654);
    control.shutdown();
    drop(daemon);
}
