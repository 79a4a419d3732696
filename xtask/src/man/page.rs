//! A man page.

use super::help::{Entry, Help, Node};
use core::fmt::Write;

/// Columns of the source of a page.
const WIDTH: usize = 78;

/// Text as troff takes it: hyphens are hyphens.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

/// A line that is no request, whatever it begins with.
fn plain(text: &str) -> String {
    let text = escaped(text);
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

/// A form of an option, which may be broken where one of its parts ends.
fn form(text: &str) -> String {
    plain(text).replace('|', "|\\:").replace(',', ",\\:").replace('[', "\\:[")
}

/// Text in lines that are not too long; none of them is a request.
fn filled(page: &mut String, text: &str) {
    let mut line = String::new();
    for word in text.split_whitespace().map(escaped) {
        if !line.is_empty() && line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(page, "{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        } else if word.starts_with(['.', '\'']) {
            line.push_str("\\&");
        }
        line.push_str(&word);
    }
    if !line.is_empty() {
        let _ = writeln!(page, "{line}");
    }
}

fn options(page: &mut String, entries: &[Entry]) {
    let mut group = "";
    for entry in entries {
        if entry.group != group && !entry.group.is_empty() {
            group = &entry.group;
            let _ = writeln!(page, ".SS {}", plain(group));
        }
        for (index, text) in entry.forms.iter().enumerate() {
            let _ = writeln!(page, "{}\n.B {}", if index == 0 { ".TP" } else { ".TQ" }, form(text));
        }
        filled(page, &entry.about);
    }
}

fn usages(page: &mut String, help: &Help) {
    // What an option's line explains beside it stays out of the synopsis.
    let usages = help.usage.iter().map(|usage| usage.split("  ").next().unwrap_or_default());
    let lines: Vec<String> =
        usages.filter(|usage| !usage.is_empty()).map(|usage| format!(".B {}\n", form(usage))).collect();
    page.push_str(&lines.join(".br\n"));
}

/// The first paragraph stands under a heading, the others behind another.
fn paragraphs(page: &mut String, help: &Help, under_heading: bool) {
    for (index, paragraph) in help.text.iter().enumerate() {
        if index > 0 || !under_heading {
            page.push_str(".PP\n");
        }
        filled(page, paragraph);
    }
}

/// The day of a page, as ISO 8601: that of `SOURCE_DATE_EPOCH`, which builds of packages set, or today.
fn day() -> String {
    let given = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse::<u64>().ok());
    let now = || std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    civil(given.unwrap_or_else(now) / 86_400)
}

/// The day of the calendar, of the days since 1970.
fn civil(days: u64) -> String {
    let is_leap = |year: u64| (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    let (mut year, mut left) = (1970, days);
    while left >= 365 + u64::from(is_leap(year)) {
        left -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", left + 1)
}

/// The page of a program with its commands.
pub(super) fn render(name: &str, about: &str, main: &Help, commands: &[&Node], see: &[String]) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut page = format!(
        ".TH {} 1 \"{}\" \"Sealwright {version}\" \"Sealwright\"\n.nh\n.ad l\n",
        plain(&name.to_uppercase()),
        day()
    );
    let _ = writeln!(page, ".SH NAME\n{} \\- {}", plain(name), plain(about));
    let _ = writeln!(page, ".SH SYNOPSIS");
    usages(&mut page, main);
    if !main.text.is_empty() {
        let _ = writeln!(page, ".SH DESCRIPTION");
        paragraphs(&mut page, main, true);
    }
    if !main.options.is_empty() {
        let _ = writeln!(page, ".SH OPTIONS");
        options(&mut page, &main.options);
    }
    for Node { words, help, .. } in commands {
        let title = format!("{} {}", name.split('-').next().unwrap_or_default(), words.join(" ")).to_uppercase();
        let _ = writeln!(page, ".SH {}", plain(&title));
        usages(&mut page, help);
        paragraphs(&mut page, help, false);
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
    fn days_are_of_the_calendar() {
        assert_eq!(civil(0), "1970-01-01");
        assert_eq!(civil(11_016), "2000-02-29");
        assert_eq!(civil(20_778), "2026-11-21");
        assert_eq!(civil(20_818), "2026-12-31");
    }

    #[test]
    fn options_commands_and_control_characters_are_in_the_page() {
        let help = Help::parse("Usage: a b [options]\n\n  --dot N   .starts with a dot \\ and a back slash\n");
        let node = Node { words: vec!["b".to_owned()], help, commands: Vec::new() };
        let page = render("a", "an example", &Help::default(), &[&node], &["c".to_owned()]);
        assert!(page.contains(".SH A B\n.B a b \\:[options]"), "{page}");
        assert!(page.contains(".TP\n.B \\-\\-dot N\n\\&.starts with a dot \\e and"), "{page}");
        assert!(page.ends_with(".SH SEE ALSO\n\\fBc\\fP(1)\n"), "{page}");
    }
}
