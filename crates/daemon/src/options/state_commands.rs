//! The commands of `vtpmd state` that work on a state in its place: which options each has, once, as data. The command line
//! is split by it, and the help screens, man pages and completions are made of it.

use super::getopt::Spec;
use super::option;
use core::fmt::Write;

/// Columns before the text about an option.
const MARGIN: usize = 32;

/// One option: its name, the form of its value, and what it does, one line of the help each.
type Row = (&'static str, &'static str, &'static str);

/// All options of these commands, in the order of the help.
const OPTIONS: &[Row] = &[
    ("generation", "N", "the number of the older state; see vtpmd state history"),
    ("from", "N", "the older generation; usually the one before the newest"),
    ("to", "N", "the newer generation; usually the newest"),
    ("reason", "TEXT", "why; it is kept in the history"),
    ("tpmstate", "dir=FOLDER", "the state, as for vtpmd socket"),
    ("manage", "PATH", "the management socket of the vtpmd that runs on it"),
    ("key", "KEY", "the key of the state, if it is encrypted: the values of --key in vtpmd socket --help"),
    ("key-manager", "ADDRESS", "the key manager of the state, as for vtpmd socket"),
    ("new-key", "KEY", "the key that it gets"),
    (
        "new-key-manager",
        "ADDRESS",
        "the key manager that it gets; without a new key, the present one with its present key",
    ),
    ("to-plain", "", "it is not encrypted any more"),
    ("vm", "NAME", "whose state it must be"),
    ("anchor", "ANCHOR", "where the newest state is remembered, as for vtpmd socket"),
    ("accept-rollback", "REASON", "go on with an older state than the anchor knows"),
    ("history", "N", "keep the last N states"),
    ("durability", "none|data|full", "what a commit waits for, as for vtpmd socket"),
    ("json", "", "the answer as JSON"),
    ("help", "", "this help"),
];

/// What every one of these commands has.
const COMMON: &[&str] = &["tpmstate", "key", "key-manager", "vm", "anchor", "history", "durability", "json", "help"];

/// One command.
pub(crate) struct StateCommand {
    /// Its name.
    name: &'static str,
    /// What must be given.
    usage: &'static str,
    /// What it does, in lines.
    about: &'static str,
    /// Its options beside the common ones.
    options: &'static [&'static str],
}

const KEYS: &str = "[--key KEY | --key-manager ADDRESS]";
const READS: &str = "It does without the key; what is encrypted is not shown then.";

/// The commands.
pub(crate) const COMMANDS: &[StateCommand] = &[
    StateCommand {
        name: "show",
        usage: "--tpmstate dir=FOLDER",
        about: "Shows whose state it is, how old, encrypted or not, and what the TPM has in it. No secret is shown: no key, no\n\
                content of an NV Index but counts, no authorization.",
        options: &["accept-rollback"],
    },
    StateCommand {
        name: "history",
        usage: "--tpmstate dir=FOLDER",
        about: "Lists the generations that are kept.",
        options: &["accept-rollback"],
    },
    StateCommand {
        name: "diff",
        usage: "--tpmstate dir=FOLDER",
        about: "Shows what changed between two generations, usually the newest two.",
        options: &["from", "to", "accept-rollback"],
    },
    StateCommand {
        name: "verify",
        usage: "--tpmstate dir=FOLDER",
        about: "Opens every generation that is kept and checks each link from one to the next.",
        options: &["accept-rollback"],
    },
    StateCommand {
        name: "restore",
        usage: "--tpmstate dir=FOLDER --generation N --reason TEXT",
        about: "Makes an older state the newest one. No TPM may be running on it. What is newer stays in the history.",
        options: &["generation", "reason", "accept-rollback"],
    },
    StateCommand {
        name: "rewrap",
        usage: "--tpmstate dir=FOLDER | --manage PATH",
        about: "Wraps the data key of the state with another key or key manager; the data key stays. With --manage while the\n\
                TPM runs, with --tpmstate while it does not; with both, whichever is there.",
        options: &["manage", "new-key", "new-key-manager"],
    },
    StateCommand {
        name: "reseal",
        usage: "--tpmstate dir=FOLDER | --manage PATH",
        about: "Encrypts everything that is kept with a new data key. With --manage while the TPM runs, with --tpmstate while\n\
                it does not; with both, whichever is there.",
        options: &["manage", "new-key", "new-key-manager", "to-plain", "reason"],
    },
];

impl StateCommand {
    /// The command of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        COMMANDS.iter().find(|command| command.name == name)
    }

    fn rows(&self) -> impl Iterator<Item = &'static Row> {
        OPTIONS.iter().filter(|(name, ..)| self.options.contains(name) || COMMON.contains(name))
    }

    /// How its words are split.
    pub(crate) fn table(&self) -> Vec<Spec> {
        let short = |name: &str| (name == "help").then_some('h');
        self.rows().map(|(name, value, _)| option(name, short(name), !value.is_empty())).collect()
    }

    /// Its help screen.
    pub(crate) fn help(&self) -> String {
        let mut out = format!("Usage: vtpmd state {} {} {KEYS} [--json]\n\n{}\n", self.name, self.usage, self.about);
        if matches!(self.name, "show" | "history") {
            let _ = writeln!(out, "{READS}");
        }
        out.push('\n');
        for (name, value, about) in self.rows() {
            let short = if *name == "help" { "-h, " } else { "" };
            let left = format!("  {short}--{name} {value}");
            let _ = writeln!(out, "{:MARGIN$}{about}", left.trim_end());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_option_of_a_command_is_in_its_help() {
        for command in COMMANDS {
            let help = command.help();
            assert!(help.lines().all(|line| line.len() <= 130), "{help}");
            for known in command.options.iter().chain(COMMON) {
                assert!(OPTIONS.iter().any(|(name, ..)| name == known), "--{known} of {} has no text", command.name);
            }
            for spec in command.table() {
                // Between name and text is a gap, by which the man pages tell them apart.
                let line =
                    help.lines().find(|line| line.contains(&format!("--{} ", spec.long)) && line.starts_with("  "));
                let line = line.unwrap_or_else(|| panic!("--{} is missing: {help}", spec.long));
                assert!(line.trim().contains("  "), "{line}");
            }
        }
    }
}
