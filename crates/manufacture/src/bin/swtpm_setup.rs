//! `swtpm_setup`, or another of these programs by whose name it is called.

use std::process::ExitCode;

fn main() -> ExitCode {
    sealwright_manufacture::command::run("swtpm_setup", std::env::args_os())
}
