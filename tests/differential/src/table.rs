//! The table of commands, read from `tests/conformance/commands.csv` (typed from Part 3, not from the engine).

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// One command as Part 3 describes it.
#[derive(Clone, Debug)]
pub struct Command {
    /// TPM_CC.
    pub code: u32,
    /// Name without `TPM2_`.
    pub name: &'static str,
    /// Handles: name, type, role (`user`, `admin`, `dup` or `none`).
    pub handles: Vec<(&'static str, &'static str, &'static str)>,
    /// True if the response carries a handle.
    pub response_handle: bool,
    /// True if the first parameter may be encrypted.
    pub decrypt: bool,
    /// True if the first response parameter may be encrypted.
    pub encrypt: bool,
    /// False if only TPM_ST_NO_SESSIONS is allowed.
    pub sessions: bool,
    /// Parameters: name and type.
    pub parameters: Vec<(&'static str, &'static str)>,
    /// Response parameters: name and type.
    pub response: Vec<(&'static str, &'static str)>,
}

impl Command {
    /// How many handles need an authorization.
    pub fn authorizations(&self) -> usize {
        self.handles.iter().filter(|h| h.2 != "none").count()
    }
}

const SOURCE: &str = include_str!("../../conformance/commands.csv");

fn pairs(list: &'static str) -> Vec<(&'static str, &'static str)> {
    list.split(';').filter_map(|item| item.split_once(':')).collect()
}

/// All commands by code.
pub fn commands() -> &'static BTreeMap<u32, Command> {
    static TABLE: OnceLock<BTreeMap<u32, Command>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let rows = SOURCE.lines().filter(|l| !l.starts_with('#') && !l.starts_with("code"));
        rows.map(|line| {
            let f: Vec<&'static str> = line.split(',').collect();
            let handles = f[2].split(';').filter(|h| !h.is_empty()).map(|h| {
                let mut parts = h.split(':');
                let mut next = || parts.next().unwrap_or("");
                (next(), next(), next())
            });
            let code = u32::from_str_radix(f[0], 16).expect("hexadecimal code in commands.csv");
            let command = Command {
                code,
                name: f[1],
                handles: handles.collect(),
                response_handle: f[3] == "1",
                decrypt: f[7] == "y",
                encrypt: f[8] == "y",
                sessions: f[9] == "yes",
                parameters: pairs(f[10]),
                response: pairs(f[11]),
            };
            (code, command)
        })
        .collect()
    })
}

/// The code of a command by its name. Panics on a name that does not exist, which is a mistake in a scenario.
pub fn code(name: &str) -> u32 {
    commands().values().find(|c| c.name == name).map(|c| c.code).unwrap_or_else(|| panic!("no command {name}"))
}

/// The name of a command code.
pub fn name(code: u32) -> String {
    commands().get(&code).map_or_else(|| format!("{code:#x}"), |c| c.name.to_string())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_table_is_complete_and_sized_parameters_agree_with_their_types() {
        assert_eq!(super::commands().len(), 117);
        for c in super::commands().values() {
            assert_eq!(c.decrypt, c.parameters.first().is_some_and(|p| p.1.starts_with("TPM2B")), "{}", c.name);
            assert_eq!(c.encrypt, c.response.first().is_some_and(|p| p.1.starts_with("TPM2B")), "{}", c.name);
            assert!(c.sessions || c.authorizations() == 0, "{}", c.name);
        }
    }
}
