//! Starting a daemon in a folder of its own and talking to its data and control channels.

use crate::wire::{In, Out};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::{Error, ErrorKind, IoSlice, Read, Result, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// An answer comes within this time, or the daemon is taken for dead.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A powered TPM as a script uses it: a daemon behind its sockets, or an engine in this process.
pub trait Machine: core::fmt::Debug + Send {
    /// Power on, or a power cycle if it is on; the result as on the control channel.
    fn power_on(&mut self) -> Result<u32>;
    /// Power off.
    fn power_off(&mut self) -> Result<u32>;
    /// Sets the locality of the commands that follow.
    fn locality(&mut self, locality: u8) -> Result<u32>;
    /// `_TPM_Hash_Start`, `_TPM_Hash_Data`, `_TPM_Hash_End`.
    fn hash_sequence(&mut self, data: &[u8]) -> Result<u32>;
    /// tpmEstablished.
    fn established(&mut self) -> Result<u8>;
    /// Runs one TPM command.
    fn execute(&mut self, command: &[u8]) -> Result<Vec<u8>>;
    /// Sends bytes in pieces, which need not be one command, and gives what was answered to them; nothing if no answer
    /// comes.
    fn send_pieces(&mut self, pieces: &[&[u8]]) -> Result<Vec<u8>> {
        self.execute(&pieces.concat())
    }
    /// Ends it in order.
    fn end(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// One running daemon. Dropped, it is killed and its folder removed, unless that was the caller's.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    folder: PathBuf,
    keep: bool,
    control: UnixStream,
    data: UnixStream,
}

/// How a daemon is started, besides its command.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// A folder of the caller's with the state, which outlives the daemon; else a new one.
    pub folder: Option<PathBuf>,
    /// More options of `--tpmstate`, each with a comma before it.
    pub state: String,
    /// More arguments.
    pub arguments: Vec<String>,
    /// Nothing of what it says on standard error.
    pub quiet: bool,
    /// It gets its two connections as QEMU gives them, so that nobody has to look whether its sockets are there yet.
    pub handed: bool,
}

/// A folder that nobody else has.
pub fn new_folder() -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("sealwright-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn connect(path: &Path, child: &mut Child) -> Result<UnixStream> {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(e) if Instant::now() > until => return Err(e),
            Err(_) => {
                if let Some(status) = child.try_wait()? {
                    return Err(Error::other(format!("the daemon ended at once: {status}")));
                }
                std::thread::sleep(Duration::from_micros(50));
            }
        }
    }
}

