//! Why the daemon does not start, in words for the person who started it.

use core::fmt;

/// A start-up failure: printed to stderr, then exit status 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Builds a [`Failure`] from a format string.
macro_rules! failure {
    ($($arg:tt)*) => { $crate::failure::Failure(format!($($arg)*)) };
}
pub(crate) use failure;
