//! The command lines of `vtpmd convert`, `vtpmd state export` and `vtpmd state import`.

use super::getopt::{self, Spec};
use super::{KeyOption, Options, key, option, state};
use crate::failure::{Failure, failure};
use std::path::PathBuf;

/// Which of the commands the words belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// From any place to any place.
    Convert,
    /// From the state that `--tpmstate` names.
    Export,
    /// To the state that `--tpmstate` names.
    Import,
}

pub(super) const CONVERT: &[Spec] = &[
    option("from", None, true),
    option("to", None, true),
    option("key", None, true),
    option("new-key", None, true),
    option("volatile", None, true),
    option("overwrite", None, false),
    option("force", None, false),
    option("vm", None, true),
    option("mode", None, true),
    option("json", None, false),
    option("help", Some('h'), false),
];

pub(super) const EXPORT: &[Spec] = &[
    option("tpmstate", None, true),
    option("key", None, true),
    option("key-manager", None, true),
    option("vm", None, true),
    option("anchor", None, true),
    option("generation", None, true),
    option("to", None, true),
    option("to-key", None, true),
    option("to-key-manager", None, true),
    option("plain", None, false),
    option("overwrite", None, false),
    option("mode", None, true),
    option("json", None, false),
    option("help", Some('h'), false),
];

pub(super) const IMPORT: &[Spec] = &[
    option("tpmstate", None, true),
    option("key", None, true),
    option("key-manager", None, true),
    option("vm", None, true),
    option("anchor", None, true),
    option("history", None, true),
    option("durability", None, true),
    option("accept-rollback", None, true),
    option("from", None, true),
    option("from-key", None, true),
    option("from-key-manager", None, true),
    option("volatile", None, true),
    option("plain", None, false),
    option("overwrite", None, false),
    option("json", None, false),
    option("help", Some('h'), false),
];

/// What the command line asks for.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// `--tpmstate`, `--key` and the settings of vtpmd's own state.
    pub(crate) options: Options,
    /// `--from`.
    pub(crate) from: Option<String>,
    /// `--to`.
    pub(crate) to: Option<String>,
    /// `--new-key`, `--to-key` or `--from-key`: that of the other end.
    pub(crate) other_key: Option<KeyOption>,
    /// `--to-key-manager` or `--from-key-manager`.
    pub(crate) other_key_manager: Option<String>,
    /// `--volatile`: swtpm's volatile state, as a file of its own.
    pub(crate) volatile: Option<PathBuf>,
    /// `--generation`.
    pub(crate) generation: Option<u64>,
    /// `--plain`: what is written need not be encrypted.
    pub(crate) plain: bool,
    /// `--overwrite`.
    pub(crate) overwrite: bool,
    /// `--mode`: permission bits of files that are made.
    pub(crate) mode: Option<u32>,
    /// `--json`.
    pub(crate) json: bool,
    /// `--help`.
    pub(crate) help: bool,
}

/// Reads the words behind the command.
pub(crate) fn parse(command: Words, words: &[String]) -> Result<Request, Failure> {
    let table = match command {
        Words::Convert => CONVERT,
        Words::Export => EXPORT,
        Words::Import => IMPORT,
    };
    let mut request = Request::default();
    for found in getopt::parse(table, words)? {
        let value = found.value;
        match found.long {
            "tpmstate" => request.options.state = Some(state(&value)?),
            "key" => request.options.key = Some(key("key", &value)?),
            "from" => request.from = Some(value),
            "to" => request.to = Some(value),
            name @ ("new-key" | "to-key" | "from-key") => request.other_key = Some(key(name, &value)?),
            "to-key-manager" | "from-key-manager" => request.other_key_manager = Some(value),
            "volatile" => request.volatile = Some(value.into()),
            "generation" => {
                let number = value.parse().map_err(|_| failure!("--generation: '{value}' is not a number"))?;
                request.generation = Some(number);
            }
            "plain" => request.plain = true,
            "overwrite" | "force" => request.overwrite = true,
            "mode" => {
                let mode = u32::from_str_radix(&value, 8).ok().filter(|mode| *mode <= 0o777);
                request.mode = Some(mode.ok_or_else(|| failure!("--mode: '{value}' is not an octal mode up to 777"))?);
            }
            "json" => request.json = true,
            "help" => request.help = true,
            name => {
                request.options.store.set(name, &value)?;
            }
        }
    }
    Ok(request)
}
