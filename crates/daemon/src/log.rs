//! Messages to stderr or to the log, with swtpm's levels: a message is shown if its depth is below the level, and
//! deeper messages are indented. Nothing secret is ever a message: no keys, no state, no command parameters.

use crate::failure::{Failure, failure};
use crate::options::LogOption;
use core::sync::atomic::{AtomicU32, Ordering};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

struct Sink {
    prefix: String,
    /// The prefix while there is no file.
    name: String,
    file: Option<File>,
}

/// Messages of less depth are shown. Beside the sink, since each command asks.
static LEVEL: AtomicU32 = AtomicU32::new(1);
static SINK: OnceLock<Mutex<Sink>> = OnceLock::new();

fn sink() -> &'static Mutex<Sink> {
    SINK.get_or_init(|| {
        let name = "vtpmd: ".to_owned();
        Mutex::new(Sink { prefix: name.clone(), name, file: None })
    })
}

/// The name by which the program was called, before each line that goes to the terminal.
pub(crate) fn name_is(name: &str) {
    let mut sink = sink().lock().unwrap_or_else(PoisonError::into_inner);
    sink.name = format!("{name}: ");
    sink.prefix = sink.name.clone();
}

/// Opens what `--log` names. Links are not followed.
pub(crate) fn open(option: &LogOption) -> Result<(), Failure> {
    let mut file = None;
    let mut off = false;
    if let Some(path) = &option.file {
        if path == Path::new("-") {
            off = true;
        } else {
            use rustix::fs::{Mode, OFlags};
            let mut flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            flags.set(OFlags::TRUNC, option.truncate);
            let fd = rustix::fs::open(path, flags, Mode::from_raw_mode(0o640))
                .map_err(|e| failure!("cannot open the log {}: {e}", path.display()))?;
            file = Some(File::from(fd));
        }
    } else if let Some(n) = option.fd {
        let fd = sealwright_keys::descriptor(n).map_err(|e| failure!("--log: {e}"))?;
        if option.truncate {
            // A pipe cannot be truncated; then there is nothing to truncate.
            let _ = rustix::fs::ftruncate(&fd, 0);
        }
        file = Some(File::from(fd));
    }
    let mut sink = sink().lock().unwrap_or_else(PoisonError::into_inner);
    LEVEL.store(if off { 0 } else { option.level }, Ordering::Relaxed);
    sink.prefix = match &option.prefix {
        Some(prefix) => prefix.clone(),
        None if file.is_some() => String::new(),
        None => sink.name.clone(),
    };
    sink.file = file;
    Ok(())
}

/// True if messages of this depth are shown: ask before building a costly one.
pub(crate) fn enabled(depth: u32) -> bool {
    depth < LEVEL.load(Ordering::Relaxed)
}

/// Writes one line. A log that cannot be written is no reason to stop a TPM.
pub(crate) fn write(depth: u32, message: core::fmt::Arguments<'_>) {
    if !enabled(depth) {
        return;
    }
    let mut sink = sink().lock().unwrap_or_else(PoisonError::into_inner);
    let indent = " ".repeat(usize::try_from(depth).unwrap_or(0));
    let line = format!("{indent}{}{message}\n", sink.prefix);
    let _ = match &mut sink.file {
        Some(file) => file.write_all(line.as_bytes()),
        None => std::io::stderr().write_all(line.as_bytes()),
    };
}

/// Writes a message that went to stderr to the log file too, if there is one.
pub(crate) fn also(message: &str) {
    let has_file = sink().lock().unwrap_or_else(PoisonError::into_inner).file.is_some();
    if has_file {
        write(0, format_args!("{message}"));
    }
}

/// Logs at depth 0, the level of errors and of what an operator should know.
macro_rules! say {
    ($($arg:tt)*) => { $crate::log::write(0, format_args!($($arg)*)) };
}
/// Logs at the depth given first.
macro_rules! trace {
    ($depth:literal, $($arg:tt)*) => {
        if $crate::log::enabled($depth) { $crate::log::write($depth, format_args!($($arg)*)) }
    };
}
pub(crate) use {say, trace};
