//! Splits the command line as GNU `getopt_long` does: `--name=value`, `--name value`, unambiguous prefixes of long
//! names, joined short options (`-tp 2321`), `--` as the end of options.

use crate::failure::{Failure, failure};

/// One option of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    /// Long name without the dashes.
    pub(crate) long: &'static str,
    /// Short name, if it has one.
    pub(crate) short: Option<char>,
    /// Whether a value must follow.
    pub(crate) value: bool,
    /// Not one of swtpm's: an abbreviation that could be one of those too is not this one.
    pub(crate) ours: bool,
}

/// An option as found: the long name, and the value where one is required.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Long name from the table.
    pub(crate) long: &'static str,
    /// Its value; empty for options without one.
    pub(crate) value: String,
}

fn long<'a>(table: &'a [Spec], name: &str) -> Result<&'a Spec, Failure> {
    if let Some(exact) = table.iter().find(|s| s.long == name) {
        return Ok(exact);
    }
    let could_be = |ours| table.iter().filter(move |s| s.ours == ours && s.long.starts_with(name));
    let mut matching = could_be(could_be(false).next().is_none());
    match (matching.next(), matching.next()) {
        (Some(one), None) if !name.is_empty() => Ok(one),
        (Some(one), Some(two)) => {
            let mut all = vec![one.long, two.long];
            all.extend(matching.map(|s| s.long));
            Err(failure!("option '--{name}' is ambiguous; it could be: --{}", all.join(", --")))
        }
        _ => Err(failure!("unknown option '--{name}'; see --help")),
    }
}

/// Reads all of `args`. Words that are no options are an error, as in swtpm.
pub(crate) fn parse(table: &[Spec], args: &[String]) -> Result<Vec<Found>, Failure> {
    let mut found = Vec::new();
    let mut words = args.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            if let Some(extra) = words.next() {
                return Err(failure!("unexpected word '{extra}' after the options"));
            }
            break;
        }
        if let Some(body) = word.strip_prefix("--") {
            let (name, inline) = match body.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (body, None),
            };
            let spec = long(table, name)?;
            let value = match (spec.value, inline) {
                (true, Some(value)) => value,
                (true, None) => match words.next() {
                    Some(value) => value.clone(),
                    None => return Err(failure!("option '--{}' needs a value", spec.long)),
                },
                (false, None) => String::new(),
                (false, Some(_)) => return Err(failure!("option '--{}' takes no value", spec.long)),
            };
            found.push(Found { long: spec.long, value });
        } else if let Some(shorts) = word.strip_prefix('-').filter(|s| !s.is_empty()) {
            let mut rest = shorts.chars();
            while let Some(c) = rest.next() {
                let Some(spec) = table.iter().find(|s| s.short == Some(c)) else {
                    return Err(failure!("unknown option '-{c}'; see --help"));
                };
                if !spec.value {
                    found.push(Found { long: spec.long, value: String::new() });
                    continue;
                }
                let joined = rest.as_str();
                let value = if joined.is_empty() {
                    words.next().cloned().ok_or_else(|| failure!("option '-{c}' needs a value"))?
                } else {
                    joined.to_owned()
                };
                found.push(Found { long: spec.long, value });
                break;
            }
        } else {
            return Err(failure!("unexpected word '{word}': every setting is an option that begins with --"));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Spec] = &[
        Spec { long: "port", short: Some('p'), value: true, ours: false },
        Spec { long: "print-states", short: None, value: false, ours: false },
        Spec { long: "print-capabilities", short: None, value: false, ours: false },
        Spec { long: "terminate", short: Some('t'), value: false, ours: false },
        Spec { long: "key", short: None, value: true, ours: false },
        Spec { long: "key-file", short: None, value: true, ours: false },
        Spec { long: "daemon", short: None, value: false, ours: false },
        Spec { long: "durability", short: None, value: true, ours: true },
    ];

    fn run(words: &[&str]) -> Result<Vec<(&'static str, String)>, Failure> {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        Ok(parse(TABLE, &words)?.into_iter().map(|f| (f.long, f.value)).collect())
    }

    #[test]
    fn accepts_what_getopt_long_accepts() {
        let found = run(&["--po=1", "--port", "2", "-p3", "-tp", "4", "--print-s", "--key", "a=b", "--"]).unwrap();
        let want = [
            ("port", "1"),
            ("port", "2"),
            ("port", "3"),
            ("terminate", ""),
            ("port", "4"),
            ("print-states", ""),
            ("key", "a=b"),
        ];
        assert_eq!(found, want.map(|(n, v)| (n, v.to_owned())));
    }

    #[test]
    fn an_abbreviation_is_one_of_swtpms_if_it_can_be() {
        assert_eq!(run(&["--d"]).unwrap(), [("daemon", String::new())]);
        assert_eq!(run(&["--du", "none"]).unwrap(), [("durability", "none".to_owned())]);
    }

    #[test]
    fn an_exact_name_wins_over_a_longer_one() {
        assert_eq!(run(&["--key=1"]).unwrap(), [("key", "1".to_owned())]);
    }

    #[test]
    fn refuses_the_rest() {
        for (words, part) in [
            (&["--pri"][..], "ambiguous"),
            (&["--nothing"], "unknown"),
            (&["--port"], "needs a value"),
            (&["-p"], "needs a value"),
            (&["--terminate=1"], "takes no value"),
            (&["word"], "unexpected"),
            (&["--", "word"], "unexpected"),
            (&["-x"], "unknown"),
            (&["-"], "unexpected"),
        ] {
            let error = run(words).unwrap_err();
            assert!(error.0.contains(part), "{words:?}: {error}");
        }
    }
}
