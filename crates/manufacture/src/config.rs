//! Configuration files: `name = value`, comments after `#`, `${VARIABLE}` of the environment.

use crate::failure::{Failure, failure};
use rustix::fs::Access;
use std::path::{Path, PathBuf};

/// The folder of the system's configuration files.
const SYSTEM: &str = "/etc";

/// A configuration file, as its lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    lines: Vec<String>,
}

impl Config {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = crate::file::read(path)?;
        let text = core::str::from_utf8(&bytes).map_err(|_| failure!("{} is not a text", path.display()))?;
        Ok(Self::of_text(text))
    }

    pub(crate) fn of_text(text: &str) -> Self {
        Self { lines: text.lines().map(str::to_owned).collect() }
    }

    /// The value of a name, from the first line that has it; with an empty value too.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let value = self.lines.iter().find_map(|line| {
            let rest = line.strip_prefix(name)?.trim_start().strip_prefix('=')?;
            Some(rest.split('#').next().unwrap_or_default().trim())
        });
        value.map(resolve)
    }

    /// The value of a name, if it has one that is not empty.
    pub(crate) fn filled(&self, name: &str) -> Option<String> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Variables for the environment of other programs: `env:NAME = value`.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().filter_map(|line| {
            let (name, value) = line.strip_prefix("env:")?.split_once('=')?;
            let name = name.trim_end();
            let fits = !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            fits.then(|| (name, value.trim_start()))
        })
    }
}

/// Puts the environment's values in the place of `${NAME}`, and the home in that of `~/` at the beginning.
fn resolve(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    if let (Some(after), Some(home)) = (text.strip_prefix("~/"), home()) {
        out.push_str(&home.to_string_lossy());
        out.push('/');
        rest = after;
    }
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            out.push_str("${");
            rest = after;
            break;
        };
        out.push_str(&std::env::var(name).unwrap_or_default());
        rest = after;
    }
    out.push_str(rest);
    out
}

fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from).or_else(crate::command::user::home)
}

/// The user's folder of configuration files: `$XDG_CONFIG_HOME`, or `~/.config`.
pub(crate) fn user_folder() -> PathBuf {
    match std::env::var_os("XDG_CONFIG_HOME").filter(|folder| Path::new(folder).is_absolute()) {
        Some(folder) => folder.into(),
        None => home().unwrap_or_default().join(".config"),
    }
}

/// The configuration file of this name: the user's if it can be read, else the system's.
pub(crate) fn find(name: &str) -> PathBuf {
    let own = user_folder().join(name);
    if crate::file::may(&own, Access::READ_OK) { own } else { Path::new(SYSTEM).join(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_as_swtpm_finds_them() {
        let config = Config::of_text(
            "statedir_old = no\nstatedir=/var/lib # here\nempty =\n tool = no\ntool\t= a b \ntool = second\n\
             env:P11 = /x y\nenv:1bad = z\n",
        );
        assert_eq!(config.get("statedir").as_deref(), Some("/var/lib"));
        assert_eq!(config.get("tool").as_deref(), Some("a b"));
        assert_eq!((config.get("empty").as_deref(), config.filled("empty")), (Some(""), None));
        assert_eq!(config.get("missing"), None);
        assert_eq!(config.environment().collect::<Vec<_>>(), [("P11", "/x y")]);
    }

    #[test]
    fn the_environment_is_put_in() {
        let path = std::env::var("PATH").unwrap_or_default();
        assert_eq!(resolve("a${PATH}b${SEALWRIGHT_NOT_SET}c"), format!("a{path}bc"));
        assert_eq!(resolve("a${PATH"), "a${PATH");
        assert!(!resolve("~/x").starts_with('~'));
        assert_eq!(resolve("a~/x"), "a~/x");
    }
}
