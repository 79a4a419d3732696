//! Keys and seeds are in this memory: no core files, no looking in by others of the same user, and no swap where the
//! system lets us lock memory.

use crate::failure::{Failure, failure};

/// Keeps this process's memory to itself, before any secret is in it; true if it cannot be swapped out either. To be
/// called again after a change of user, which `stays` says will not come.
pub(crate) fn protect(stays: bool) -> Result<bool, Failure> {
    let protection = sealwright_keys::protect(stays);
    if protection.no_dumps { Ok(protection.no_swap) } else { Err(failure!("cannot switch off core dumps")) }
}
