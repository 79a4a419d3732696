//! The command line of `vtpmd state`.

use super::getopt;
use super::state_commands::StateCommand;
use super::{KeyOption, Options, key, state};
use crate::failure::{Failure, failure};

/// What to look at, and how to show it.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// Place, keys and settings of the store, as for `vtpmd socket`.
    pub(crate) options: Options,
    /// `--generation`.
    pub(crate) generation: Option<u64>,
    /// `--from`.
    pub(crate) from: Option<u64>,
    /// `--to`.
    pub(crate) to: Option<u64>,
    /// `--reason`.
    pub(crate) reason: Option<String>,
    /// `--json`.
    pub(crate) json: bool,
    /// `--help`.
    pub(crate) help: bool,
}

/// Reads the words after `state COMMAND`.
pub(crate) fn parse(command: &StateCommand, words: &[String]) -> Result<Request, Failure> {
    let mut request = Request::default();
    let number = |name: &str, value: &str| {
        value.parse::<u64>().map_err(|_| failure!("--{name}: '{value}' is not the number of a generation"))
    };
    for found in getopt::parse(&command.table(), words)? {
        let value = found.value;
        match found.long {
            "tpmstate" => request.options.state = Some(state(&value)?),
            "key" => request.options.key = Some(key("key", &value)?),
            "generation" => request.generation = Some(number("generation", &value)?),
            "from" => request.from = Some(number("from", &value)?),
            "to" => request.to = Some(number("to", &value)?),
            "reason" if !value.trim().is_empty() => request.reason = Some(value),
            "reason" => return Err(failure!("--reason needs a text, which is kept in the history")),
            "json" => request.json = true,
            "help" => request.help = true,
            name => {
                request.options.store.set(name, &value)?;
            }
        }
    }
    Ok(request)
}

impl Request {
    /// The key option, for messages.
    pub(crate) fn key(&self) -> Option<&KeyOption> {
        self.options.key.as_ref()
    }
}
