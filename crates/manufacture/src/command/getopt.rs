//! Splits command lines as GNU `getopt_long` does: `--name=value`, `--name value`, unambiguous prefixes of names, `--` as
//! the end of options.

use crate::failure::{Failure, failure};

/// Whether a value belongs to an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// None.
    None,
    /// One must follow.
    Required,
    /// One may follow, after `=` or as a word that is no option.
    Optional,
}

/// An option: its name, and what belongs to it.
pub(super) type Entry = (&'static str, Value);

/// An option as found.
pub(super) type Found = (&'static str, Option<String>);

fn resolve(table: &[Entry], name: &str) -> Result<Entry, Failure> {
    if let Some(exact) = table.iter().find(|(known, _)| *known == name) {
        return Ok(*exact);
    }
    let mut matching = table.iter().filter(|(known, _)| known.starts_with(name) && !name.is_empty());
    match (matching.next(), matching.next()) {
        (Some(one), None) => Ok(*one),
        (Some(one), Some(two)) => {
            let mut all = vec![one.0, two.0];
            all.extend(matching.map(|(known, _)| *known));
            Err(failure!("option '--{name}' is ambiguous; it could be: --{}", all.join(", --")))
        }
        _ => Err(failure!("unknown option '--{name}'; see --help")),
    }
}

/// The options, and the words that are none (which swtpm leaves out).
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) options: Vec<Found>,
    pub(super) others: Vec<String>,
}

/// Reads a command line. With `short` long names may follow a single dash too. `-h` is `--help`.
pub(super) fn parse(table: &[Entry], words: &[String], short: bool) -> Result<Parsed, Failure> {
    let mut parsed = Parsed::default();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        if word == "--" {
            parsed.others.extend(words.cloned());
            break;
        }
        let long = word.strip_prefix("--").or_else(|| word.strip_prefix('-').filter(|_| short));
        let body = match long {
            Some(body) => body,
            None if word == "-h" || word == "-?" => "help",
            None if word.starts_with('-') && word.len() > 1 => {
                return Err(failure!("unknown option '{word}'; see --help"));
            }
            None => {
                parsed.others.push(word.clone());
                continue;
            }
        };
        let body = if short && (body == "h" || body == "?") { "help" } else { body };
        let (name, inline) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (body, None),
        };
        let (name, kind) = resolve(table, name)?;
        let value = match (kind, inline) {
            (Value::None, Some(_)) => return Err(failure!("option '--{name}' takes no value")),
            (Value::None, None) => None,
            (_, Some(value)) => Some(value),
            (Value::Required, None) => {
                Some(words.next().cloned().ok_or_else(|| failure!("option '--{name}' needs a value"))?)
            }
            (Value::Optional, None) => words.next_if(|word| !word.starts_with('-')).cloned(),
        };
        parsed.options.push((name, value));
    }
    Ok(parsed)
}

/// Fails unless the text names each option, but those that are left out of it.
#[cfg(test)]
pub(super) fn assert_named(table: &[Entry], text: &str, but: &[&str]) {
    for (name, _) in table.iter().filter(|(name, _)| !but.contains(name)) {
        let named = format!("--{name}");
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
        assert!(words.any(|word| word == named), "{named} is missing: {text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Entry] = &[
        ("logfile", Value::Required),
        ("tpm", Value::Required),
        ("tpm-state", Value::Required),
        ("tpm2", Value::None),
        ("create-config-files", Value::Optional),
        ("help", Value::None),
    ];

    fn run(words: &[&str], short: bool) -> Result<Vec<Found>, Failure> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Ok(parse(TABLE, &words, short)?.options)
    }

    #[test]
    fn accepts_what_getopt_long_accepts() {
        let text = |text: &str| Some(text.to_owned());
        let found = run(&["--log", "a", "--tpm=b c", "--tpm2", "x", "--tpm-s=c", "-h", "--create-config-files"], false);
        let wanted = [
            ("logfile", text("a")),
            ("tpm", text("b c")),
            ("tpm2", None),
            ("tpm-state", text("c")),
            ("help", None),
            ("create-config-files", None),
        ];
        assert_eq!(found.unwrap(), wanted);
        assert_eq!(run(&["--create", "root", "--tpm2"], false).unwrap()[0], ("create-config-files", text("root")));
        assert_eq!(run(&["--create", "--tpm2"], false).unwrap()[0], ("create-config-files", None));
        assert_eq!(run(&["-tpm2", "-log=x"], true).unwrap(), [("tpm2", None), ("logfile", text("x"))]);
        let words = ["--tpm2", "a", "--", "--b"].map(str::to_owned);
        assert_eq!(parse(TABLE, &words, false).unwrap().others, ["a", "--b"]);
    }

    #[test]
    fn refuses_the_rest() {
        for (words, part) in [
            (&["--t"][..], "ambiguous"),
            (&["--nothing"], "unknown"),
            (&["-x"], "unknown"),
            (&["--logfile"], "needs a value"),
            (&["--tpm2=1"], "takes no value"),
        ] {
            let error = run(words, false).unwrap_err();
            assert!(error.0.contains(part), "{words:?}: {error}");
        }
    }
}
