//! What a command answers on standard output.

pub(crate) use sealwright_channel::command_line::print as write;

/// Answers with a text as it is.
macro_rules! answer {
    ($($arg:tt)*) => { $crate::answer::write(format_args!($($arg)*)) };
}
/// Answers with a line.
macro_rules! answer_line {
    ($($arg:tt)*) => { $crate::answer::write(format_args!("{}\n", format_args!($($arg)*))) };
}
pub(crate) use {answer, answer_line};
