//! The tools under test, swtpm's own tools beside them, and daemons for both.

#![allow(dead_code, reason = "each test file uses a part of this")]

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// The tools of this crate.
pub(crate) const IOCTL: &str = env!("CARGO_BIN_EXE_swtpm_ioctl");
pub(crate) const BIOS: &str = env!("CARGO_BIN_EXE_swtpm_bios");

/// swtpm's program of this name, if it is installed.
pub(crate) fn installed(name: &str) -> Option<String> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file());
    if found.is_none() {
        eprintln!("skipped: {name} is not installed");
    }
    found?.to_str().map(str::to_owned)
}

/// A folder that is removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("channel-{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(path.join("state")).unwrap();
        Self(path)
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.at(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a tool did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a tool with these words, and these bytes on its standard input.
pub(crate) fn run(tool: &str, words: &[&str], input: &[u8]) -> Outcome {
    let mut command = Command::new(tool);
    for variable in ["TCSD_USE_TCP_DEVICE", "TPM_DEVICE", "SWTPM_IOCTL_BUFFERSIZE"] {
        command.env_remove(variable);
    }
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A tool that ends early leaves its input unread.
    let _ = child.stdin.take().unwrap().write_all(input);
    let out = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Outcome { status: out.status.code(), stdout: text(out.stdout), stderr: text(out.stderr) }
}

/// A daemon that answers each thing it reads with the next of these, and keeps what it read. An empty answer closes the
/// connection, at once if it follows another one.
pub(crate) struct Scripted {
    folder: Folder,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Scripted {
    pub(crate) fn new(answers: &[Vec<u8>]) -> Self {
        let folder = Folder::new("scripted");
        let listener = UnixListener::bind(folder.at("socket")).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let answers: Vec<Vec<u8>> = answers.to_vec();
        let (mut answers, hearing) = (answers.into_iter().peekable(), heard.clone());
        std::thread::spawn(move || {
            while let Ok((mut client, _)) = listener.accept() {
                let mut bytes = [0; 65536];
                while let Ok(n @ 1..) = client.read(&mut bytes) {
                    hearing.lock().unwrap().extend_from_slice(&bytes[..n]);
                    match answers.next() {
                        Some(answer) if answer.is_empty() => break,
                        Some(answer) => {
                            // A tool that has seen enough is gone.
                            let _ = client.write_all(&answer);
                            if answers.next_if(Vec::is_empty).is_some() {
                                break;
                            }
                        }
                        None => {}
                    }
                }
            }
        });
        Self { folder, heard }
    }

    pub(crate) fn socket(&self) -> String {
        self.folder.text("socket")
    }

    /// All that clients have sent which have left.
    pub(crate) fn heard(&self) -> Vec<u8> {
        // Clients are served in turn: when the last one is, what the ones before it left behind was read.
        let mut last = UnixStream::connect(self.socket()).unwrap();
        last.shutdown(Shutdown::Write).unwrap();
        last.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert_eq!(last.read(&mut [0]).unwrap(), 0);
        self.heard.lock().unwrap().clone()
    }
}

/// A real daemon with a TPM 2.0 that is off, on Unix sockets `ctrl` and `data` of the folder.
pub(crate) struct Daemon(Child);

impl Daemon {
    pub(crate) fn start(program: &str, folder: &Folder, extra: &[&str]) -> Self {
        let child = Command::new(program)
            .args(["socket", "--tpm2", "--tpmstate", &format!("dir={}", folder.text("state"))])
            .args(["--ctrl", &format!("type=unixio,path={}", folder.text("ctrl"))])
            .args(["--server", &format!("type=unixio,path={}", folder.text("data"))])
            .args(extra)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut daemon = Self(child);
        daemon.until("the sockets", || answers(&folder.at("ctrl")) && folder.at("data").exists());
        daemon
    }

    fn until(&mut self, what: &str, mut done: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !done() {
            assert!(begin.elapsed() < Duration::from_secs(10), "{what} did not come");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for the end of the process; true if it was a clean one.
    pub(crate) fn ended(&mut self) -> bool {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.success();
            }
            assert!(begin.elapsed() < Duration::from_secs(10), "the daemon does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a control channel is there and free.
fn answers(socket: &Path) -> bool {
    UnixStream::connect(socket).is_ok()
}
