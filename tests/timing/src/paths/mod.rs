//! The paths that secrets take.

mod compare;
mod ecc;
mod engine;
mod rsa;

use crate::subject::{Random, Subject};

/// What has to come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// No difference between the classes.
    Flat,
    /// A difference: this shows that the test can find one.
    Leaks,
    /// Either: what differs is no secret. It is measured beside others that contain it.
    Public,
}

/// Prepares a test: keys and the inputs of the first class are new each time.
type Make = Box<dyn Fn(&mut Random) -> Result<Box<dyn Subject>, String>>;

/// One test.
pub(crate) struct Path {
    pub(crate) name: String,
    /// The two classes of inputs, in words.
    pub(crate) classes: &'static str,
    /// Measurements at a scale of 100 percent.
    pub(crate) count: usize,
    pub(crate) expected: Expected,
    pub(crate) make: Make,
}

/// A path on which nothing may show.
fn flat(
    name: impl Into<String>,
    classes: &'static str,
    count: usize,
    make: impl Fn(&mut Random) -> Result<Box<dyn Subject>, String> + 'static,
) -> Path {
    Path { name: name.into(), classes, count, expected: Expected::Flat, make: Box::new(make) }
}

/// A control, on which the difference has to be found.
fn leaks(
    name: impl Into<String>,
    classes: &'static str,
    count: usize,
    make: impl Fn(&mut Random) -> Result<Box<dyn Subject>, String> + 'static,
) -> Path {
    Path { expected: Expected::Leaks, ..flat(name, classes, count, make) }
}

/// All paths in their order; the controls come first.
pub(crate) fn all() -> Vec<Path> {
    [compare::paths(), ecc::paths(), rsa::paths(), engine::paths()].into_iter().flatten().collect()
}