/// Sends a command and reads its answer.
pub fn exchange(data: &mut UnixStream, command: &[u8]) -> Result<Vec<u8>> {
    data.write_all(command)?;
    // The whole answer nearly always comes with the first read.
    let mut buffer = [0; 4096];
    let mut filled = 0;
    while filled < 10 {
        match data.read(&mut buffer[filled..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => filled += n,
            // A debugger looked in.
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    let size = In(&buffer[2..]).u32().unwrap_or(0) as usize;
    if size < filled || size > 65536 {
        return Err(Error::new(ErrorKind::InvalidData, format!("response says it has {size} bytes")));
    }
    let mut out = buffer[..filled].to_vec();
    if filled < size {
        out.resize(size, 0);
        data.read_exact(&mut out[filled..])?;
    }
    Ok(out)
}

/// Sends one end of a new data channel by SET_DATAFD; returns the control channel and the other end.
fn hand_data(mut control: UnixStream) -> Result<(UnixStream, UnixStream)> {
    const SET_DATAFD: [u8; 4] = [0, 0, 0, 0x10];
    let (ours, theirs) = UnixStream::pair()?;
    let descriptors = [theirs.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    if !rights.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(Error::other("no room for a descriptor"));
    }
    sendmsg(&control, &[IoSlice::new(&SET_DATAFD)], &mut rights, SendFlags::empty())?;
    let mut answer = [0; 4];
    control.set_read_timeout(Some(PATIENCE))?;
    ours.set_read_timeout(Some(PATIENCE))?;
    control.read_exact(&mut answer)?;
    if answer == [0; 4] { Ok((control, ours)) } else { Err(Error::other(format!("SET_DATAFD: {answer:x?}"))) }
}

impl Daemon {
    /// Starts `command` (program and first arguments, such as `vtpmd socket --tpm2`) on a fresh state, without power.
    pub fn start(command: &str) -> Result<Self> {
        Self::start_with(command, &Setting::default())
    }

    /// Starts `command` with a setting.
    pub fn start_with(command: &str, setting: &Setting) -> Result<Self> {
        let keep = setting.folder.is_some();
        let folder = match &setting.folder {
            Some(folder) => folder.clone(),
            None => new_folder()?,
        };
        let (control, data) = (folder.join("ctrl"), folder.join("data"));
        let mut words = command.split_whitespace();
        let program = words.next().ok_or_else(|| Error::new(ErrorKind::InvalidInput, "no command for the daemon"))?;
        let mut start = Command::new(program);
        start.args(words).args(["--tpmstate", &format!("dir={}{}", folder.display(), setting.state)]);
        let pair = if setting.handed { Some(UnixStream::pair()?) } else { None };
        match &pair {
            Some((_, theirs)) => {
                // To be inherited.
                rustix::io::fcntl_setfd(theirs, rustix::io::FdFlags::empty())?;
                start.args(["--ctrl", &format!("type=unixio,clientfd={}", theirs.as_raw_fd())]);
            }
            None => {
                start.args(["--ctrl", &format!("type=unixio,path={}", control.display())]);
                start.args(["--server", &format!("type=unixio,path={}", data.display())]);
            }
        }
        let mut child = start
            .args(&setting.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(if setting.quiet { Stdio::null() } else { Stdio::inherit() })
            .spawn()
            .map_err(|e| Error::new(e.kind(), format!("cannot run {program}: {e}")))?;
        let streams = match pair {
            Some((ours, theirs)) => {
                drop(theirs);
                hand_data(ours)
            }
            None => connect(&control, &mut child).and_then(|c| Ok((c, connect(&data, &mut child)?))),
        };
        match streams {
            Ok((control, data)) => Ok(Self { child, folder, keep, control, data }),
            Err(e) => {
                let _ = child.kill();
                let _ = child.wait();
                if !keep {
                    let _ = std::fs::remove_dir_all(&folder);
                }
                Err(e)
            }
        }
    }

    /// Sends one control command and reads `answer` bytes (fewer, 4, if the result is an error).
    pub fn control(&mut self, request: &[u8], answer: usize) -> Result<Vec<u8>> {
        self.control.write_all(request)?;
        let mut out = vec![0; 4];
        self.control.read_exact(&mut out)?;
        if out == [0; 4] && answer > 4 {
            out.resize(answer, 0);
            self.control.read_exact(&mut out[4..])?;
        }
        Ok(out)
    }

    /// Reads `size` bytes that follow the answer to a control command.
    pub fn control_data(&mut self, size: usize) -> Result<Vec<u8>> {
        let mut out = vec![0; size];
        self.control.read_exact(&mut out)?;
        Ok(out)
    }

    /// SHUTDOWN of the control channel, and waiting for the end of the process.
    pub fn end(mut self) -> Result<std::process::ExitStatus> {
        // Some end without an answer.
        let _ = self.control(&Out::new().u32(3).0, 4);
        self.child.wait()
    }

    /// Process id, for memory and processor figures.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The folder with the state and the sockets.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Machine for Daemon {
    fn power_on(&mut self) -> Result<u32> {
        let out = self.control(&Out::new().u32(2).u32(0).0, 4)?;
        Ok(In(&out).u32().unwrap_or(u32::MAX))
    }

    fn power_off(&mut self) -> Result<u32> {
        let out = self.control(&Out::new().u32(0x0E).0, 4)?;
        Ok(In(&out).u32().unwrap_or(u32::MAX))
    }

    fn locality(&mut self, locality: u8) -> Result<u32> {
        let out = self.control(&Out::new().u32(5).u8(locality).raw(&[0; 3]).0, 4)?;
        Ok(In(&out).u32().unwrap_or(u32::MAX))
    }

    fn hash_sequence(&mut self, data: &[u8]) -> Result<u32> {
        let mut worst = 0;
        let steps = [Out::new().u32(6).0, Out::new().u32(7).u32(data.len() as u32).raw(data).0, Out::new().u32(8).0];
        for step in steps {
            worst |= In(&self.control(&step, 4)?).u32().unwrap_or(u32::MAX);
        }
        Ok(worst)
    }

    fn established(&mut self) -> Result<u8> {
        Ok(self.control(&Out::new().u32(4).0, 8)?.get(4).copied().unwrap_or(0xFF))
    }

    fn execute(&mut self, command: &[u8]) -> Result<Vec<u8>> {
        exchange(&mut self.data, command)
    }

    fn end(self: Box<Self>) -> Result<()> {
        match Daemon::end(*self)? {
            status if status.success() => Ok(()),
            status => Err(Error::other(format!("the daemon ended with {status}"))),
        }
    }

    fn send_pieces(&mut self, pieces: &[&[u8]]) -> Result<Vec<u8>> {
        for (n, piece) in pieces.iter().enumerate() {
            if n > 0 {
                std::thread::sleep(Duration::from_millis(30));
            }
            self.data.write_all(piece)?;
        }
        // vtpmd waits half a second for the rest of a command.
        self.data.set_read_timeout(Some(Duration::from_millis(900)))?;
        let mut out = vec![0; 8192];
        let mut length = 0;
        // Until it is quiet: there may be more than one answer.
        while let Ok(n @ 1..) = self.data.read(&mut out[length..]) {
            length += n;
            self.data.set_read_timeout(Some(Duration::from_millis(60)))?;
        }
        out.truncate(length);
        // What the daemon still waits for goes away with the connection. It takes one at a time.
        self.data.shutdown(Shutdown::Both)?;
        self.data = connect(&self.folder.join("data"), &mut self.child)?;
        Ok(out)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !self.keep {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
