//! `vtpmd state`: what is stored of a TPM, for people. Everything but `restore` only reads.

mod describe;
mod history;
mod rotate;
mod shred;
#[cfg(test)]
mod tests;

use crate::answer::{answer, answer_line};
use crate::failure::{Failure, failure};
use crate::options::generations::{Request, parse};
use crate::options::help;
use crate::options::state_commands::StateCommand;
use crate::seal::SealKey;
use crate::{private, storage};
use sealwright_crypto_native::NATIVE;
use sealwright_state::{StateError, Store};
use sealwright_tpm2::{Summary, Tpm2};
use serde_json::Value;
use std::process::ExitCode;
use std::sync::Arc;

/// A command of `vtpmd state`: gives the answer as lines for people, and as JSON.
type Command = fn(&Request, &mut Store) -> Result<Answer, Failure>;

/// The answer of one command.
struct Answer {
    lines: Vec<String>,
    json: Value,
}

const COMMANDS: &[(&str, Command)] = &[
    ("show", describe::show),
    ("history", history::history),
    ("diff", history::diff),
    ("verify", history::verify),
    ("restore", history::restore),
];

/// A command of `vtpmd state` with a command line of its own.
type Whole = fn(&[String]) -> Result<ExitCode, Failure>;

const OTHERS: &[(&str, Whole)] = &[
    ("convert", crate::convert::command::convert),
    ("export", crate::convert::command::export),
    ("import", crate::convert::command::import),
    ("shred", shred::run),
];

/// Runs the words after `vtpmd state`.
pub(crate) fn run(words: &[String]) -> Result<ExitCode, Failure> {
    let Some((name, rest)) = words.split_first() else {
        return Err(failure!("what about the state? see vtpmd state --help"));
    };
    if matches!(name.as_str(), "-h" | "--help") {
        answer!("{}", help::STATE);
        return Ok(ExitCode::SUCCESS);
    }
    // These ask key managers, and may have to do with a vtpmd that runs.
    let words_of = StateCommand::named(name);
    match (name.as_str(), words_of) {
        ("rewrap", Some(words_of)) => return rotate::run(rotate::What::Rewrap, words_of, rest),
        ("reseal", Some(words_of)) => return rotate::run(rotate::What::Reseal, words_of, rest),
        _ => {}
    }
    if let Some((_, command)) = OTHERS.iter().find(|(known, _)| known == name) {
        return command(rest);
    }
    let command = COMMANDS.iter().find(|(known, _)| known == name).map(|(_, command)| command);
    let (Some(command), Some(words_of)) = (command, words_of) else {
        return Err(failure!("'{name}' is not a command of vtpmd state; see vtpmd state --help"));
    };
    let request = parse(words_of, rest)?;
    if request.help {
        answer!("{}", words_of.help());
        return Ok(ExitCode::SUCCESS);
    }
    // A key and a TPM's secrets will be in this memory.
    private::protect(true)?;
    let mut store = open(&request)?;
    let answer = command(&request, &mut store)?;
    if request.json {
        answer_line!("{:#}", answer.json);
    } else {
        answer.lines.iter().for_each(|line| answer_line!("{line}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The store, not read yet.
fn open(request: &Request) -> Result<Store, Failure> {
    let state = request.options.state.as_ref();
    let state = state.ok_or_else(|| failure!("which state? --tpmstate dir=FOLDER says so"))?;
    if !state.dir.exists() {
        return Err(failure!("there is no {}", state.dir.display()));
    }
    let key = request.key().map(|key| SealKey::read("key", key)).transpose()?.map(Arc::new);
    storage::store(&request.options, state, key.as_ref())
}

/// A fault of the store in words.
fn words(fault: StateError) -> Failure {
    failure!("{fault}")
}

/// The TPM of a generation that is kept.
fn tpm(store: &mut Store, sequence: u64) -> Result<Tpm2, Failure> {
    let bytes = store.state_at(sequence).map_err(words)?;
    Tpm2::restore(&NATIVE, &bytes)
        .map_err(|fault| failure!("generation {sequence} in {} is no TPM 2.0 state: {fault}", store.place()))
}

fn summary(store: &mut Store, sequence: u64) -> Result<Summary, Failure> {
    tpm(store, sequence).map(|tpm| tpm.summary())
}
