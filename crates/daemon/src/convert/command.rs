//! `vtpmd state convert`, `export` and `import`: a state from swtpm's format to ours and back, from one key to another, and
//! in a file that can be carried.

use super::place::Place;
use super::transfer::{self, End, Transfer};
use crate::answer::{answer, answer_line};
use crate::failure::{Failure, failure};
use crate::options::convert::{Request, Words, parse};
use crate::options::{KeyOption, Options, help};
use crate::private;
use crate::seal::SealKey;
use serde_json::json;
use std::process::ExitCode;
use std::sync::Arc;

/// Runs `vtpmd state convert`, which is `vtpmd convert` too.
pub(crate) fn convert(words: &[String]) -> Result<ExitCode, Failure> {
    run(Words::Convert, words)
}

/// Runs `vtpmd state export`.
pub(crate) fn export(words: &[String]) -> Result<ExitCode, Failure> {
    run(Words::Export, words)
}

/// Runs `vtpmd state import`.
pub(crate) fn import(words: &[String]) -> Result<ExitCode, Failure> {
    run(Words::Import, words)
}

fn key(option: &'static str, from: Option<&KeyOption>) -> Result<Option<Arc<SealKey>>, Failure> {
    Ok(from.map(|key| SealKey::read(option, key)).transpose()?.map(Arc::new))
}

fn place(request: &Request, option: &str, text: Option<&String>) -> Result<Place, Failure> {
    let volatile = request.volatile.as_deref().filter(|_| option == "from");
    match text {
        Some(text) => Place::parse(option, text, volatile),
        None => Err(failure!("--{option} is needed; see --help")),
    }
}

/// The end that `--tpmstate` names.
fn own(request: &Request) -> Result<End, Failure> {
    let state = request.options.state.clone();
    let state = state.ok_or_else(|| failure!("which state? --tpmstate dir=FOLDER says so"))?;
    let key = key("key", request.options.key.as_ref())?;
    Ok(End { place: Place::Own(state), key, options: request.options.clone() })
}

/// The end that is named by a place.
fn other(request: &Request, option: &str, text: Option<&String>, key_option: &'static str) -> Result<End, Failure> {
    let place = place(request, option, text)?;
    let mut options = Options::default();
    options.store.key_manager.clone_from(&request.other_key_manager);
    Ok(End { place, key: key(key_option, request.other_key.as_ref())?, options })
}

fn transfer(command: Words, request: &Request) -> Result<Transfer, Failure> {
    let (from, to, reason) = match command {
        Words::Convert => {
            let from = place(request, "from", request.from.as_ref())?;
            let mut to = other(request, "to", request.to.as_ref(), "new-key")?;
            to.options.store = request.options.store.clone();
            let key = key("key", request.options.key.as_ref())?;
            let mut options = request.options.clone();
            if from != to.place {
                // The name is for what is made, and what is taken may be of whatever VM.
                options.store.vm = None;
            }
            (End { place: from, key, options }, to, "converted")
        }
        Words::Export => (own(request)?, other(request, "to", request.to.as_ref(), "to-key")?, "exported"),
        Words::Import => (other(request, "from", request.from.as_ref(), "from-key")?, own(request)?, "imported"),
    };
    if command != Words::Convert && from.place == to.place {
        return Err(failure!(
            "{} is both ends: nothing would be {reason}. vtpmd state reseal gives the state another key where it is",
            from.place
        ));
    }
    let to_be_plain = match command {
        Words::Convert => false,
        Words::Export => !to.is_sealed(),
        Words::Import => from.is_sealed() && !to.is_sealed(),
    };
    if to_be_plain && !request.plain {
        let option = if command == Words::Export { "--to-key" } else { "--key" };
        return Err(failure!(
            "the state in {} would not be encrypted: give a key for it ({option}), or say that this is meant (--plain)",
            to.place
        ));
    }
    let (generation, overwrite, mode) = (request.generation, request.overwrite, request.mode);
    Ok(Transfer { from, to, generation, overwrite, mode, reason })
}

fn run(command: Words, words: &[String]) -> Result<ExitCode, Failure> {
    let request = parse(command, words)?;
    if request.help {
        answer!(
            "{}",
            match command {
                Words::Convert => help::CONVERT,
                Words::Export => help::EXPORT,
                Words::Import => help::IMPORT,
            }
        );
        return Ok(ExitCode::SUCCESS);
    }
    private::protect(true)?;
    let transfer = transfer(command, &request)?;
    let states = transfer::run(&transfer)?;
    let (from, to, sealed) = (&transfer.from.place, &transfer.to.place, transfer.to.is_sealed());
    if request.json {
        let json = json!({
            "from": from.to_string(), "to": to.to_string(), "encrypted": sealed, "volatile": states.volatile.is_some(),
            "vm": states.vm.as_ref().map(|vm| vm.as_str()), "generation": states.generation,
        });
        answer_line!("{json:#}");
    } else {
        let running = if states.volatile.is_some() { ", with the state of a running TPM" } else { "" };
        let sealed = if sealed { "encrypted" } else { "not encrypted" };
        answer_line!("{from}: the state is now in {to}, {sealed}{running}");
    }
    Ok(ExitCode::SUCCESS)
}
