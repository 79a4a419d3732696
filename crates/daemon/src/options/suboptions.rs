//! The grammar inside an option's value: `name=value,flag,other={"json": 1, "more": 2}`.

use crate::failure::{Failure, failure};
use std::path::PathBuf;

/// The parts of one option's value. Each is taken once; what is left over at the end is an error.
pub(crate) struct Suboptions {
    option: &'static str,
    parts: Vec<(String, Option<String>)>,
}

/// Length of a leading JSON object in `text`: up to the brace that closes the first one, strings skipped.
fn json_length(text: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_u32, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            '{' if !in_string => depth = depth.saturating_add(1),
            '}' if !in_string => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at.checked_add(1);
                }
            }
            _ => {}
        }
    }
    None
}

impl Suboptions {
    /// Splits `text`, the value of `--option`. Of a name that is repeated the last value counts.
    pub(crate) fn parse(option: &'static str, text: &str) -> Result<Self, Failure> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let name_end = rest.find(['=', ',']).unwrap_or(rest.len());
            let (name, after) = rest.split_at_checked(name_end).unwrap_or((rest, ""));
            let mut value = None;
            rest = after.strip_prefix(',').unwrap_or(after);
            if let Some(tail) = after.strip_prefix('=') {
                let length = if tail.starts_with('{') {
                    json_length(tail).ok_or_else(|| failure!("--{option}: '{name}' has an unclosed brace"))?
                } else {
                    tail.find(',').unwrap_or(tail.len())
                };
                let (text, after) = tail.split_at_checked(length).unwrap_or((tail, ""));
                value = Some(text.to_owned());
                rest = match after.strip_prefix(',') {
                    Some(next) => next,
                    None if after.is_empty() => after,
                    None => return Err(failure!("--{option}: '{name}' is followed by '{after}', not by a comma")),
                };
            }
            if name.is_empty() {
                if value.is_some() {
                    return Err(failure!("--{option}: a value without a name in '{text}'"));
                }
                continue;
            }
            parts.push((name.to_owned(), value));
        }
        Ok(Self { option, parts })
    }

    fn raw(&mut self, name: &str) -> Option<Option<String>> {
        let mut last = None;
        self.parts.retain_mut(|(n, v)| {
            let hit = n == name;
            if hit {
                last = Some(v.take());
            }
            !hit
        });
        last
    }

    /// The text of `name`.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Failure> {
        match self.raw(name) {
            None => Ok(None),
            Some(Some(value)) if !value.is_empty() => Ok(Some(value)),
            Some(_) => Err(failure!("--{}: '{name}' needs a value", self.option)),
        }
    }

    /// A text that may be empty.
    pub(crate) fn text_or_empty(&mut self, name: &str) -> Option<String> {
        self.raw(name).map(Option::unwrap_or_default)
    }

    /// The path of `name`.
    pub(crate) fn path(&mut self, name: &str) -> Result<Option<PathBuf>, Failure> {
        Ok(self.text(name)?.map(PathBuf::from))
    }

    /// A switch: a bare name, `true` and `1` are true, anything else is false, as swtpm reads it.
    pub(crate) fn switch(&mut self, name: &str) -> Option<bool> {
        self.raw(name).map(|v| v.is_none_or(|v| v == "1" || v.eq_ignore_ascii_case("true")))
    }

    /// A number of `name`.
    pub(crate) fn number(&mut self, name: &str) -> Result<Option<u32>, Failure> {
        let option = self.option;
        self.text(name)?
            .map(|v| v.parse().map_err(|_| failure!("--{option}: '{name}={v}' is not a number")))
            .transpose()
    }

    /// A TCP port of `name`.
    pub(crate) fn port(&mut self, name: &str) -> Result<Option<u16>, Failure> {
        let option = self.option;
        self.text(name)?
            .map(|v| v.parse().map_err(|_| failure!("--{option}: '{name}={v}' is not a port number (0 to 65535)")))
            .transpose()
    }

    /// The number of an open file descriptor.
    pub(crate) fn descriptor(&mut self, name: &str) -> Result<Option<i32>, Failure> {
        let option = self.option;
        self.text(name)?
            .map(|v| {
                v.parse()
                    .ok()
                    .filter(|n| *n >= 0)
                    .ok_or_else(|| failure!("--{option}: '{name}={v}' is not a file descriptor number"))
            })
            .transpose()
    }

    /// File permission bits in octal, at most 0777.
    pub(crate) fn mode(&mut self, name: &str) -> Result<Option<u32>, Failure> {
        let option = self.option;
        self.text(name)?
            .map(|v| {
                u32::from_str_radix(&v, 8)
                    .ok()
                    .filter(|m| *m <= 0o777)
                    .ok_or_else(|| failure!("--{option}: '{name}={v}' is not an octal mode of at most 0777"))
            })
            .transpose()
    }

    /// Ends the reading: names that nobody took are unknown.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self.parts.first() {
            None => Ok(()),
            Some((name, _)) => Err(failure!("Unknown option '{name}' in --{}", self.option)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_flags_values_and_json() {
        let text = r#"a=1,flag,b={"x": "},", "y": {}},c=x=y,off=false,flag=TRUE,,mode=0640"#;
        let mut s = Suboptions::parse("ctrl", text).unwrap();
        assert_eq!(s.text("a").unwrap().as_deref(), Some("1"));
        assert_eq!(s.switch("flag"), Some(true));
        assert_eq!(s.switch("off"), Some(false));
        assert_eq!(s.text("b").unwrap().as_deref(), Some(r#"{"x": "},", "y": {}}"#));
        assert_eq!(s.text("c").unwrap().as_deref(), Some("x=y"));
        assert_eq!(s.mode("mode").unwrap(), Some(0o640));
        assert_eq!(s.text("none").unwrap(), None);
        s.finish().unwrap();
    }

    #[test]
    fn names_what_is_wrong() {
        assert!(Suboptions::parse("ctrl", "strange").unwrap().finish().unwrap_err().0.contains("strange"));
        assert!(Suboptions::parse("ctrl", "p={").is_err());
        assert!(Suboptions::parse("ctrl", "p={}x").is_err());
        assert!(Suboptions::parse("ctrl", "=x").is_err());
        assert!(Suboptions::parse("ctrl", "mode=01000").unwrap().mode("mode").is_err());
        assert!(Suboptions::parse("ctrl", "mode=9").unwrap().mode("mode").is_err());
        assert!(Suboptions::parse("ctrl", "port=65536").unwrap().port("port").is_err());
        assert!(Suboptions::parse("ctrl", "fd=-1").unwrap().descriptor("fd").is_err());
        assert!(Suboptions::parse("ctrl", "path").unwrap().text("path").is_err());
    }
}
