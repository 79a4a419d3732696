//! A man page.

use super::help::{Entry, Help};
use core::fmt::Write;

/// Text as troff takes it: no line begins with a control character, and hyphens are hyphens.
fn plain(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    if escaped.starts_with(['.', '\'']) { format!("\\&{escaped}") } else { escaped }
}

fn options(page: &mut String, entries: &[Entry]) {
    let mut group = "";
    for entry in entries {
        if entry.group != group && !entry.group.is_empty() {
            group = &entry.group;
            let _ = writeln!(page, ".PP\n.I {}", plain(group));
        }
        for (index, form) in entry.forms.iter().enumerate() {
            let _ = writeln!(page, "{}\n.B {}", if index == 0 { ".TP" } else { ".TQ" }, plain(form));
        }
        let _ = writeln!(page, "{}", plain(&entry.about));
    }
}

fn paragraphs(page: &mut String, help: &Help) {
    for paragraph in &help.text {
        let _ = writeln!(page, ".PP\n{}", plain(paragraph));
    }
}

/// The page of a program with its commands.
pub(super) fn render(name: &str, about: &str, main: &Help, commands: &[(&str, Help)], see: &[&str]) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut page = format!(".TH {} 1 \"\" \"Sealwright {version}\" \"Sealwright\"\n", name.to_uppercase());
    let _ = writeln!(page, ".SH NAME\n{} \\- {}", plain(name), plain(about));
    let _ = writeln!(page, ".SH SYNOPSIS");
    for usage in main.usage.iter().filter(|usage| !usage.is_empty()) {
        // What an option's line explains beside it stays out of the synopsis.
        let usage = usage.split("  ").next().unwrap_or_default();
        let _ = writeln!(page, ".B {}\n.br", plain(usage));
    }
    let _ = writeln!(page, ".SH DESCRIPTION");
    paragraphs(&mut page, main);
    if !main.options.is_empty() {
        let _ = writeln!(page, ".SH OPTIONS");
        options(&mut page, &main.options);
    }
    for (command, help) in commands {
        let _ = writeln!(page, ".SH {}", plain(&format!("{name} {command}")).to_uppercase().replace("\\E", "\\e"));
        for usage in &help.usage {
            let _ = writeln!(page, ".B {}\n.br", plain(usage));
        }
        paragraphs(&mut page, help);
        options(&mut page, &help.options);
    }
    if !see.is_empty() {
        let all: Vec<String> = see.iter().map(|other| format!("\\fB{}\\fP(1)", plain(other))).collect();
        let _ = writeln!(page, ".SH SEE ALSO\n{}", all.join(", "));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_commands_and_control_characters_are_in_the_page() {
        let help = Help::parse("Usage: a b [options]\n\n  --dot N   .starts with a dot \\ and a back slash\n");
        let page = render("a", "an example", &Help::default(), &[("b", help)], &["c"]);
        assert!(page.contains(".SH A B\n.B a b [options]"), "{page}");
        assert!(page.contains(".TP\n.B \\-\\-dot N\n\\&.starts with a dot \\e and"), "{page}");
        assert!(page.ends_with(".SH SEE ALSO\n\\fBc\\fP(1)\n"), "{page}");
    }
}
