//! vtpmd: the TPM of one VM in one process. It takes swtpm's place: the same command line, control channel and data
//! channel.
//!
//! One thread runs the control channel and everything about the process; another waits on the data channel and runs
//! the engine, so the control channel answers, and cancels, while a long command runs.

mod descriptor;
mod failure;
mod instance;
mod log;
mod options;
mod random;
mod seal;
mod shared;
mod store;
mod tpm;

#[cfg(test)]
mod testing;

fn main() {}
