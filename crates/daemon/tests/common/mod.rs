//! A daemon under test, and clients for its two channels.

#![allow(dead_code, reason = "each test file uses a part of this")]

use core::mem::MaybeUninit;
use core::net::IpAddr;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::{IoSlice, Read, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

/// The program.
pub(crate) const VTPMD: &str = env!("CARGO_BIN_EXE_vtpmd");

/// Ports of this address that nobody listens on. They are below those that the system gives to clients, and each test
/// process begins elsewhere, so that none is taken between this and the start of a daemon.
pub(crate) fn ports<const N: usize>(address: IpAddr) -> [u16; N] {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let free = || loop {
        let next = (std::process::id() * 101 + NEXT.fetch_add(1, Ordering::Relaxed)) % 22_000;
        let port = u16::try_from(10_240 + next).unwrap();
        if TcpListener::bind((address, port)).is_ok() {
            return port;
        }
    };
    [(); N].map(|()| free())
}

/// A folder that is removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("vtpmd-{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(path.join("state")).unwrap();
        Self(path)
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The path of `name` as text.
    pub(crate) fn text(&self, name: &str) -> String {
        self.at(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running daemon; it is killed at the end if it still runs.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) folder_ctrl: PathBuf,
    pub(crate) folder_data: PathBuf,
}

/// Waits until `done` gives something, for at most ten seconds.
pub(crate) fn wait<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "{what} did not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A command line with a state folder and a control socket in `folder`.
pub(crate) fn control_only(folder: &Folder) -> Command {
    let mut command = Command::new(VTPMD);
    command
        .args(["socket", "--tpm2", "--tpmstate", &format!("dir={}", folder.text("state"))])
        .args(["--ctrl", &format!("type=unixio,path={}", folder.text("ctrl"))])
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// A command line with a state folder, a control and a data socket in `folder`.
pub(crate) fn command(folder: &Folder, extra: &[&str]) -> Command {
    let mut command = control_only(folder);
    command.args(["--server", &format!("type=unixio,path={}", folder.text("data"))]).args(extra);
    command
}

impl Daemon {
    /// Starts a daemon and waits until its control socket is there.
    pub(crate) fn start(folder: &Folder, extra: &[&str]) -> Self {
        Self::spawn(folder, &mut command(folder, extra))
    }

    /// Starts this command and waits until its control socket is there.
    pub(crate) fn spawn(folder: &Folder, command: &mut Command) -> Self {
        let (ctrl, data) = (folder.at("ctrl"), folder.at("data"));
        let _ = std::fs::remove_file(&ctrl);
        let child = command.spawn().unwrap();
        let mut daemon = Self { child, folder_ctrl: ctrl, folder_data: data };
        wait("the control socket", || {
            if let Some(status) = daemon.child.try_wait().unwrap() {
                panic!("the daemon ended with {status}: {}", daemon.stderr());
            }
            UnixStream::connect(&daemon.folder_ctrl).ok()
        });
        daemon
    }

    /// Starts a daemon and waits until its TPM runs: the sockets are there earlier than that.
    pub(crate) fn running(folder: &Folder, extra: &[&str]) -> Self {
        let mut all = vec!["--flags", "startup-clear"];
        all.extend(extra);
        let daemon = Self::start(folder, &all);
        daemon.control().ask(1, &[], 8);
        daemon
    }

    pub(crate) fn stderr(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    pub(crate) fn control(&self) -> Control {
        let stream = UnixStream::connect(&self.folder_ctrl).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Control(stream)
    }

    pub(crate) fn data(&self) -> Data {
        let stream = wait("the data socket", || UnixStream::connect(&self.folder_data).ok());
        Data::new(stream)
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait("the end of the daemon", || self.child.try_wait().unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A control client.
pub(crate) struct Control<S = UnixStream>(pub(crate) S);

impl<S: Read + Write> Control<S> {
    pub(crate) fn send(&mut self, code: u32, body: &[u8]) {
        self.0.write_all(&[&code.to_be_bytes(), body].concat()).unwrap();
    }

    pub(crate) fn take(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    pub(crate) fn ask(&mut self, code: u32, body: &[u8], length: usize) -> Vec<u8> {
        self.send(code, body);
        self.take(length)
    }

    /// A command that answers with a result only.
    pub(crate) fn result(&mut self, code: u32, body: &[u8]) -> u32 {
        u32::from_be_bytes(self.ask(code, body, 4).try_into().unwrap())
    }

    /// GET_STATEBLOB: result, flags, blob.
    pub(crate) fn blob(&mut self, kind: u8, flags: u8) -> (u32, u32, Vec<u8>) {
        let head = self.ask(0x0c, &[0, 0, 0, flags, 0, 0, 0, kind, 0, 0, 0, 0], 16);
        let word = |n: usize| u32::from_be_bytes(head[n * 4..n * 4 + 4].try_into().unwrap());
        assert_eq!(word(2), word(3), "everything comes at once");
        let blob = self.take(word(3) as usize);
        (word(0), word(1), blob)
    }

    /// SET_STATEBLOB: header first, then the body, as QEMU sends it.
    pub(crate) fn set_blob(&mut self, kind: u8, flags: u8, blob: &[u8]) -> u32 {
        let length = u32::try_from(blob.len()).unwrap().to_be_bytes();
        self.send(0x0d, &[&[0, 0, 0, flags, 0, 0, 0, kind][..], &length].concat());
        self.0.write_all(blob).unwrap();
        u32::from_be_bytes(self.take(4).try_into().unwrap())
    }

    pub(crate) fn shutdown(&mut self) {
        assert_eq!(self.result(0x03, &[]), 0);
    }
}

/// Sends bytes with descriptors.
pub(crate) fn with_descriptors(control: &Control, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(200))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(descriptors)));
    sendmsg(&control.0, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::empty()).unwrap();
}

/// SET_DATAFD with one end of a new pair; returns the result and the other end.
pub(crate) fn set_data_fd(control: &mut Control) -> (u32, Data) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    with_descriptors(control, &0x10_u32.to_be_bytes(), &[theirs.as_fd()]);
    (u32::from_be_bytes(control.take(4).try_into().unwrap()), Data::new(ours))
}

/// A data client.
pub(crate) struct Data<S = UnixStream>(pub(crate) S);

/// NV index of the counter that tests use.
const INDEX: [u8; 4] = [0x01, 0x50, 0x00, 0x01];
/// TPM_RH_OWNER.
const OWNER: [u8; 4] = [0x40, 0, 0, 1];
/// An empty password session.
const PASSWORD: [u8; 13] = [0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0];

impl Data {
    pub(crate) fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self(stream)
    }
}

impl<S: Read + Write> Data<S> {
    pub(crate) fn read(&mut self) -> Option<(u32, Vec<u8>)> {
        let mut head = [0; 10];
        self.0.read_exact(&mut head).ok()?;
        let size = u32::from_be_bytes(head[2..6].try_into().unwrap()) as usize;
        let mut rest = vec![0; size - 10];
        self.0.read_exact(&mut rest).ok()?;
        Some((u32::from_be_bytes(head[6..10].try_into().unwrap()), rest))
    }

    /// A command without or with a password session; `None` if the daemon is gone.
    pub(crate) fn try_run(
        &mut self,
        session: bool,
        code: u16,
        handles: &[&[u8]],
        rest: &[u8],
    ) -> Option<(u32, Vec<u8>)> {
        let tag = if session { 2 } else { 1 };
        let auth: &[u8] = if session { &PASSWORD } else { &[] };
        let handles = handles.concat();
        let size = u32::try_from(10 + handles.len() + auth.len() + rest.len()).unwrap();
        let head = [&[0x80, tag][..], &size.to_be_bytes(), &[0, 0], &code.to_be_bytes()].concat();
        self.0.write_all(&[&head[..], &handles, auth, rest].concat()).ok()?;
        self.read()
    }

    pub(crate) fn run(&mut self, session: bool, code: u16, handles: &[&[u8]], rest: &[u8]) -> (u32, Vec<u8>) {
        self.try_run(session, code, handles, rest).expect("an answer")
    }

    pub(crate) fn startup(&mut self) -> u32 {
        self.run(false, 0x144, &[], &[0, 0]).0
    }

    pub(crate) fn random(&mut self) -> (u32, Vec<u8>) {
        self.run(false, 0x17b, &[], &[0, 16])
    }

    /// Defines an NV counter index (AUTHREAD, AUTHWRITE, OWNERREAD, OWNERWRITE, NO_DA).
    pub(crate) fn define_counter(&mut self) -> u32 {
        let attributes = 0x0006_0006_u32 | (1 << 4) | (1 << 25);
        let public = [&INDEX[..], &[0, 0x0b], &attributes.to_be_bytes(), &[0, 0], &[0, 8]].concat();
        let sized = [&u16::try_from(public.len()).unwrap().to_be_bytes()[..], &public].concat();
        self.run(true, 0x12a, &[&OWNER], &[&[0, 0][..], &sized].concat()).0
    }

    /// NV_Increment; `None` if the daemon is gone.
    pub(crate) fn increment(&mut self) -> Option<u32> {
        Some(self.try_run(true, 0x134, &[&OWNER, &INDEX], &[])?.0)
    }

    /// The counter.
    pub(crate) fn counter(&mut self) -> u64 {
        let (rc, rest) = self.run(true, 0x14e, &[&OWNER, &INDEX], &[0, 8, 0, 0]);
        assert_eq!(rc, 0, "NV_Read");
        // parameterSize, then TPM2B_MAX_NV_BUFFER.
        u64::from_be_bytes(rest[6..14].try_into().unwrap())
    }

    /// NV_ReadPublic of the counter: 0 if it is there.
    pub(crate) fn counter_is_there(&mut self) -> u32 {
        self.run(false, 0x169, &[&INDEX], &[]).0
    }

    /// Extends PCR 16 of the SHA-256 bank by one digest.
    pub(crate) fn extend(&mut self) -> u32 {
        let digest = [&[0, 0, 0, 1, 0, 0x0b][..], &[7; 32]].concat();
        self.run(true, 0x182, &[&[0, 0, 0, 16]], &digest).0
    }

    /// PCR 16 of the SHA-256 bank.
    pub(crate) fn pcr(&mut self) -> Vec<u8> {
        let (rc, rest) = self.run(false, 0x17e, &[], &[0, 0, 0, 1, 0, 0x0b, 3, 0, 0, 1]);
        assert_eq!(rc, 0, "PCR_Read");
        rest[rest.len() - 32..].to_vec()
    }
}

/// Writes a key file of 64 hexadecimal digits.
pub(crate) fn key_file(path: &Path, digit: char) {
    std::fs::write(path, digit.to_string().repeat(64)).unwrap();
}

/// Runs `vtpmd state` with these words again and again and kills it before each of its calls that change files, one by one, or,
/// without strace, at instants. `after` looks at what each kill left. Returns how many there were.
pub(crate) fn killed(words: &[&str], mut after: impl FnMut()) -> u32 {
    let mut kills = 0;
    let command = |program: &str| {
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        for step in 0..40 {
            let mut child = command(VTPMD).arg("state").args(words).spawn().unwrap();
            std::thread::sleep(Duration::from_micros(step * 500));
            let _ = child.kill();
            child.wait().unwrap();
            kills += 1;
            after();
        }
        return kills;
    }
    for call in ["openat", "pwrite64", "fsync", "fdatasync", "renameat2", "renameat", "unlinkat"] {
        for when in 1.. {
            let inject = format!("inject={call}:signal=SIGKILL:when={when}");
            let mut strace = command("strace");
            strace.args([
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                &format!("trace={call}"),
                "-e",
                &inject,
                VTPMD,
                "state",
            ]);
            if strace.args(words).status().unwrap().success() {
                break;
            }
            assert!(when < 200, "{call} never ends");
            kills += 1;
            after();
        }
    }
    kills
}
