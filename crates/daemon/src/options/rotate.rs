//! The command line of `vtpmd state rewrap` and `vtpmd state reseal`.

use super::getopt;
use super::state_commands::StateCommand;
use super::{KeyOption, StateOption, StoreOptions, key, state};
use crate::failure::{Failure, failure};
use std::path::PathBuf;

/// Which state gets which new key.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// `--tpmstate`.
    pub(crate) state: Option<StateOption>,
    /// `--manage`: the management socket of the vtpmd that runs on it.
    pub(crate) manage: Option<PathBuf>,
    /// How the state is kept, and `--key-manager`.
    pub(crate) store: StoreOptions,
    /// `--key`.
    pub(crate) key: Option<KeyOption>,
    /// `--new-key`.
    pub(crate) new_key: Option<KeyOption>,
    /// `--new-key-manager`.
    pub(crate) new_key_manager: Option<String>,
    /// `--to-plain`: no key from now on.
    pub(crate) to_plain: bool,
    /// `--reason`.
    pub(crate) reason: Option<String>,
    /// `--json`.
    pub(crate) json: bool,
    /// `--help`.
    pub(crate) help: bool,
}

/// Reads the words behind the command.
pub(crate) fn parse(command: &StateCommand, words: &[String]) -> Result<Request, Failure> {
    let mut request = Request::default();
    for found in getopt::parse(&command.table(), words)? {
        let value = found.value;
        match found.long {
            "tpmstate" => request.state = Some(state(&value)?),
            "manage" if !value.is_empty() => request.manage = Some(PathBuf::from(value)),
            "manage" => return Err(failure!("--manage needs the path of a management socket")),
            "key" => request.key = Some(key("key", &value)?),
            "new-key" => request.new_key = Some(key("new-key", &value)?),
            "new-key-manager" if !value.is_empty() => request.new_key_manager = Some(value),
            "new-key-manager" => {
                return Err(failure!("--new-key-manager needs an address, such as file:/path/of/a.key"));
            }
            "to-plain" => request.to_plain = true,
            "reason" if !value.trim().is_empty() => request.reason = Some(value),
            "reason" => return Err(failure!("--reason needs a text, which is kept in the history")),
            "json" => request.json = true,
            "help" => request.help = true,
            name => {
                request.store.set(name, &value)?;
            }
        }
    }
    if request.to_plain && (request.new_key.is_some() || request.new_key_manager.is_some()) {
        return Err(failure!("--to-plain takes the key away; --new-key and --new-key-manager give one"));
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Request, Failure> {
        let command = StateCommand::named("reseal").unwrap();
        parse(command, &text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn old_and_new_keys_are_told_apart() {
        let request = read("--manage /run/m --key-manager file:/old --new-key-manager file:/new --json").unwrap();
        assert_eq!(request.store.key_manager.as_deref(), Some("file:/old"));
        assert_eq!(request.new_key_manager.as_deref(), Some("file:/new"));
        assert!(request.json && !request.to_plain && request.manage.is_some());
        for bad in ["--to-plain --new-key fd=7", "--manage=", "--reason=", "--new-key-manager=", "--generation 1"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
