//! vtpmd: the TPM of one VM in one process. It takes swtpm's place: the same command line, control channel and data
//! channel.
//!
//! One thread runs the control channel and everything about the process; another waits on the data channel and runs
//! the engine, so the control channel answers, and cancels, while a long command runs.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::todo,
        clippy::unimplemented,
        clippy::arithmetic_side_effects
    )
)]

mod answer;
mod background;
mod capture;
mod confine;
mod control;
mod convert;
mod data;
mod failure;
mod generations;
mod info;
mod instance;
mod listen;
mod log;
mod manage;
mod notify;
mod options;
mod passthrough;
mod pid;
mod private;
mod profile;
mod proxy;
mod run;
mod seal;
mod seccomp;
mod served;
mod shared;
mod storage;
mod tpm;
mod user;

#[cfg(test)]
mod testing;

use crate::answer::{answer, answer_line};
use failure::{Failure, failure};
use options::{Interface, Options, Program, help};
use std::process::ExitCode;

/// Runs `socket` or `chardev`.
fn serve(program: Program, interface: Interface, words: &[String]) -> Result<ExitCode, Failure> {
    let options = Options::parse(program, interface, words, |name| std::env::var(name).ok())?;
    if options.help {
        let name = if program == Program::Swtpm { "swtpm" } else { "vtpmd" };
        answer!("{}", help::options(name, interface));
        return Ok(ExitCode::SUCCESS);
    }
    run::run(&options)
}

/// Runs what is known by both names; nothing if the command is another.
fn shared_command(program: Program, command: &str, rest: &[String]) -> Option<Result<ExitCode, Failure>> {
    match command {
        "socket" => Some(serve(program, Interface::Socket, rest)),
        "chardev" => Some(serve(program, Interface::Chardev, rest)),
        "cuse" => Some(Err(failure!(
            "'cuse' is not supported: give the TPM to its users by 'chardev --vtpm-proxy', or by 'socket'"
        ))),
        "-v" | "--version" => {
            answer_line!(
                "TPM emulator version {}, vtpmd {} of the Sealwright project",
                info::version(program),
                env!("CARGO_PKG_VERSION")
            );
            Some(Ok(ExitCode::SUCCESS))
        }
        _ => None,
    }
}

/// Called as `swtpm`: swtpm's commands, and its words where there is none.
fn swtpm(words: &[String]) -> Result<ExitCode, Failure> {
    let Some((command, rest)) = words.split_first() else { return Err(failure!("Missing TPM interface type.")) };
    if let Some(done) = shared_command(Program::Swtpm, command, rest) {
        return done;
    }
    if !matches!(command.as_str(), "-h" | "--help") {
        return Err(failure!("Unsupported TPM interface type '{command}'.\n{}", help::SWTPM));
    }
    answer!("{}", help::SWTPM);
    Ok(ExitCode::SUCCESS)
}

fn vtpmd(words: &[String]) -> Result<ExitCode, Failure> {
    let Some((command, rest)) = words.split_first() else {
        return Err(failure!("a command is needed; see vtpmd --help"));
    };
    if let Some(done) = shared_command(Program::Vtpmd, command, rest) {
        return done;
    }
    match command.as_str() {
        "-h" | "--help" => answer!("{}", help::PROGRAM),
        "convert" => return convert::command::convert(rest),
        "state" => return generations::run(rest),
        "passthrough" => return passthrough::run(rest),
        other => return Err(failure!("'{other}' is not a command; see vtpmd --help")),
    }
    Ok(ExitCode::SUCCESS)
}

/// The static program's: that of its C library is slow (docs/decisions/0017-linked-statically.md).
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    let mut words = Vec::new();
    for word in std::env::args_os() {
        match word.into_string() {
            Ok(word) => words.push(word),
            Err(word) => {
                eprintln!("vtpmd: '{}' is not UTF-8 text", word.display());
                return ExitCode::FAILURE;
            }
        }
    }
    let name = words.first().and_then(|w| w.rsplit('/').next()).unwrap_or("vtpmd").to_owned();
    // Started by a link named swtpm, the process is found under that name.
    if let Ok(name) = std::ffi::CString::new(name.as_str()) {
        let _ = rustix::thread::set_name(&name);
    }
    let words = words.get(1..).unwrap_or_default();
    let done = if name == "swtpm" {
        log::name_is(&name);
        swtpm(words)
    } else {
        vtpmd(words)
    };
    match done {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{name}: {failure}");
            log::also(&failure.0);
            ExitCode::FAILURE
        }
    }
}
