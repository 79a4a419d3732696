//! `#[derive(Wire)]`, `#[derive(Command)]` and `#[derive(Response)]`: each structure of Part 2 and each command of
//! Part 3 is written once, as an ordinary struct, and everything else is computed from it.
//!
//! | derive | on | attributes |
//! |---|---|---|
//! | `Wire` | struct | none: fields in order |
//! | `Wire` | enum of units | `#[wire(repr = u16, refuse = "HASH")]`: unknown values are that response code |
//! | `Wire` | enum of bodies | `#[wire(tag = u16, refuse = "SCHEME")]`, `#[wire(value = 0x14)]` on each variant |
//! | `Wire` | either, of algorithms | `algorithm` beside `refuse`: what the reader does not accept is refused too |
//! | `Command` | struct | `#[command(code = 0x137, response = T, nv, extensive, flushed, no_sessions)]`, `#[handle(auth = user)]` or `#[handle]` on the leading fields |
//! | `Response` | struct | `#[handle]` on the first field if it is a handle |

mod command;
mod wire;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `sealwright_core::Wire`.
#[proc_macro_derive(Wire, attributes(wire))]
pub fn derive_wire(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    wire::derive(&input).unwrap_or_else(|e| e.to_compile_error()).into()
}

/// Implements `sealwright_core::Command`.
#[proc_macro_derive(Command, attributes(command, handle))]
pub fn derive_command(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    command::derive_command(&input).unwrap_or_else(|e| e.to_compile_error()).into()
}

/// Implements `sealwright_core::Response`.
#[proc_macro_derive(Response, attributes(handle))]
pub fn derive_response(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    command::derive_response(&input).unwrap_or_else(|e| e.to_compile_error()).into()
}
