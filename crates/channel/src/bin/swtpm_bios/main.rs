//! `swtpm_bios`: the commands that firmware sends to a TPM when a machine starts.
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

mod sequence;

use sealwright_channel::command_line::{self, BIOS, print};
use sealwright_channel::{Address, Fault};
use sequence::{End, Sequence, Startup};
use std::process::ExitCode;

/// The port of the data channel, unless another is given.
const PORT: u16 = 6545;

/// What the words say.
enum Order {
    /// Print this.
    Print(String),
    /// Send these there.
    Run(Address, Sequence),
}

/// The TPM that the environment names.
fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Address, String> {
    if variable("TCSD_USE_TCP_DEVICE").is_none() {
        let device = variable("TPM_DEVICE").unwrap_or_else(|| "/dev/tpm0".to_owned());
        return Ok(Address::Device(device.into()));
    }
    let host = variable("TCSD_TCP_DEVICE_HOSTNAME").unwrap_or_else(|| "localhost".to_owned());
    let port = variable("TCSD_TCP_DEVICE_PORT").unwrap_or_default();
    Address::tcp(&format!("{host}:{port}"), PORT).map_err(|fault| format!("TCSD_TCP_DEVICE_PORT: {fault}"))
}

fn order() -> Result<Order, String> {
    let mut address = None;
    let mut sequence = Sequence::default();
    for found in BIOS.parse(command_line::words()?)?.options {
        let value = found.values.first().cloned().unwrap_or_default();
        match found.name {
            "tpm-device" => address = Some(Address::Device(value.into())),
            "tcp" => address = Some(Address::tcp(&value, PORT).map_err(|fault| fault.to_string())?),
            "unix" => address = Some(Address::Unix(value.into())),
            "tpm2" => sequence.tpm2 = true,
            "c" => sequence.startup = Some(Startup::Clear),
            "s" => sequence.startup = Some(Startup::State),
            "d" => sequence.startup = Some(Startup::Deactivated),
            "n" => sequence.startup = None,
            "o" => sequence.only_startup = true,
            "cs" => sequence.self_test = true,
            "ea" => sequence.ensure_activated = true,
            "u" => sequence.give_up_presence = true,
            "v" => {
                let version = env!("CARGO_PKG_VERSION");
                return Ok(Order::Print(format!(
                    "TPM emulator BIOS emulator version {version}, of the Sealwright project\n"
                )));
            }
            _ => return Ok(Order::Print(BIOS.help())),
        }
    }
    let address = match address {
        Some(address) => address,
        None => from_environment(|name| std::env::var(name).ok())?,
    };
    Ok(Order::Run(address, sequence))
}

fn main() -> ExitCode {
    let order = match order() {
        Ok(order) => order,
        Err(why) => {
            eprintln!("{}: {why}; see {} -h", BIOS.name, BIOS.name);
            return ExitCode::FAILURE;
        }
    };
    match order {
        Order::Print(text) => {
            print(format_args!("{text}"));
            ExitCode::SUCCESS
        }
        Order::Run(address, sequence) => match sequence.run(&address) {
            Ok(End::Done) => ExitCode::SUCCESS,
            Ok(End::TpmError) => ExitCode::from(128),
            Ok(End::NeedsReset) => ExitCode::from(129),
            Err(fault) => {
                let stop = if matches!(fault, Fault::Short | Fault::Malformed) { "." } else { "" };
                eprintln!("{fault}{stop}");
                ExitCode::from(255)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_a_port_or_a_device() {
        let with = |set: &'static [(&str, &str)]| {
            from_environment(move |name| set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(with(&[]).unwrap(), Address::Device("/dev/tpm0".into()));
        assert_eq!(with(&[("TPM_DEVICE", "/dev/tpm1")]).unwrap(), Address::Device("/dev/tpm1".into()));
        let tcp = |host: &str, port| Address::Tcp { host: host.to_owned(), port };
        assert_eq!(with(&[("TCSD_USE_TCP_DEVICE", "1")]).unwrap(), tcp("localhost", 6545));
        let all = &[("TCSD_USE_TCP_DEVICE", ""), ("TCSD_TCP_DEVICE_HOSTNAME", "h"), ("TCSD_TCP_DEVICE_PORT", "7")];
        assert_eq!(with(all).unwrap(), tcp("h", 7));
        let error = with(&[("TCSD_USE_TCP_DEVICE", "1"), ("TCSD_TCP_DEVICE_PORT", "x")]).unwrap_err();
        assert!(error.contains("TCSD_TCP_DEVICE_PORT"), "{error}");
    }
}
