//! Shell completions: commands, options, and files as values.

use super::help::{Entry, Help, Node};
use core::fmt::Write;

fn names(help: &Help) -> String {
    help.options.iter().flat_map(Entry::names).collect::<Vec<_>>().join(" ")
}

/// The commands and then the options that may follow.
fn words(node: &Node) -> String {
    let commands = node.commands.iter().map(Node::name).collect::<Vec<_>>().join(" ");
    format!("{commands} {}", names(&node.help)).trim().to_owned()
}

/// Text between single quotes, short.
fn quoted(text: &str) -> String {
    text.split(". ").next().unwrap_or_default().replace('\'', "").replace(['[', ']', ':'], " ")
}

/// A pattern of the words before the one that is completed.
fn pattern(node: &Node) -> String {
    if node.words.is_empty() { "*".to_owned() } else { format!("\"{} \"*", node.path()) }
}

/// For bash.
pub(super) fn bash(program: &str, root: &Node) -> String {
    let mut cases = String::new();
    for node in root.all() {
        let _ = writeln!(cases, "        {}) words=\"{}\" ;;", pattern(node), words(node));
    }
    format!(
        "# Completion of {program} for bash.
_{program}() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} before=\"${{COMP_WORDS[*]:1:COMP_CWORD-1}} \" words
    case $before in
{cases}    esac
    case $current in
        -*) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\") ;;
        *) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\"; compgen -f -- \"$current\") ;;
    esac
}}
complete -o filenames -F _{program} {program}
"
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
pub(super) fn zsh(program: &str, root: &Node) -> String {
    let mut text = format!("#compdef {program}\n# Completion of {program} for zsh.\n");
    if root.commands.is_empty() {
        let _ = writeln!(text, "_arguments{} \\\n            '*:file:_files'", zsh_arguments(&root.help));
        return text;
    }
    text.push_str("local before=\"${(j: :)words[2,CURRENT-1]} \"\ncase $before in\n");
    for node in root.all() {
        let _ = writeln!(text, "    {})", pattern(node));
        if node.commands.is_empty() {
            let count = node.words.len();
            let _ = writeln!(text, "        shift {count} words; (( CURRENT -= {count} ))");
            let _ = writeln!(text, "        _arguments{} ;;", zsh_arguments(&node.help));
        } else {
            let _ = writeln!(text, "        compadd -- {} ;;", words(node));
        }
    }
    text.push_str("esac\n");
    text
}

/// When fish offers what belongs to a command: all its words were there, and none of the commands below it.
fn fish_condition(node: &Node) -> String {
    let below: Vec<_> = node.commands.iter().map(Node::name).collect();
    let mut parts: Vec<String> = node.words.iter().map(|word| format!("__fish_seen_subcommand_from {word}")).collect();
    if !below.is_empty() {
        parts.push(format!("not __fish_seen_subcommand_from {}", below.join(" ")));
    }
    if parts.is_empty() { String::new() } else { format!(" -n '{}'", parts.join("; and ")) }
}

/// For fish.
pub(super) fn fish(program: &str, root: &Node) -> String {
    let mut text = format!("# Completion of {program} for fish.\n");
    for node in root.all() {
        let condition = fish_condition(node);
        for entry in &node.help.options {
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
        let below: Vec<_> = node.commands.iter().map(Node::name).collect();
        if !below.is_empty() {
            let _ = writeln!(text, "complete -c {program}{condition} -f -a '{}'", below.join(" "));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_knows_commands_and_options() {
        let help = Help::parse("  -p, --port N   the port's [number]\n  --daemon   in the background\n");
        let node = |words: &[&str], help: &Help, commands: Vec<Node>| Node {
            words: words.iter().map(|&word| word.to_owned()).collect(),
            help: help.clone(),
            commands,
        };
        let empty = Help::default();
        let state = node(&["state"], &empty, vec![node(&["state", "show"], &help, Vec::new())]);
        let root = node(&[], &empty, vec![node(&["socket"], &help, Vec::new()), state]);
        let script = bash("prog", &root);
        assert!(script.contains("\"socket \"*) words=\"-p --port --daemon\""), "{script}");
        assert!(script.contains("\"state show \"*) words=\"-p --port --daemon\""), "{script}");
        assert!(script.contains("\"state \"*) words=\"show\"") && script.contains(" *) words=\"socket state\""));
        let script = fish("prog", &root);
        assert!(script.contains("-s p -l port -r -d 'the ports  number '"), "{script}");
        assert!(
            script.contains(
                "-n '__fish_seen_subcommand_from state; and not __fish_seen_subcommand_from show' -f -a 'show'"
            )
        );
        let script = zsh("prog", &root);
        assert!(script.contains("'*--port[the ports  number ]:value:_files'"), "{script}");
        assert!(script.contains("shift 2 words; (( CURRENT -= 2 ))"), "{script}");
        assert!(zsh("tool", &node(&[], &help, Vec::new())).contains("#compdef tool"));
    }
}
