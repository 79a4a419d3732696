//! `swtpm_localca`, or another of these programs by whose name it is called.

use std::process::ExitCode;

fn main() -> ExitCode {
    sealwright_manufacture::command::run("swtpm_localca", std::env::args_os())
}
