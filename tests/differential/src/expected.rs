//! The differences that are meant: `expected-differences.txt`.

use crate::compare::Difference;
use crate::table;

/// A pattern of one column: the text itself, a beginning followed by `*`, or `<n bytes>` for so many bytes in hexadecimal
/// digits.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Exactly(String),
    Beginning(String),
    Bytes(usize),
}

impl Pattern {
    fn parse(text: &str) -> Self {
        let bytes = text.strip_prefix('<').and_then(|t| t.strip_suffix(" bytes>")).and_then(|n| n.parse().ok());
        if let Some(n) = bytes {
            return Self::Bytes(n);
        }
        match text.strip_suffix('*') {
            Some(head) => Self::Beginning(head.into()),
            None => Self::Exactly(text.into()),
        }
    }

    fn covers(&self, text: &str) -> bool {
        match self {
            Self::Exactly(t) => text == t,
            Self::Beginning(t) => text.starts_with(t.as_str()),
            Self::Bytes(n) => text.len() == 2 * n && text.chars().all(|c| c.is_ascii_hexdigit()),
        }
    }
}

/// One line of the list: `command | field | left | right | reason`, where the command may be followed by ` at ` and the
/// label of the step, and by ` with a persistent handle`.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Names of commands; empty for any command.
    commands: Vec<String>,
    /// Only commands that name a persistent object.
    persistent: bool,
    /// The step's label.
    label: Pattern,
    field: Pattern,
    left: Pattern,
    right: Pattern,
    /// Why it is right that they differ.
    pub reason: String,
    /// The line as it is in the file.
    pub line: String,
}

fn commands(column: &str) -> Result<Vec<String>, String> {
    if column == "*" {
        return Ok(Vec::new());
    }
    let names = column.split(',').map(|name| name.trim().to_string());
    names
        .map(|name| {
            let known =
                name == "control" || name.starts_with("0x") || table::commands().values().any(|c| c.name == name);
            if known { Ok(name) } else { Err(format!("no command {name}")) }
        })
        .collect()
}

const PERSISTENT: &str = " with a persistent handle";

/// True if one of the first two handles of a command is that of a persistent object.
fn names_persistent(command: &[u8]) -> bool {
    [10, 14].into_iter().any(|at| command.get(at) == Some(&0x81))
}

impl Expected {
    /// Reads the list. A line that could hide more than it means is refused: one of the two values must be given in
    /// full, and both if the line is for any command.
    pub fn parse(text: &str) -> Result<Vec<Self>, String> {
        text.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')).map(Self::line).collect()
    }

    fn line(line: &str) -> Result<Self, String> {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [who, field, left, right, reason] = columns[..] else {
            return Err(format!("not `command | field | left | right | reason`: {line}"));
        };
        let (who, persistent) = who.strip_suffix(PERSISTENT).map_or((who, false), |rest| (rest, true));
        let (who, label) = who.split_once(" at ").unwrap_or((who, "*"));
        let commands = commands(who).map_err(|e| format!("{e}: {line}"))?;
        let exact = [left, right].iter().filter(|v| !v.ends_with('*')).count();
        if reason.is_empty() || exact < if commands.is_empty() && !persistent { 2 } else { 1 } {
            return Err(format!("a value or the reason is missing: {line}"));
        }
        Ok(Self {
            commands,
            persistent,
            label: Pattern::parse(label),
            field: Pattern::parse(field),
            left: Pattern::parse(left),
            right: Pattern::parse(right),
            reason: reason.into(),
            line: line.into(),
        })
    }

    /// True if this line covers the difference.
    pub fn covers(&self, d: &Difference) -> bool {
        (self.commands.is_empty() || self.commands.contains(&d.command))
            && (!self.persistent || names_persistent(&d.right_bytes.0))
            && self.label.covers(&d.label)
            && self.field.covers(&d.field)
            && self.left.covers(&d.left)
            && self.right.covers(&d.right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(command: &str, field: &str, left: &str, right: &str) -> Difference {
        Difference {
            scenario: String::new(),
            label: String::new(),
            command: command.into(),
            field: field.into(),
            left: left.into(),
            right: right.into(),
            step: 0,
            left_bytes: Default::default(),
            right_bytes: Default::default(),
        }
    }

    #[test]
    fn a_line_covers_what_it_says_and_nothing_else() {
        let list = Expected::parse("Sign, Quote | rc | 0x1* | 0x143 X | because\n* | rc | 1 | 2 | because\n").unwrap();
        let covered = |d: &Difference| list.iter().any(|e| e.covers(d));
        assert!(covered(&difference("Quote", "rc", "0x184 Y", "0x143 X")));
        assert!(!covered(&difference("Quote", "rc", "0x184 Y", "0x143 Z")));
        assert!(!covered(&difference("Load", "rc", "0x184 Y", "0x143 X")));
        assert!(!covered(&difference("Quote", "name", "0x184 Y", "0x143 X")));
        assert!(covered(&difference("Load", "rc", "1", "2")));
    }

    #[test]
    fn lines_that_say_too_little_are_refused() {
        for line in [
            "Sign | rc | * | * | x",
            "* | rc | * | 1 | x",
            "Sign | rc | 1 | 2 |",
            "Sign | rc | 1 | 2",
            "Sing | rc | 1 | 2 | x",
        ] {
            assert!(Expected::parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_list_can_be_read() {
        Expected::parse(include_str!("../expected-differences.txt")).unwrap();
    }
}
