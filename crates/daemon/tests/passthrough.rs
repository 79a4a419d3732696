//! `vtpmd passthrough` as a process: another vtpmd (and swtpm, where it is installed) is the TPM on a socket.

mod common;

use common::{Daemon, Data, Folder, VTPMD, wait};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

/// A passthrough daemon in `folder` with these words before those of its sockets.
fn passthrough(folder: &Folder, words: &[&str]) -> Daemon {
    let mut command = Command::new(VTPMD);
    command
        .arg("passthrough")
        .args(words)
        .args(["--ctrl", &format!("type=unixio,path={}", folder.text("ctrl"))])
        .args(["--server", &format!("type=unixio,path={}", folder.text("data"))])
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    Daemon::spawn(folder, &mut command)
}

/// TPM2_Clear by the lockout authorization.
fn clear(data: &mut Data) -> u32 {
    data.run(true, 0x126, &[&[0x40, 0, 0, 0x0a]], &[]).0
}

/// An HMAC session that stays in the TPM; its handle.
fn session(data: &mut Data) -> (u32, Vec<u8>) {
    let parameters = [&[0, 16][..], &[1; 16], &[0, 0], &[0], &[0, 0x10], &[0, 0x0b]].concat();
    let null = [0x40, 0, 0, 7];
    data.run(false, 0x176, &[&null, &null], &parameters)
}

/// Sessions that are loaded.
fn sessions(data: &mut Data) -> u32 {
    let (rc, rest) = data.run(false, 0x17a, &[], &[0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 16]);
    assert_eq!(rc, 0);
    u32::from_be_bytes(rest[5..9].try_into().unwrap())
}

