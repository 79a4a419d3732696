//! The command lines of `swtpm_ioctl` and `swtpm_bios`: their options as data, and the way they are read (GNU
//! `getopt_long_only`: one dash or two, unambiguous prefixes, options and other words in any order).

mod tables;

pub use tables::{BIOS, IOCTL};

use core::fmt;
use std::ffi::OsString;
use std::io::{ErrorKind, Write};

/// Writes to standard output. Who stops reading, as `head` does, has all that it wants; what else fails ends the program, as
/// an answer that is not whole must not look like one.
pub fn print(text: fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_fmt(text).and_then(|()| out.flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        eprintln!("cannot write the answer: {error}");
        std::process::exit(1);
    }
}

/// A program: what its help, man page and shell completion are made of.
#[derive(Debug)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// What follows the name, in short.
    pub usage: &'static str,
    /// The options, in groups.
    pub options: &'static [Spec],
    /// Text behind the options, in the help and the man page.
    pub notes: &'static str,
}

/// One option.
#[derive(Debug, PartialEq, Eq)]
pub struct Spec {
    /// Name without the dashes.
    pub name: &'static str,
    /// The values that follow, by names for people. The first may be joined by `=`.
    pub values: &'static [&'static str],
    /// What it does.
    pub about: &'static str,
}

/// An option as it was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// Name from the table.
    pub name: &'static str,
    /// Its values, as many as the table says.
    pub values: Vec<String>,
}

/// The words of a command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// The options, in order.
    pub options: Vec<Found>,
    /// Words that are none.
    pub others: Vec<String>,
}

/// The words behind the program's name.
pub fn words() -> Result<Vec<String>, String> {
    let text = |word: OsString| word.into_string().map_err(|word| format!("'{}' is not UTF-8 text", word.display()));
    std::env::args_os().skip(1).map(text).collect()
}

impl Spec {
    /// The option as it is written, with names for its values.
    #[must_use]
    pub fn written(&self) -> String {
        // Options of one or two letters have one dash, as people write them.
        let dashes = if self.name.len() <= 2 { "-" } else { "--" };
        self.values.iter().fold(format!("{dashes}{}", self.name), |text, value| format!("{text} {value}"))
    }
}

impl Program {
    fn find(&self, name: &str, word: &str) -> Result<&'static Spec, String> {
        if let Some(exact) = self.options.iter().find(|spec| spec.name == name) {
            return Ok(exact);
        }
        let matching: Vec<_> = self.options.iter().filter(|spec| spec.name.starts_with(name)).collect();
        match matching.as_slice() {
            [one] if !name.is_empty() => Ok(one),
            [_, _, ..] if !name.is_empty() => {
                let all: Vec<_> = matching.iter().map(|spec| format!("'--{}'", spec.name)).collect();
                Err(format!("option '{word}' is ambiguous; possibilities: {}", all.join(" ")))
            }
            _ => Err(format!("unrecognized option '{word}'")),
        }
    }

    /// Reads the words behind the program's name.
    pub fn parse(&self, words: impl IntoIterator<Item = String>) -> Result<Words, String> {
        let mut found = Words::default();
        let mut words = words.into_iter().peekable();
        while let Some(word) = words.next() {
            if word == "--" {
                found.others.extend(words);
                break;
            }
            let body = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).filter(|body| !body.is_empty());
            let Some(body) = body else {
                found.others.push(word);
                continue;
            };
            let (name, inline) = match body.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (body, None),
            };
            let written = word.split('=').next().unwrap_or(&word);
            let spec = self.find(name, written)?;
            if spec.values.is_empty() && inline.is_some() {
                return Err(format!("option '{written}' doesn't allow an argument"));
            }
            let mut values: Vec<String> = inline.into_iter().collect();
            while values.len() < spec.values.len() {
                // The first value is the next word, whatever it is; a further one is no option.
                let next = if values.is_empty() { words.next() } else { words.next_if(|w| !w.starts_with('-')) };
                values.push(next.ok_or_else(|| match spec.values.get(values.len()) {
                    Some(name) if !values.is_empty() => {
                        format!("option '{written}' requires a second argument, {name}")
                    }
                    _ => format!("option '{written}' requires an argument"),
                })?);
            }
            found.options.push(Found { name: spec.name, values });
        }
        Ok(found)
    }

    /// The help screen.
    #[must_use]
    pub fn help(&self) -> String {
        let mut text = format!("{}: {}\n\nUsage: {} {}\n\n", self.name, self.about, self.name, self.usage);
        for spec in self.options {
            let mut left = format!("  {}", spec.written());
            for line in wrapped(spec.about, 92) {
                if left.len() > 25 {
                    text.push_str(&left);
                    text.push('\n');
                    left.clear();
                }
                text.push_str(&format!("{left:26}{line}\n"));
                left.clear();
            }
        }
        if !self.notes.is_empty() {
            text.push('\n');
            for line in wrapped(self.notes, 118) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        text
    }
}

/// The text in lines of at most `width` letters.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len().saturating_add(word.len()) < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Options with their values.
    type Options = Vec<(&'static str, Vec<String>)>;

    fn parse(program: &Program, words: &[&str]) -> Result<(Options, Vec<String>), String> {
        let words = program.parse(words.iter().map(|w| (*w).to_owned()))?;
        Ok((words.options.into_iter().map(|f| (f.name, f.values)).collect(), words.others))
    }

    #[test]
    fn one_dash_or_two_and_words_anywhere() {
        let (options, others) =
            parse(&IOCTL, &["/dev/x", "-c", "--tcp", ":1", "-unix=/a=b", "--save", "permanent", "f", "--", "-g"])
                .unwrap();
        let names: Vec<_> = options.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["c", "tcp", "unix", "save"]);
        assert_eq!(options[2].1, ["/a=b"]);
        assert_eq!(options[3].1, ["permanent", "f"]);
        assert_eq!(others, ["/dev/x", "-g"]);
    }

    #[test]
    fn an_exact_name_wins_and_prefixes_are_legal() {
        assert_eq!(parse(&BIOS, &["-c"]).unwrap().0, [("c", vec![])]);
        assert_eq!(parse(&BIOS, &["-e", "--tpm2"]).unwrap().0, [("ea", vec![]), ("tpm2", vec![])]);
        assert_eq!(parse(&IOCTL, &["-l", "-1"]).unwrap().0, [("l", vec!["-1".to_owned()])]);
        assert_eq!(parse(&IOCTL, &["-h", "-"]).unwrap().0, [("h", vec!["-".to_owned()])]);
    }

    #[test]
    fn refusals_name_the_word() {
        for (program, words, part) in [
            (&BIOS, &["--tpm"][..], "ambiguous; possibilities: '--tpm-device' '--tpm2'"),
            (&BIOS, &["-z"], "unrecognized option '-z'"),
            (&IOCTL, &["--unix"], "option '--unix' requires an argument"),
            (&IOCTL, &["--save", "permanent"], "second argument"),
            (&IOCTL, &["--save", "permanent", "-c"], "second argument"),
            (&IOCTL, &["-c=1"], "doesn't allow"),
        ] {
            let error = parse(program, words).unwrap_err();
            assert!(error.contains(part), "{words:?}: {error}");
        }
    }

    #[test]
    fn the_help_has_every_option_and_short_lines() {
        for program in [&IOCTL, &BIOS] {
            let help = program.help();
            for spec in program.options {
                assert!(help.contains(&spec.written()), "{}", spec.name);
            }
            assert!(help.lines().all(|line| line.len() <= 120), "{help}");
        }
    }
}
