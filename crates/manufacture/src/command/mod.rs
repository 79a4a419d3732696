//! The programs: `swtpm_setup`, `swtpm_localca`, `swtpm_cert`. One executable is each of them, by the name it is called.

mod cert;
mod getopt;
mod localca;
mod setup;
pub(crate) mod user;

use sealwright_channel::command_line::print;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// The swtpm whose options and outputs these are: what asks for a least version gets this one.
pub(crate) const SWTPM_VERSION: &str = "0.10.2";

/// Runs the program of this name (`argv[0]`) with its arguments; `usual` is the one if the name is none of theirs.
pub fn run(usual: &str, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut words = arguments.into_iter().map(|word| word.to_string_lossy().into_owned());
    let called = words.next().unwrap_or_default();
    let words: Vec<String> = words.collect();
    let name = Path::new(&called).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = if ["swtpm_setup", "swtpm_localca", "swtpm_cert"].contains(&name.as_str()) { &name } else { usual };
    if let Err(failure) = user::protect() {
        return failed(name, &failure);
    }
    match name {
        "swtpm_localca" => localca::run(&words),
        "swtpm_cert" => cert::run(&words),
        _ => setup::run(&words),
    }
}

/// Says on stderr why a program ends.
fn failed(program: &str, failure: &crate::Failure) -> ExitCode {
    use std::io::Write;
    // Nobody may be listening any more.
    let _ = writeln!(std::io::stderr().lock(), "{program}: {failure}");
    ExitCode::FAILURE
}
