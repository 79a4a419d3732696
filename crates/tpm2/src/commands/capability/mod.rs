//! Capability commands (Part 3, 30).

mod algorithms;
pub mod get_capability;
mod handles;
mod pcr_properties;
mod properties;
pub mod test_parms;

use crate::profile::Limits;
pub(crate) use algorithms::is_implemented;
use sealwright_core::CommandSpec;

/// The commands of a TPM with these limits, in the order of their codes.
fn commands(limits: Option<&Limits>) -> impl Iterator<Item = CommandSpec> {
    let all = crate::commands::TABLE.iter().map(|entry| entry.spec);
    all.filter(move |spec| limits.is_none_or(|limits| limits.command(spec.code)))
}
