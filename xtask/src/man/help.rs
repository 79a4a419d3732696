//! Reads a help screen: a usage, options in groups, and text.

/// One option, or several that are one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// The heading above it; empty if there is none.
    pub(super) group: String,
    /// As it is written, with its values; more than one form is possible.
    pub(super) forms: Vec<String>,
    /// What it does.
    pub(super) about: String,
}

/// A help screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Help {
    /// Ways to call the program.
    pub(super) usage: Vec<String>,
    /// Its options.
    pub(super) options: Vec<Entry>,
    /// Paragraphs of text.
    pub(super) text: Vec<String>,
}

/// Options and text in columns are this far apart at least.
const GAP: &str = "  ";

/// The form of an option and the text beside it.
fn columns(line: &str) -> (&str, &str) {
    let line = line.trim();
    let gap = [line.find(GAP), line.find(" : "), line.find('\t')].into_iter().flatten().min();
    match gap.map(|at| line.split_at(at)) {
        Some((left, right)) => (left, right.trim_start_matches([' ', ':', '\t'])),
        None => (line, ""),
    }
}

fn join(to: &mut String, text: &str) {
    if !to.is_empty() && !text.is_empty() {
        to.push(' ');
    }
    to.push_str(text);
}

impl Help {
    /// Reads what a program printed.
    pub(super) fn parse(text: &str) -> Self {
        let mut help = Self::default();
        let mut group = String::new();
        let (mut in_usage, mut in_option) = (false, false);
        // Columns before the terms of a list.
        let mut margin = None;
        let mut paragraph: Vec<&str> = Vec::new();
        for line in text.lines() {
            let (trimmed, indented) = (line.trim(), line.starts_with([' ', '\t']));
            // Options stand at the left edge in some programs.
            let is_option = trimmed.starts_with('-') && trimmed.len() > 1 && !trimmed.starts_with("- ");
            let column = line.len() - line.trim_start().len();
            // Terms that are no options are indented; a list of them begins behind an empty line or a heading.
            let begins = indented && !in_usage && !in_option && paragraph.len() < 2;
            let is_term = begins || (indented && in_option && margin == Some(column));
            if trimmed.is_empty() {
                (in_usage, in_option) = (false, false);
                group.clear();
                help.text.extend(Some(core::mem::take(&mut paragraph).join(" ")).filter(|p| !p.is_empty()));
            } else if let Some(usage) = line.strip_prefix("Usage:") {
                in_usage = true;
                help.usage.push(usage.trim().to_owned());
            } else if in_usage && indented {
                help.usage.push(trimmed.to_owned());
            } else if is_option || is_term {
                in_usage = false;
                margin = is_term.then_some(column);
                // One line right above options is their heading; more are text.
                match core::mem::take(&mut paragraph).as_slice() {
                    [] => {}
                    [heading] => group = heading.trim_end_matches(':').to_owned(),
                    more => help.text.push(more.join(" ")),
                }
                let (form, about) = columns(line);
                match help.options.last_mut().filter(|entry| in_option && entry.about.is_empty()) {
                    // Another form of the one above, which has no text yet.
                    Some(entry) => {
                        entry.forms.push(form.to_owned());
                        join(&mut entry.about, about);
                    }
                    None => help.options.push(Entry {
                        group: group.clone(),
                        forms: vec![form.to_owned()],
                        about: about.to_owned(),
                    }),
                }
                in_option = true;
            } else if let (true, true, Some(entry)) = (in_option, indented, help.options.last_mut()) {
                // The text goes on; so does a form whose text has not begun.
                let (left, right) = columns(line);
                if entry.about.is_empty() && (trimmed.starts_with('|') || !right.is_empty()) {
                    if let Some(form) = entry.forms.last_mut() {
                        join(form, left);
                    }
                    join(&mut entry.about, right);
                } else {
                    join(&mut entry.about, trimmed);
                }
            } else {
                (in_usage, in_option) = (false, false);
                paragraph.push(trimmed);
            }
        }
        help.text.extend(Some(paragraph.join(" ")).filter(|p| !p.is_empty()));
        help
    }
}

/// A command, or the program itself, with the commands that it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    /// The words behind the program's name.
    pub(super) words: Vec<String>,
    /// What it prints about itself.
    pub(super) help: Help,
    /// Its commands.
    pub(super) commands: Vec<Node>,
}

impl Node {
    /// Its own word; empty for the program.
    pub(super) fn name(&self) -> &str {
        self.words.last().map_or("", String::as_str)
    }

    /// The words, as they are typed.
    pub(super) fn path(&self) -> String {
        self.words.join(" ")
    }

