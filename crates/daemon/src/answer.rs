//! What a command answers on standard output.

use core::fmt;
use std::io::{ErrorKind, Write};

/// Writes to standard output. Who stops reading, as `head` does, has all that it wants; what else fails ends the program,
/// as an answer that is not whole must not look like one.
pub(crate) fn write(text: fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_fmt(text).and_then(|()| out.flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        eprintln!("vtpmd: cannot write the answer: {error}");
        std::process::exit(1);
    }
}

/// Answers with a text as it is.
macro_rules! answer {
    ($($arg:tt)*) => { $crate::answer::write(format_args!($($arg)*)) };
}
/// Answers with a line.
macro_rules! answer_line {
    ($($arg:tt)*) => { $crate::answer::write(format_args!("{}\n", format_args!($($arg)*))) };
}
pub(crate) use {answer, answer_line};