#[test]
fn a_guest_lives_on_a_tpm_that_is_not_its_own() {
    let (there, here) = (Folder::new("pass-device"), Folder::new("pass-guest"));
    let device = Daemon::running(&there, &[]);
    let mut guest = passthrough(&here, &["--socket", &there.text("data")]);
    let (mut control, mut data) = (guest.control(), guest.data());
    // No state blobs, no storage: QEMU does not migrate this VM.
    assert_eq!(control.ask(0x01, &[], 8)[4..], 0xfcaf_u32.to_be_bytes()[..]);
    assert_eq!(data.random().0, 0x101, "off");
    assert_eq!(control.result(0x02, &[0; 4]), 0);
    assert_eq!(data.random().0, 0x100);
    assert_eq!(data.startup(), 0);
    assert_eq!(data.random().0, 0);
    assert_eq!(clear(&mut data), 0x120);
    assert_eq!(data.define_counter(), 0);
    assert_eq!(data.increment(), Some(0));
    let counted = data.counter();
    assert_eq!(data.extend(), 0);
    let extended = data.pcr();
    assert_eq!(session(&mut data).0, 0);
    assert_eq!(sessions(&mut data), 1);
    // A reset of the VM: the session is gone, PCRs and NV are the device's.
    assert_eq!(control.result(0x0e, &[]), 0);
    assert_eq!(control.result(0x02, &[0; 4]), 0);
    assert_eq!(data.startup(), 0);
    assert_eq!(sessions(&mut data), 0);
    assert_eq!((data.counter(), data.pcr()), (counted, extended));
    for request in [0x0a, 0x13] {
        let body: &[u8] = if request == 0x13 { &[0; 4] } else { &[] };
        assert_ne!(control.result(request, body), 0);
    }
    assert_eq!(control.ask(0x0c, &[0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0], 16)[..4], [0, 0, 0, 0x0a]);
    assert_eq!(data.random().0, 0, "a refused state blob is no failure of the TPM");
    control.shutdown();
    assert!(guest.wait().success());
    let text = guest.stderr();
    for part in ["PCRs cannot be reset", "TPM2_Clear", "cannot leave it"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    drop(device);
}

#[test]
fn after_a_failed_control_command_nothing_is_passed_on_until_it_is_put_right() {
    let (there, here) = (Folder::new("pass-closed"), Folder::new("pass-closed-guest"));
    let _device = Daemon::running(&there, &[]);
    let guest = passthrough(&here, &["--socket", &there.text("data")]);
    let (mut control, mut data) = (guest.control(), guest.data());
    assert_eq!(control.result(0x02, &[0; 4]), 0);
    assert_eq!(data.startup(), 0);
    // Locality 3 is not to be had. What was meant for it must not run at locality 0.
    assert_eq!(control.result(0x05, &[3, 0, 0, 0]), 0x3d);
    assert_eq!(data.random().0, 0x101);
    assert_eq!(control.result(0x09, &[]), 0, "another command that succeeds changes nothing");
    assert_eq!(data.random().0, 0x101);
    assert_eq!(control.result(0x05, &[0]), 0);
    assert_eq!(data.random().0, 0);
    assert_ne!(control.result(0x06, &[]), 0, "HASH_START");
    assert_eq!(data.random().0, 0x101);
    assert_eq!(control.result(0x0e, &[]), 0);
    assert_eq!(control.result(0x02, &[0; 4]), 0, "INIT puts everything right");
    assert_eq!(data.startup(), 0);
    assert_eq!(data.random().0, 0);
}

#[test]
fn a_device_that_is_gone_is_an_error_until_it_is_back() {
    let (there, here) = (Folder::new("pass-gone"), Folder::new("pass-gone-guest"));
    let mut device = Daemon::running(&there, &[]);
    let guest = passthrough(&here, &["--socket", &there.text("data")]);
    let (mut control, mut data) = (guest.control(), guest.data());
    assert_eq!(control.result(0x02, &[0; 4]), 0);
    assert_eq!(data.startup(), 0);
    device.kill();
    assert_eq!(data.random().0, 0x101);
    assert_eq!(control.result(0x0e, &[]), 0);
    assert_ne!(control.result(0x02, &[0; 4]), 0, "nobody is there");
    assert_eq!(data.random().0, 0x101);
    let _ = std::fs::remove_file(there.at("data"));
    let _again = Daemon::running(&there, &[]);
    wait("the device", || UnixStream::connect(there.at("data")).ok().map(drop));
    assert_eq!(control.result(0x02, &[0; 4]), 0);
    assert_eq!(data.startup(), 0);
    assert_eq!(data.random().0, 0);
}

/// A TPM with a control channel is reset with the VM: PCRs begin anew, and it has localities.
fn with_control_channel(program: &str) {
    let (there, here) = (Folder::new("pass-ctrl"), Folder::new("pass-ctrl-guest"));
    let mut command = Command::new(program);
    command
        .args(["socket", "--tpm2", "--tpmstate", &format!("dir={}", there.text("state"))])
        .args(["--ctrl", &format!("type=unixio,path={}", there.text("ctrl"))])
        .args(["--server", &format!("type=unixio,path={}", there.text("data"))])
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    let device = Daemon::spawn(&there, &mut command);
    // Who answers on the control socket listens on both.
    device.control().ask(1, &[], 8);
    let guest = passthrough(&here, &["--socket", &there.text("data"), "--socket-ctrl", &there.text("ctrl")]);
    let (mut control, mut data) = (guest.control(), guest.data());
    assert_eq!(control.result(0x02, &[0; 4]), 0, "{program}");
    assert_eq!(data.startup(), 0);
    let fresh = data.pcr();
    assert_eq!(data.extend(), 0);
    assert_ne!(data.pcr(), fresh);
    assert_eq!(clear(&mut data), 0x120, "still a matter of the policy");
    assert_eq!(control.result(0x05, &[3]), 0, "SET_LOCALITY");
    assert_eq!(data.random().0, 0);
    assert_eq!(control.result(0x05, &[0]), 0);
    assert_eq!(control.result(0x0e, &[]), 0);
    assert_eq!(control.result(0x02, &[0; 4]), 0);
    assert_eq!(data.startup(), 0);
    assert_eq!(data.pcr(), fresh, "{program}: the PCRs were reset");
    // HASH_START, HASH_DATA, HASH_END; then the bit.
    assert_eq!(control.result(0x06, &[]), 0);
    assert_eq!(control.result(0x07, &[0, 0, 0, 2, 1, 2]), 0);
    assert_eq!(control.result(0x08, &[]), 0);
    assert_eq!(control.ask(0x04, &[], 8), [0, 0, 0, 0, 1, 0, 0, 0]);
    drop(device);
}

#[test]
fn a_tpm_with_a_control_channel_is_reset_with_the_vm() {
    with_control_channel(VTPMD);
    let swtpm = "/usr/bin/swtpm";
    if std::path::Path::new(swtpm).exists() {
        with_control_channel(swtpm);
    } else {
        eprintln!("swtpm is not installed: that part is skipped");
    }
}

/// TPM2_CreatePrimary of an RSA-3072 key, and TPM2_FlushContext of it.
fn make_a_key(data: &mut Data) {
    let public = [0, 1, 0, 0x0b, 0, 3, 4, 0x72, 0, 0, 0, 6, 0, 128, 0, 0x43, 0, 0x10, 0x0c, 0, 0, 0, 0, 0, 0, 0];
    let rest = [&[0, 4, 0, 0, 0, 0, 0, 26][..], &public, &[0; 6]].concat();
    let (rc, made) = data.run(true, 0x131, &[&[0x40, 0, 0, 1]], &rest);
    assert_eq!(rc, 0);
    assert_eq!(data.run(false, 0x165, &[], &made[..4]).0, 0);
}

#[test]
fn an_inherited_descriptor_is_the_tpm_and_a_file_of_the_kernel_cancels_it() {
    let (there, here) = (Folder::new("pass-fd"), Folder::new("pass-fd-guest"));
    let _device = Daemon::running(&there, &[]);
    // The kernel's file is written to, and never made.
    std::fs::write(here.at("cancel"), "").unwrap();
    let start = |words: &str, inherited: std::os::fd::OwnedFd| {
        let mut command = Command::new("sh");
        let script = format!(
            "exec 3<&0 0</dev/null; exec {VTPMD} passthrough --device-fd 3 {words} --ctrl type=unixio,path={} --server type=unixio,path={}",
            here.text("ctrl"),
            here.text("data")
        );
        command.args(["-c", &script]).stdin(Stdio::from(inherited)).stderr(Stdio::piped());
        command
    };
    let stream = UnixStream::connect(there.at("data")).unwrap();
    let words = format!("--cancel-path {}", here.text("cancel"));
    let mut guest = Daemon::spawn(&here, &mut start(&words, stream.into()));
    let (mut control, mut data) = (guest.control(), guest.data());
    assert_eq!(control.result(0x02, &[0; 4]), 0);
    assert_eq!(data.startup(), 0);
    assert_eq!(data.random().0, 0);
    assert_eq!(control.result(0x09, &[]), 0, "CANCEL while nothing runs");
    assert_eq!(std::fs::read(here.at("cancel")).unwrap(), b"", "and nothing is cancelled");
    let done = core::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !done.load(core::sync::atomic::Ordering::SeqCst) {
                make_a_key(&mut data);
            }
        });
        wait("the cancelling of a command", || {
            assert_eq!(control.result(0x09, &[]), 0);
            std::fs::read(here.at("cancel")).is_ok_and(|text| text.starts_with(b"-")).then_some(())
        });
        done.store(true, core::sync::atomic::Ordering::SeqCst);
    });
    control.shutdown();
    assert!(guest.wait().success());

    // What is neither a device nor a socket, and what is not open.
    let file = std::fs::File::open("/proc/self/status").unwrap();
    let out = start("", file.into()).output().unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.code() == Some(1) && said.contains("neither a TPM device nor a socket"), "{said}");
    let out = Command::new(VTPMD).args(["passthrough", "--device-fd", "77", "--port", "0"]).output().unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.code() == Some(1) && said.contains("77") && said.contains("not open"), "{said}");
    let twice = ["passthrough", "--socket", "/x", "--socket-ctrl", "/y", "--cancel-path", "/z", "--port", "0"];
    let said = String::from_utf8(Command::new(VTPMD).args(twice).output().unwrap().stderr).unwrap();
    assert!(said.contains("exclude each other"), "{said}");
}

