//! vtpmd: the TPM of one VM in one process. It takes swtpm's place: the same command line, control channel and data
//! channel.
//!
//! One thread runs the control channel and everything about the process; another waits on the data channel and runs
//! the engine, so the control channel answers, and cancels, while a long command runs.

mod background;
mod control;
mod convert;
mod data;
mod descriptor;
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
mod random;
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

use failure::{Failure, failure};
use options::{Options, help};
use std::process::ExitCode;

fn command(words: &[String]) -> Result<ExitCode, Failure> {
    let Some((command, rest)) = words.split_first() else {
        return Err(failure!("a command is needed; see vtpmd --help"));
    };
    match command.as_str() {
        "-h" | "--help" => print!("{}", help::PROGRAM),
        "-v" | "--version" => {
            println!("TPM emulator version {}, vtpmd of the Sealwright project", env!("CARGO_PKG_VERSION"));
        }
        "socket" => {
            let options = Options::parse(rest, |name| std::env::var(name).ok())?;
            if !options.help {
                return run::socket(&options);
            }
            print!("{}", help::SOCKET);
        }
        "convert" => return convert::command::convert(rest),
        "state" => return generations::run(rest),
        "passthrough" => return passthrough::run(rest),
        "chardev" | "cuse" => return Err(failure!("'{command}' is not supported yet; 'socket' is")),
        other => return Err(failure!("'{other}' is not a command; see vtpmd --help")),
    }
    Ok(ExitCode::SUCCESS)
}

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
    match command(words.get(1..).unwrap_or_default()) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{name}: {failure}");
            log::also(&failure.0);
            ExitCode::FAILURE
        }
    }
}