    /// It and all below it; commands stand before what they belong to.
    pub(super) fn all(&self) -> Vec<&Self> {
        let below = self.commands.iter().flat_map(Self::all);
        below.chain(core::iter::once(self)).collect()
    }
}

impl Help {
    /// The commands that the usage of `path` names: the lower-case words, or words with bars between them, behind it.
    pub(super) fn commands(&self, path: &str) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for usage in &self.usage {
            let Some(word) = usage.strip_prefix(path).and_then(|rest| rest.split_whitespace().next()) else { continue };
            if word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.chars().all(|c| c.is_ascii_lowercase() || c == '|' || c == '-')
            {
                let new: Vec<_> = word.split('|').filter(|name| !names.iter().any(|known| known == name)).collect();
                names.extend(new.into_iter().map(str::to_owned));
            }
        }
        names
    }

    /// The first sentence, as a man page's head has it.
    pub(super) fn about(&self) -> Option<String> {
        let first = self.text.first()?.split(". ").next()?.trim_end_matches('.');
        let mut letters = first.chars();
        let initial = letters.next()?;
        Some(format!("{}{}", initial.to_ascii_lowercase(), letters.as_str()))
    }
}

impl Entry {
    /// Its names, with their dashes.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for form in &self.forms {
            for word in form.split([' ', ',', '|']).take_while(|word| word.is_empty() || word.starts_with('-')) {
                let name = word.split(['=', '[']).next().unwrap_or_default();
                if name.trim_start_matches('-').starts_with(|c: char| c.is_ascii_alphanumeric())
                    && !names.contains(&name)
                {
                    names.push(name);
                }
            }
        }
        names
    }

    /// Whether a value follows.
    pub(super) fn has_value(&self) -> bool {
        self.forms.iter().any(|form| form.split([' ', ',']).any(|word| !word.is_empty() && !word.starts_with('-')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCREEN: &str = "\
prog: what it is

Usage: prog socket [options]
       prog --version

Channels
  -p, --port N              the data channel on a TCP port,
                            closed after each response
  --key file=PATH|fd=N[,format=hex]
  --key pwdfile=PATH
                            encrypt the state
  --ctrl type=unixio,path=PATH
         | type=tcp,port=N
         [,terminate]       the control channel

It has text
before options.
  -d                        go to the background
--tcp [<host>]:[<prt>]: connect to TPM

The exit status is 0.
It is 1 else.
";

    #[test]
    fn terms_stand_in_lists() {
        let help = Help::parse(
            "Commands\n  show       what is\n             there\n  go --far N\n             away\n\nText.\n",
        );
        let forms: Vec<_> = help.options.iter().map(|entry| (entry.forms.join(""), entry.about.as_str())).collect();
        assert_eq!(forms, [("show".to_owned(), "what is there"), ("go --far N".to_owned(), "away")]);
        assert_eq!((help.options[0].group.as_str(), help.text.as_slice()), ("Commands", &["Text.".to_owned()][..]));
        assert_eq!(help.options[1].names(), [""; 0]);
    }

    #[test]
    fn commands_are_found_in_the_usage() {
        let help = Help::parse(
            "Usage: a socket [options]\n       a state show|diff [options]\n       a socket --help\n       a --version\n\nIt is. More.\n",
        );
        assert_eq!(help.commands("a"), ["socket", "state"]);
        assert_eq!(help.commands("a state"), ["show", "diff"]);
        assert_eq!(help.commands("a socket"), [""; 0]);
        assert_eq!(help.about().as_deref(), Some("it is"));
        assert_eq!(Help::default().about(), None);
    }

    #[test]
    fn a_screen_is_taken_apart() {
        let help = Help::parse(SCREEN);
        assert_eq!(help.usage, ["prog socket [options]", "prog --version"]);
        assert_eq!(
            help.text,
            ["prog: what it is", "It has text before options.", "The exit status is 0. It is 1 else."]
        );
        let names: Vec<_> = help.options.iter().map(Entry::names).collect();
        assert_eq!(names, [vec!["-p", "--port"], vec!["--key"], vec!["--ctrl"], vec!["-d"], vec!["--tcp"]]);
        let port = &help.options[0];
        assert_eq!(port.about, "the data channel on a TCP port, closed after each response");
        assert!(port.has_value() && port.group == "Channels" && !help.options[3].has_value());
        assert_eq!(help.options[1].forms.len(), 2);
        assert_eq!(help.options[1].about, "encrypt the state");
        assert_eq!(help.options[2].forms, ["--ctrl type=unixio,path=PATH | type=tcp,port=N [,terminate]"]);
        assert_eq!(help.options[2].about, "the control channel");
        assert_eq!(help.options[3].group, "");
    }
}