#[test]
fn a_device_that_answers_nonsense_is_named_in_one_sentence() {
    let (there, here) = (Folder::new("pass-short"), Folder::new("pass-short-guest"));
    let listener = std::os::unix::net::UnixListener::bind(there.at("data")).unwrap();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        while let Ok((mut client, _)) = listener.accept() {
            while let Ok(1..) = client.read(&mut [0; 4096]) {
                // Less than a header, and then the end.
                let _ = client.write_all(&[0x80, 1, 0]);
                let _ = client.shutdown(std::net::Shutdown::Both);
            }
        }
    });
    let out = Command::new(VTPMD)
        .args(["passthrough", "--socket", &there.text("data")])
        .args(["--ctrl", &format!("type=unixio,path={}", here.text("ctrl"))])
        .output()
        .unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains(&there.text("data")) && !said.contains(".."), "{said}");
    assert!(!here.at("ctrl").exists());
}

#[test]
fn the_policy_is_printed_read_and_checked() {
    let output = |words: &[&str]| {
        let out = Command::new(VTPMD).arg("passthrough").args(words).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (out.status.code(), text(out.stdout), text(out.stderr))
    };
    let folder = Folder::new("policy");
    let (status, policy, _) = output(&["--print-policy"]);
    assert_eq!(status, Some(0));
    std::fs::write(folder.at("same"), &policy).unwrap();
    assert_eq!(output(&["--policy", &folder.text("same"), "--print-policy"]).1, policy);
    std::fs::write(folder.at("bad"), r#"{"commands": {"Clera": "allow"}}"#).unwrap();
    let (status, _, stderr) = output(&["--policy", &folder.text("bad"), "--device", "/dev/tpm0"]);
    assert!(status == Some(1) && stderr.contains("bad: commands: there is no TPM command 'Clera'"), "{stderr}");
    for (words, part) in [
        (&["--device", "/dev/null", "--ctrl", "type=unixio,path=/x"][..], "/dev/null"),
        (&[], "which TPM"),
        (&["--device", "/proc/nonexistent", "--tpm2"], "no such device"),
    ] {
        let (status, _, stderr) = output(words);
        assert!(status == Some(1) && stderr.contains(part), "{words:?}: {stderr}");
    }
    // The policy of the guest, with a command allowed.
    let there = Folder::new("policy-device");
    let device = Daemon::running(&there, &[]);
    std::fs::write(folder.at("clear"), r#"{"commands": {"Clear": "allow"}}"#).unwrap();
    let guest = passthrough(&folder, &["--socket", &there.text("data"), "--policy", &folder.text("clear")]);
    let (mut control, mut data) = (guest.control(), guest.data());
    assert_eq!(control.result(0x02, &[0; 4]), 0);
    assert_eq!(data.startup(), 0);
    assert_eq!(clear(&mut data), 0);
    drop(device);
}
