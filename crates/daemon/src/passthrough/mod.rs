//! `vtpmd passthrough`: one VM is given a TPM that exists already, the host's device or another TPM on a socket. The
//! channels towards the VM are those of an own TPM; what the guest may do is decided by a [`policy`].

pub(crate) mod device;
mod guest;
pub(crate) mod policy;
mod probe;
mod table;

use crate::answer::{answer, answer_line};
use crate::failure::{Failure, failure};
use crate::options::passthrough::{self, PassthroughOptions};
use crate::run::{self, Begun};
use device::Device;
use guest::Passthrough;
use policy::Policy;
use std::process::ExitCode;

/// Runs `vtpmd passthrough` with the words behind that.
pub(crate) fn run(words: &[String]) -> Result<ExitCode, Failure> {
    let options = PassthroughOptions::parse(words)?;
    if options.common.help {
        answer!("{}", passthrough::help());
        return Ok(ExitCode::SUCCESS);
    }
    let policy = options.policy.as_deref().map(Policy::read).transpose()?.unwrap_or_default();
    if options.print_policy {
        answer_line!("{}", policy.to_json());
        return Ok(ExitCode::SUCCESS);
    }
    let Some(source) = &options.source else {
        return Err(failure!("--device, --device-fd or --socket must say which TPM the VM is given"));
    };
    let ready = match run::begin(&options.common)? {
        Begun::Ended(code) => return Ok(code),
        Begun::Running(ready) => ready,
    };
    // Before the user is changed: a device belongs to others.
    let device = Device::open(source)?;
    let control = options.socket_ctrl.as_deref().map(device::control).transpose()?;
    run::enter(&options.common)?;
    let cancel_path = options.cancel_path.clone();
    run::serve(&options.common, ready, move |_, _| Passthrough::new(device, control, cancel_path, policy))
}

#[cfg(test)]
mod tests;
