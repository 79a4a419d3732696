//! By the name of swtpm under programs other than QEMU and libvirt: their command lines, and what they say.
//!
//! The lines are those of cloud-hypervisor 40 to 53, systemd 255 to 259, Incus 6, dstack 0.5 and tpm2-tss 4. Those of libvirt
//! are in `drop_in.rs`; those that take `swtpm_setup` too are in `tests/compat`.

mod common;

use common::{Control, Daemon, Data, Folder, VTPMD, ports, set_data_fd, wait, with_descriptors};
use core::time::Duration;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// One test at a time: a child that another thread has just made holds a copy of every socket until it is another program,
/// so that a client that closes its own has not left yet.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// vtpmd by the name of swtpm with these words.
fn swtpm(words: &[&str]) -> Command {
    let mut command = Command::new(VTPMD);
    command.arg0("swtpm").args(words).stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

/// The line of cloud-hypervisor's documentation.
fn for_cloud_hypervisor(folder: &Folder) -> Daemon {
    let (state, socket) =
        (format!("dir={}", folder.text("state")), format!("type=unixio,path={}", folder.text("ctrl")));
    let words = ["socket", "--tpmstate", &state, "--ctrl", &socket, "--flags", "startup-clear", "--tpm2"];
    Daemon::spawn(folder, &mut swtpm(&words))
}

/// cloud-hypervisor's client: one `read` for each answer, and its standard input comes as a descriptor with each request
/// after the first.
struct CloudHypervisor {
    control: Control,
    data: Data,
}

impl CloudHypervisor {
    fn new(daemon: &Daemon) -> Self {
        let mut control = daemon.control();
        let (result, data) = set_data_fd(&mut control);
        assert_eq!(result, 0, "SET_DATAFD");
        let mut client = Self { control, data };
        assert_eq!(client.ask(1, &[]), [0, 0, 0, 0, 0, 1, 0xff, 0xff], "GET_CAPABILITY");
        client
    }

    fn ask(&mut self, code: u32, body: &[u8]) -> Vec<u8> {
        let stdin = std::fs::File::open("/dev/null").unwrap();
        with_descriptors(&self.control, &[&code.to_be_bytes(), body].concat(), &[stdin.as_fd()]);
        let mut answer = [0; 16];
        let length = self.control.0.read(&mut answer).unwrap();
        answer[..length].to_vec()
    }

    /// The reset of the machine. Since version 52 it sends TPM2_Startup itself, and takes "not twice" for an answer.
    fn reset(&mut self, starts_up: bool) {
        for size in [0, 3968_u32] {
            assert_eq!(self.ask(0x0e, &[]), [0; 4], "STOP");
            let sizes = self.ask(0x11, &size.to_be_bytes());
            assert_eq!((sizes.len(), &sizes[..4]), (16, &[0; 4][..]), "SET_BUFFERSIZE");
            assert!(size == 0 || sizes[4..8] == size.to_be_bytes());
        }
        assert_eq!(self.ask(2, &[0; 4]), [0; 4], "INIT");
        if starts_up {
            let rc = self.data.startup();
            assert!(rc == 0 || rc == 0x100, "TPM2_Startup: 0x{rc:x}");
        }
    }
}

/// TPM2_CreatePrimary of an RSA-3072 key, without its answer.
fn begin_a_key(data: &mut Data) {
    let public = [0, 1, 0, 0x0b, 0, 3, 4, 0x72, 0, 0, 0, 6, 0, 128, 0, 0x43, 0, 0x10, 0x0c, 0, 0, 0, 0, 0, 0, 0];
    let head = [0x80, 2, 0, 0, 0, 67, 0, 0, 1, 0x31, 0x40, 0, 0, 1, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0];
    data.0.write_all(&[&head[..], &[0, 4, 0, 0, 0, 0, 0, 26], &public, &[0; 6]].concat()).unwrap();
}

#[test]
fn cloud_hypervisor_starts_and_resets_a_machine() {
    let _alone = alone();
    for starts_up in [false, true] {
        let folder = Folder::new("cloud-hypervisor");
        let mut daemon = for_cloud_hypervisor(&folder);
        let mut client = CloudHypervisor::new(&daemon);
        // Until version 51 the bit is asked for before INIT, and anything but "no" is an error.
        assert_eq!(client.ask(4, &[]), [0; 8], "GET_TPMESTABLISHED: the TPM runs already");
        for _ in 0..3 {
            client.reset(starts_up);
            if !starts_up {
                // The TPM was started up by --flags once only; now it waits for the firmware to do it.
                assert_eq!(client.data.random().0, 0x100);
                assert_eq!(client.data.startup(), 0);
            }
            // An answer later than 100 ms is lost. (One of ten: other tests are running.)
            let mut quick = || {
                let begin = Instant::now();
                assert_eq!(client.data.extend(), 0);
                begin.elapsed() < Duration::from_millis(100)
            };
            assert!((0..10).any(|_| quick()));
            assert_eq!(client.ask(4, &[]), [0; 8]);
            assert_eq!(client.ask(9, &[]), [0; 4], "CANCEL");
        }
        drop(client);
        assert!(Command::new("kill").arg(daemon.child.id().to_string()).status().unwrap().success());
        assert!(daemon.wait().success());
    }
}

#[test]
fn a_machine_that_starts_again_finds_the_data_channel_free() {
    let _alone = alone();
    let folder = Folder::new("again");
    let daemon = for_cloud_hypervisor(&folder);
    for round in 0..200 {
        let mut client = CloudHypervisor::new(&daemon);
        assert_eq!(set_data_fd(&mut client.control).0, 0x1f, "only one");
        assert_eq!(client.data.random().0, 0, "round {round}");
        if round % 40 == 0 {
            // It goes while a command runs.
            begin_a_key(&mut client.data);
        }
        let CloudHypervisor { control, data } = client;
        // In either order, and the next one is there at once.
        if round % 2 == 0 {
            drop(data);
            drop(control);
        } else {
            drop(control);
            drop(data);
        }
    }
}

/// A child that ends with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `swtpm WORDS` with this socket as descriptor 3, as systemd-socket-activate and Incus start it.
fn with_listener(folder: &Folder, listener: UnixListener, words: &str, notify: bool) -> Killed {
    let link = folder.at("swtpm");
    let _ = std::os::unix::fs::symlink(VTPMD, &link);
    let variables = if notify { "LISTEN_FDS=1 LISTEN_PID=$$" } else { "" };
    // The shell's standard input is the socket; LISTEN_PID is that of the program, which takes the shell's place.
    let script = format!("exec 3<&0 0</dev/null; export LC_ALL=C {variables}; exec {} {words}", link.display());
    let mut command = Command::new("sh");
    command.args(["-c", &script]).stdin(Stdio::from(std::os::fd::OwnedFd::from(listener)));
    if notify {
        command.env("NOTIFY_SOCKET", folder.at("notify"));
    }
    Killed(command.spawn().unwrap())
}

#[test]
fn vmspawn_and_incus_hand_over_a_listening_socket() {
    let _alone = alone();
    for notify in [true, false] {
        let folder = Folder::new("vmspawn");
        let notified = UnixDatagram::bind(folder.at("notify")).unwrap();
        notified.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let listener = UnixListener::bind(folder.at("ctrl")).unwrap();
        let words = format!("socket --tpm2 --tpmstate dir={} --ctrl type=unixio,fd=3", folder.text("state"));
        let mut child = with_listener(&folder, listener, &words, notify);
        if notify {
            let mut message = [0; 64];
            let length = notified.recv(&mut message).unwrap();
            assert_eq!(message[..length], *b"READY=1");
        }
        // QEMU connects once, and the socket's path may be gone by then or soon after.
        let mut control = Control(UnixStream::connect(folder.at("ctrl")).unwrap());
        std::fs::remove_file(folder.at("ctrl")).unwrap();
        let (result, mut data) = set_data_fd(&mut control);
        assert_eq!(result, 0);
        assert_eq!(control.result(2, &[0; 4]), 0, "INIT");
        assert_eq!(data.startup(), 0);
        assert_eq!(data.random().0, 0);
        control.shutdown();
        assert!(wait("the end", || child.0.try_wait().unwrap()).success());
        assert!(folder.at("state/tpm2-00.permall").exists());
    }
}

#[test]
fn the_next_daemon_starts_as_soon_as_shutdown_is_answered() {
    let _alone = alone();
    // Scripts and swtpm's own tests do so, with the same pid file, sockets, port and state.
    let folder = Folder::new("next");
    let [port] = ports::<1>(core::net::Ipv4Addr::LOCALHOST.into());
    let line = format!(
        "socket --tpm2 --tpmstate dir={} --server port={port} --pid file={} --ctrl type=unixio,path={}",
        folder.text("state"),
        folder.text("pid"),
        folder.text("ctrl")
    );
    let words: Vec<&str> = line.split(' ').collect();
    let mut last: Option<Killed> = None;
    for round in 0..60 {
        let child = Killed(swtpm(&words).spawn().unwrap());
        let stream = wait("the control socket", || UnixStream::connect(folder.at("ctrl")).ok());
        let mut control = Control(stream);
        assert_eq!(control.result(2, &[0; 4]), 0, "INIT in round {round}: the lock was given back");
        if let Some(mut before) = last.replace(child) {
            wait("the end of the one before", || before.0.try_wait().unwrap());
        }
        // It took nothing away from the next one as it went.
        assert!(folder.at("ctrl").exists(), "round {round}");
        let pid =
            wait("the pid file", || std::fs::read_to_string(folder.at("pid")).ok().filter(|text| !text.is_empty()));
        assert_eq!(pid.trim(), last.as_ref().unwrap().0.id().to_string(), "round {round}");
        let mut data = Data(wait("the port", || std::net::TcpStream::connect(("127.0.0.1", port)).ok()));
        assert_eq!(data.startup(), 0);
        control.shutdown();
        assert!(!folder.at("ctrl").exists() && !folder.at("pid").exists());
    }
}

#[test]
fn a_device_of_the_host_is_made_or_refused_with_nothing_changed() {
    let _alone = alone();
    if std::path::Path::new("/dev/vtpmx").exists() {
        eprintln!("NOT CHECKED: this host has /dev/vtpmx");
        return;
    }
    let folder = Folder::new("no-vtpmx");
    std::fs::write(folder.at("secret"), "0123456789abcdef0123456789abcdef").unwrap();
    let (state, socket) = (folder.text("state"), folder.text("socket"));
    let (secret, pid) = (folder.text("secret"), folder.text("pid"));
    for line in [
        // systemd-tpm2-swtpm.
        format!(
            "chardev --vtpm-proxy --tpm2 --flags=startup-clear,disable-auto-shutdown --ctrl=type=unixio,path={socket} --key=file={secret},format=hex,mode=aes-cbc,remove=true --tpmstate=dir={state},mode=0600"
        ),
        // dstack.
        format!("chardev --tpm2 --tpmstate dir={state} --vtpm-proxy --pid file={pid} --daemon"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let out = swtpm(&words).output().unwrap();
        let said = String::from_utf8(out.stderr).unwrap();
        assert!(out.status.code() == Some(1) && said.contains("tpm_vtpm_proxy"), "{line}: {said}");
        assert!(folder.at("secret").exists(), "the key is still needed");
        assert!(!folder.at("socket").exists() && !folder.at("pid").exists(), "{line}");
        assert_eq!(std::fs::read_dir(&state).unwrap().count(), 0, "{line}");
    }
}

#[test]
fn a_tpm_of_version_1_2_is_refused_with_nothing_changed() {
    let _alone = alone();
    let folder = Folder::new("version-1-2");
    let state = format!("dir={}", folder.text("state"));
    let socket = format!("type=unixio,path={}", folder.text("socket"));
    for words in [
        &["socket", "--tpmstate", &state, "--ctrl", &socket][..],
        &["socket", "--tpmstate", &state, "--ctrl", &socket, "--flags", "not-need-init", "--daemon"],
        &["socket", "--tpmstate", &state, "--print-states"],
        &["socket", "--tpmstate", &state, "--print-info", "1"],
    ] {
        let out = swtpm(words).output().unwrap();
        let said = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(1), "{words:?}");
        assert!(said.starts_with("swtpm: TPM 1.2 is not supported yet") && said.contains("--tpm2"), "{said}");
        assert!(out.stdout.is_empty());
    }
    assert!(!folder.at("socket").exists());
    assert_eq!(std::fs::read_dir(folder.at("state")).unwrap().count(), 0);
    // What the program can do is told without it, as libvirt asks.
    let out = swtpm(&["socket", "--print-capabilities"]).output().unwrap();
    assert!(out.status.success() && !String::from_utf8(out.stdout).unwrap().contains("tpm-1.2"));
}

#[test]
fn the_tcti_of_tpm2_tss_finds_both_channels() {
    let _alone = alone();
    let folder = Folder::new("tcti");
    // The control channel of tcti "swtpm:path=PATH" is PATH.ctrl.
    let (data, ctrl) = (folder.text("sock"), folder.text("sock.ctrl"));
    let line = format!(
        "socket --tpm2 --tpmstate dir={} --server type=unixio,path={data} --ctrl type=unixio,path={ctrl} --flags not-need-init,startup-clear --log level=0",
        folder.text("state"),
    );
    let words: Vec<&str> = line.split(' ').collect();
    let _daemon = Killed(swtpm(&words).spawn().unwrap());
    let mut stream = Data::new(wait("the data socket", || UnixStream::connect(&data).ok()));
    let mut control = Control(wait("the control socket", || UnixStream::connect(&ctrl).ok()));
    assert_eq!(control.result(5, &[0]), 0, "SET_LOCALITY");
    assert_eq!(stream.random().0, 0);
    assert_eq!(control.result(9, &[]), 0, "CANCEL");
}
