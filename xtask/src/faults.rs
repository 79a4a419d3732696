//! `cargo xtask faults`: every single fault of a disk under the store.

use crate::Failure;
use crate::run::{cargo, must};

/// Run the whole campaign.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = arguments.first() {
        return Err(format!("faults takes no arguments, found {unknown}"));
    }
    must(cargo(&["run", "--release", "--quiet", "--package", "sealwright-faults"]))
}
