//! What the tool does, command by command.

use sealwright_channel::command_line::print;
use sealwright_channel::{BlobKind, BufferSize, Control, StateBlob};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A command with its values, named after the command of the channel.
#[derive(Debug)]
pub(crate) enum Action {
    Capabilities,
    Init,
    Stop,
    Shutdown,
    Established,
    ResetEstablished(u8),
    StoreVolatile,
    Cancel,
    SetLocality(u8),
    Hash(String),
    Save(BlobKind, PathBuf),
    Load(BlobKind, PathBuf),
    Config,
    BufferSize(u32),
    Info(u64),
    LockStorage(u32),
}

/// A number as `strtoull` reads it: decimal, `0x` hexadecimal, `0` octal.
fn number(text: &str) -> Option<u64> {
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u64::from_str_radix(hex, 16).ok();
    }
    match text.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => u64::from_str_radix(octal, 8).ok(),
        _ => text.parse().ok(),
    }
}

fn locality(text: &str) -> Result<u8, String> {
    let locality = number(text).ok_or_else(|| format!("Could not get locality number from {text}."))?;
    u8::try_from(locality).ok().filter(|l| *l <= 4).ok_or_else(|| "Locality outside valid range of [0..4].".to_owned())
}

fn blob_kind(name: &str) -> Result<BlobKind, String> {
    BlobKind::from_name(name)
        .ok_or_else(|| format!("Unknown TPM state type '{name}'; permanent, volatile and savestate are known"))
}

fn word(text: &str) -> Option<u32> {
    number(text).and_then(|n| u32::try_from(n).ok())
}

impl Action {
    /// The command of this option.
    pub(crate) fn new(name: &str, values: &[String]) -> Result<Self, String> {
        let value = values.first().map(String::as_str).unwrap_or_default();
        let file = || values.get(1).map(PathBuf::from).unwrap_or_default();
        Ok(match name {
            "c" => Self::Capabilities,
            "i" => Self::Init,
            "stop" => Self::Stop,
            "s" => Self::Shutdown,
            "e" => Self::Established,
            "r" => Self::ResetEstablished(locality(value)?),
            "v" => Self::StoreVolatile,
            "C" => Self::Cancel,
            "l" => Self::SetLocality(locality(value)?),
            "h" => Self::Hash(value.to_owned()),
            "save" => Self::Save(blob_kind(value)?, file()),
            "load" => Self::Load(blob_kind(value)?, file()),
            "g" => Self::Config,
            "b" => Self::BufferSize(word(value).ok_or_else(|| format!("Could not get buffersize from {value}."))?),
            "info" => Self::Info(number(value).ok_or("Cannot parse info flags.")?),
            "lock-storage" => {
                Self::LockStorage(word(value).ok_or_else(|| format!("Could not parse lock retries from {value}."))?)
            }
            other => return Err(format!("'{other}' is no command")),
        })
    }

    /// Does it, and prints what there is to print.
    pub(crate) fn execute(&self, control: &mut Control) -> Result<(), String> {
        if let Some(text) = self.answer(control)? {
            print(format_args!("{text}\n"));
        }
        Ok(())
    }

    fn answer(&self, control: &mut Control) -> Result<Option<String>, String> {
        let nothing = |()| None;
        let answer = match self {
            Self::Capabilities => control.capabilities().map(|bits| Some(format!("ptm capability is 0x{bits:x}"))),
            Self::Established => control.established().map(|bit| Some(format!("tpmEstablished is {}", u8::from(bit)))),
            Self::Config => control.config().map(|config| Some(format!("ptm configuration flags: 0x{:x}", config.0))),
            Self::BufferSize(size) => control.set_buffer_size(*size).map(|BufferSize { size, minimum, maximum }| {
                Some(format!("TPM buffersize: {size}\nminimum size  : {minimum}\nmaximum size  : {maximum}"))
            }),
            Self::Info(flags) => control.info(*flags).map(Some),
            Self::Hash(data) if data == "-" => control.hash(&mut std::io::stdin().lock()).map(nothing),
            Self::Hash(data) => control.hash(&mut data.as_bytes()).map(nothing),
            Self::Init => control.init(true).map(nothing),
            Self::Stop => control.stop().map(nothing),
            Self::Shutdown => control.shutdown().map(nothing),
            Self::ResetEstablished(locality) => control.reset_established(*locality).map(nothing),
            Self::StoreVolatile => control.store_volatile().map(nothing),
            Self::Cancel => control.cancel().map(nothing),
            Self::SetLocality(locality) => control.set_locality(*locality).map(nothing),
            Self::LockStorage(retries) => control.lock_storage(*retries).map(nothing),
            Self::Save(kind, path) => return save(control, *kind, path).map(nothing),
            Self::Load(kind, path) => return load(control, *kind, path).map(nothing),
        };
        answer.map_err(|fault| fault.to_string())
    }
}

/// The file to write a blob to, and whether it is new. It is opened before the blob is fetched: with the last blob the
/// daemon lets go of its storage.
fn output(path: &Path) -> std::io::Result<(File, bool)> {
    match File::options().write(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            File::options().write(true).create_new(true).mode(0o600).open(path).map(|file| (file, true))
        }
        other => other.map(|file| (file, false)),
    }
}

fn save(control: &mut Control, kind: BlobKind, path: &Path) -> Result<(), String> {
    let (mut file, new) =
        output(path).map_err(|e| format!("Could not open file '{}' for writing: {e}", path.display()))?;
    let fetched = control.state_blob(kind, true).map_err(|fault| fault.to_string());
    let written = fetched.and_then(|blob| {
        // A blob that there is not gives an empty file, as with swtpm's tool.
        let bytes = blob.map(|blob| blob.bytes).unwrap_or_default();
        let regular = file.metadata().is_ok_and(|about| about.is_file());
        let emptied = if regular { file.set_len(0) } else { Ok(()) };
        emptied
            .and_then(|()| file.write_all(&bytes))
            .map_err(|e| format!("Could not write to file '{}': {e}", path.display()))
    });
    if written.is_err() && new {
        // It was not here before. Should it be impossible to remove, it is empty.
        let _ = std::fs::remove_file(path);
    }
    written
}

fn load(control: &mut Control, kind: BlobKind, path: &Path) -> Result<(), String> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(|e| format!("Could not open file '{}' for reading: {e}", path.display()))?;
    // The daemon sees by the blob itself whether its content is encrypted.
    let blob = StateBlob { encrypted: false, bytes };
    control.set_state_blob(kind, &blob).map_err(|fault| fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_have_three_bases() {
        for (text, value) in [("0", 0), ("12", 12), ("010", 8), ("0x1f", 31), ("0X1F", 31)] {
            assert_eq!(number(text), Some(value), "{text}");
        }
        for text in ["", "x", "1x", "-1", "0x", "09", "99999999999999999999"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
