//! `swtpm_ioctl`: one command for a TPM daemon's control channel.
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

mod command;

use command::Action;
use sealwright_channel::command_line::{self, IOCTL, print};
use sealwright_channel::{Address, Control};
use std::process::ExitCode;

/// swtpm's own default.
const PORT: u16 = 6545;

/// What the words say.
enum Order {
    /// Print this.
    Print(String),
    /// Do this there.
    Run(Address, Action),
}

fn order() -> Result<Order, String> {
    let words = IOCTL.parse(command_line::words()?)?;
    let mut address = None;
    let mut action = None;
    for found in words.options {
        let value = found.values.first().cloned().unwrap_or_default();
        match found.name {
            "tcp" => address = Some(Address::tcp(&value, PORT).map_err(|fault| fault.to_string())?),
            "unix" => address = Some(Address::Unix(value.into())),
            "tpm-device" => address = Some(Address::Device(value.into())),
            "help" => return Ok(Order::Print(IOCTL.help())),
            "version" => {
                return Ok(Order::Print(format!(
                    "TPM emulator control tool version {}, of the Sealwright project\n",
                    env!("CARGO_PKG_VERSION")
                )));
            }
            _ if action.is_some() => return Err("Only one command may be given.".to_owned()),
            name => action = Some(Action::new(name, &found.values)?),
        }
    }
    let action = action.ok_or("No valid command.")?;
    let address = match address {
        Some(address) => address,
        None => Address::Device(words.others.into_iter().next().ok_or("Error: Missing device name.")?.into()),
    };
    Ok(Order::Run(address, action))
}

fn run(address: &Address, action: &Action) -> Result<(), String> {
    let stream = address.connect().map_err(|fault| fault.to_string())?;
    let mut control = Control::new(stream).map_err(|fault| fault.to_string())?;
    action.execute(&mut control)
}

fn main() -> ExitCode {
    match order() {
        Ok(Order::Print(text)) => print(format_args!("{text}")),
        Ok(Order::Run(address, action)) => {
            if let Err(why) = run(&address, &action) {
                eprintln!("{why}");
                return ExitCode::FAILURE;
            }
        }
        Err(why) => {
            eprintln!("{}: {why}", IOCTL.name);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
