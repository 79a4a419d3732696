//! Why something could not be made, in words for the person who asked for it.

use core::fmt;

/// A failure: printed to stderr or the log, then exit status 1. Nothing half-made is left behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Failure {}

impl From<der::Error> for Failure {
    fn from(error: der::Error) -> Self {
        Self(format!("a certificate cannot be encoded: {error}"))
    }
}

/// Builds a [`Failure`] from a format string.
macro_rules! failure {
    ($($arg:tt)*) => { $crate::Failure(format!($($arg)*)) };
}
pub(crate) use failure;
