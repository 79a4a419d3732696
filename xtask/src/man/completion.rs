//! Shell completions: commands, options, and files as values.

use super::help::{Entry, Help};
use core::fmt::Write;

fn names(help: &Help) -> String {
    help.options.iter().flat_map(Entry::names).collect::<Vec<_>>().join(" ")
}

fn words(commands: &[(&str, Help)]) -> String {
    commands.iter().map(|(command, _)| *command).collect::<Vec<_>>().join(" ")
}

/// Text between single quotes, short.
fn quoted(text: &str) -> String {
    text.split(". ").next().unwrap_or_default().replace('\'', "").replace(['[', ']', ':'], " ")
}

/// For bash.
pub(super) fn bash(program: &str, main: &Help, commands: &[(&str, Help)]) -> String {
    let mut cases = String::new();
    for (command, help) in commands {
        let _ = writeln!(cases, "        {command}) words=\"{}\" ;;", names(help));
    }
    let first = format!("{} {}", words(commands), names(main));
    let begin = if commands.is_empty() { "0" } else { "1" };
    format!(
        "# Completion of {program} for bash.
_{program}() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} words
    case ${{COMP_WORDS[{begin}]}} in
{cases}        *) words=\"{}\" ;;
    esac
    [ \"$COMP_CWORD\" -gt {begin} ] || words=\"{}\"
    case $current in
        -*) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\") ;;
        *) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\"; compgen -f -- \"$current\") ;;
    esac
}}
complete -o filenames -F _{program} {program}
",
        names(main),
        first.trim()
    )
}

fn zsh_arguments(help: &Help) -> String {
    let mut text = String::new();
    for entry in &help.options {
        for name in entry.names() {
            let value = if entry.has_value() { ":value:_files" } else { "" };
            let _ = write!(text, " \\\n            '*{name}[{}]{value}'", quoted(&entry.about));
        }
    }
    text
}

/// For zsh.
pub(super) fn zsh(program: &str, main: &Help, commands: &[(&str, Help)]) -> String {
    let mut text = format!("#compdef {program}\n# Completion of {program} for zsh.\n");
    if commands.is_empty() {
        let _ = writeln!(text, "_arguments{} \\\n            '*:file:_files'", zsh_arguments(main));
        return text;
    }
    let _ = writeln!(
        text,
        "if (( CURRENT == 2 )); then\n    compadd -- {} {}\n    return\nfi",
        words(commands),
        names(main)
    );
    text.push_str("case $words[2] in\n");
    for (command, help) in commands {
        let _ = writeln!(
            text,
            "    {command})\n        shift words; (( CURRENT-- ))\n        _arguments{} ;;",
            zsh_arguments(help)
        );
    }
    text.push_str("esac\n");
    text
}

/// For fish.
pub(super) fn fish(program: &str, main: &Help, commands: &[(&str, Help)]) -> String {
    let mut text = format!("# Completion of {program} for fish.\n");
    let mut list = |condition: &str, help: &Help| {
        for entry in &help.options {
            let mut line = format!("complete -c {program}{condition}");
            for name in entry.names() {
                let bare = name.trim_start_matches('-');
                let kind = match (name.starts_with("--"), bare.len()) {
                    (true, _) => "-l",
                    (false, 1) => "-s",
                    (false, _) => "-o",
                };
                let _ = write!(line, " {kind} {bare}");
            }
            let value = if entry.has_value() { " -r" } else { "" };
            let _ = writeln!(text, "{line}{value} -d '{}'", quoted(&entry.about));
        }
    };
    list(if commands.is_empty() { "" } else { " -n __fish_use_subcommand" }, main);
    for (command, help) in commands {
        list(&format!(" -n '__fish_seen_subcommand_from {command}'"), help);
    }
    if !commands.is_empty() {
        let _ = writeln!(text, "complete -c {program} -n __fish_use_subcommand -f -a '{}'", words(commands));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_knows_commands_and_options() {
        let help = Help::parse("  -p, --port N   the port's [number]\n  --daemon   in the background\n");
        let commands = [("socket", help.clone())];
        let script = bash("prog", &Help::default(), &commands);
        assert!(script.contains("socket) words=\"-p --port --daemon\""), "{script}");
        let script = fish("prog", &Help::default(), &commands);
        assert!(script.contains("-s p -l port -r -d 'the ports  number '"), "{script}");
        let script = zsh("prog", &Help::default(), &commands);
        assert!(script.contains("'*--port[the ports  number ]:value:_files'"), "{script}");
        assert!(zsh("tool", &help, &[]).contains("#compdef tool"));
    }
}
