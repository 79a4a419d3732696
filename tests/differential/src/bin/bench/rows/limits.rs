//! What the rest stands against: the engine without a socket, and a socket without an engine.

use super::*;
use crate::measure::micros;
use sealwright_differential::daemon::{PATIENCE, exchange};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Sizes of a ReadClock and of an answer to it, about.
const ASKED: usize = 14;
const ANSWERED: usize = 44;

/// One command of the engine in a process of its own, by the example `engine` of the engine's package. A value is the mean of
/// a block of its repetitions.
fn in_process(side: &Side, name: &str, blocks: usize) -> Result<Whatever, String> {
    let program = side.engine.as_ref().ok_or("-")?;
    let output = Command::new(program).args(["time", name, &blocks.to_string()]).output();
    let output = output.map_err(|e| format!("{program}: {e}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let nanoseconds: Vec<f64> = text.lines().filter_map(|line| line.parse().ok()).collect();
    Ok(Box::new(move |i| {
        let value = nanoseconds.get(i % blocks).ok_or("the engine's program gave too few figures")? / 1000.0;
        Ok(Sample { value, cpu: value })
    }))
}

/// The other side of the echo: answers on the first connection to `path` until it is closed.
pub(crate) fn echo(path: &Path) -> std::io::Result<()> {
    let (mut stream, _) = UnixListener::bind(path)?.accept()?;
    let mut asked = [0; ASKED];
    let answer = Out::new().u16(ST_NO_SESSIONS).u32(ANSWERED as u32).raw(&[0; ANSWERED - 6]).0;
    while stream.read_exact(&mut asked).is_ok() {
        stream.write_all(&answer)?;
    }
    Ok(())
}

/// A process that ends with this.
struct Echo {
    child: Child,
    stream: UnixStream,
    folder: PathBuf,
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Echo {
    fn start() -> Result<Self, String> {
        let folder = new_folder().map_err(|e| e.to_string())?;
        let path = folder.join("echo");
        let program = std::env::current_exe().map_err(|e| e.to_string())?;
        let child = Command::new(program).arg("--echo").arg(&path).stdin(Stdio::null()).spawn();
        let child = child.map_err(|e| e.to_string())?;
        let until = Instant::now() + Duration::from_secs(10);
        let stream = loop {
            match UnixStream::connect(&path) {
                Ok(stream) => break stream,
                Err(e) if Instant::now() > until => return Err(format!("the echo does not answer: {e}")),
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        // As to a daemon: a timer in each read.
        stream.set_read_timeout(Some(PATIENCE)).map_err(|e| e.to_string())?;
        Ok(Self { child, stream, folder })
    }

    fn once(&mut self) -> std::io::Result<Duration> {
        let begin = Instant::now();
        exchange(&mut self.stream, &[0; ASKED])?;
        Ok(begin.elapsed())
    }
}

/// Left nothing but an echo, right a ReadClock: what a daemon without any work of its own would reach.
fn floor(side: &Side) -> Result<Whatever, String> {
    if side.ours {
        let mut echo = Echo::start()?;
        return Ok(Box::new(move |_| {
            let time = echo.once().map_err(|e| e.to_string())?;
            Ok(Sample { value: micros(time), cpu: 0.0 })
        }));
    }
    let setting = Setting { state: side.state.clone(), quiet: true, ..Setting::default() };
    let daemon = Daemon::start_with(&side.command, &setting).map_err(|e| format!("{}: {e}", side.command))?;
    let mut tpm = Tpm::on(Box::new(daemon), 1).map_err(|e| e.to_string())?;
    tpm.forgetful = true;
    tpm.startup();
    let bytes = command("ReadClock", &[], &[], Out::new());
    Ok(Box::new(move |_| {
        let time = timed(&mut tpm, &bytes).map_err(rc_name)?;
        Ok(Sample { value: micros(time), cpu: 0.0 })
    }))
}

pub(super) const ROWS: &[Row] = &[
    whole("in process: GetRandom(32)", 400, |side| in_process(side, "GetRandom(32)", 400)).aim(1.0).absolute(),
    whole("in process: PCR_Extend (sha256)", 400, |side| in_process(side, "PCR_Extend (sha256)", 400))
        .aim(1.0)
        .absolute(),
    whole("in process: PCR_Extend (4 banks)", 400, |side| in_process(side, "PCR_Extend (4 banks)", 400)).absolute(),
    whole("left a bare echo, right ReadClock", 2000, floor),
];
