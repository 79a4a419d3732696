//! Two records compared step by step, differences grouped, and the list of expected ones.

use crate::codes::rc_name;
use crate::table;
use crate::tpm::Step;
use crate::wire::hex;
use std::collections::BTreeMap;

/// One difference between two records, or a fault on one side.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Scenario.
    pub scenario: String,
    /// What the step tried.
    pub label: String,
    /// Name of the command.
    pub command: String,
    /// `rc`, a field name, or `fault`.
    pub field: String,
    /// Value on the left (vtpmd).
    pub left: String,
    /// Value on the right (swtpm).
    pub right: String,
    /// Number of the step in its record.
    pub step: usize,
    /// Bytes sent and answered, left.
    pub left_bytes: (Vec<u8>, Vec<u8>),
    /// Bytes sent and answered, right.
    pub right_bytes: (Vec<u8>, Vec<u8>),
}

/// One line of `expected-differences.txt`: five columns separated by `|`, each may be `*` or end with `*`.
#[derive(Clone, Debug)]
pub struct Expected {
    columns: [String; 4],
    /// Why it is right that they differ.
    pub reason: String,
}

fn matches(pattern: &str, text: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(""), _) => true,
        (Some(tail), None) => text.ends_with(tail),
        (Some(_), Some(_)) => text.contains(pattern.trim_matches('*')),
        (None, Some(head)) => text.starts_with(head),
        (None, None) => text == pattern,
    }
}

impl Expected {
    /// Reads the list: `command | field | left | right | reason`. Lines without five columns are refused.
    pub fn parse(text: &str) -> Result<Vec<Self>, String> {
        let lines = text.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#'));
        lines
            .map(|line| {
                let columns: Vec<String> = line.split('|').map(|c| c.trim().to_string()).collect();
                match <[String; 5]>::try_from(columns) {
                    Ok([a, b, c, d, reason]) if !reason.is_empty() => Ok(Self { columns: [a, b, c, d], reason }),
                    _ => Err(format!("not `command | field | left | right | reason`: {line}")),
                }
            })
            .collect()
    }

    /// True if this line covers the difference.
    pub fn covers(&self, d: &Difference) -> bool {
        let values = [&d.command, &d.field, &d.left, &d.right];
        self.columns.iter().zip(values).all(|(pattern, value)| matches(pattern, value))
    }
}

fn difference(scenario: &str, left: &Step, right: &Step, field: &str, l: String, r: String) -> Difference {
    let command = if left.code == 0 { "control".into() } else { table::name(left.code) };
    Difference {
        scenario: scenario.into(),
        label: left.label.clone(),
        command,
        field: field.into(),
        left: l,
        right: r,
        step: 0,
        left_bytes: (left.command.clone(), left.response.clone()),
        right_bytes: (right.command.clone(), right.response.clone()),
    }
}

fn fields_of(step: &Step) -> BTreeMap<&str, &str> {
    step.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// All differences between two records of one scenario.
pub fn compare(scenario: &str, left: &[Step], right: &[Step]) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut begin = 0;
    for (step, (l, r)) in left.iter().zip(right).enumerate() {
        found[begin..].iter_mut().for_each(|d: &mut Difference| d.step = step.saturating_sub(1));
        begin = found.len();
        if l.label != r.label {
            found.push(difference(scenario, l, r, "script", l.label.clone(), r.label.clone()));
            break;
        }
        for (side, step) in [("left", l), ("right", r)] {
            for fault in &step.faults {
                found.push(difference(scenario, l, r, "fault", side.into(), fault.clone()));
            }
        }
        if l.label.contains(" / mutation ") && l.command != r.command {
            // The change fell among bytes that each TPM made for itself: the answers need not agree.
            continue;
        }
        if l.rc != r.rc {
            found.push(difference(scenario, l, r, "rc", rc_name(l.rc), rc_name(r.rc)));
            continue;
        }
        let (lf, rf) = (fields_of(l), fields_of(r));
        let names: std::collections::BTreeSet<&str> = lf.keys().chain(rf.keys()).copied().collect();
        for name in names {
            let value = |f: &BTreeMap<&str, &str>| f.get(name).copied().unwrap_or("absent").to_string();
            let (a, b) = (value(&lf), value(&rf));
            // A shared point differs if the peer's random point did.
            let follows_input = name == "outPoint" && l.command != r.command;
            if a != b && !follows_input {
                found.push(difference(scenario, l, r, name, a, b));
            }
        }
    }
    found[begin..].iter_mut().for_each(|d| d.step = left.len().min(right.len()).saturating_sub(1));
    if left.len() != right.len()
        && let (Some(l), Some(r)) = (left.last(), right.last())
    {
        found.push(difference(scenario, l, r, "steps", left.len().to_string(), right.len().to_string()));
    }
    found
}

fn shortened(bytes: &[u8]) -> String {
    let text = hex(bytes);
    if text.len() > 1200 { format!("{}… ({} bytes)", &text[..1200], bytes.len()) } else { text }
}

/// The differences by command, each kind once with its number and first example.
pub fn report(differences: &[Difference]) -> String {
    let mut groups: BTreeMap<(&str, &str, &str, &str), Vec<&Difference>> = BTreeMap::new();
    for d in differences {
        groups.entry((&d.command, &d.field, &d.left, &d.right)).or_default().push(d);
    }
    let mut out = String::new();
    for ((command, field, left, right), all) in groups {
        let first = all[0];
        let (short_left, short_right) = (&left[..left.len().min(160)], &right[..right.len().min(160)]);
        out += &format!("{command}: {field}: left {short_left}, right {short_right} ({} times)\n", all.len());
        out += &format!("    first in {} at `{}`\n", first.scenario, first.label);
        out += &format!("    sent left  {}\n", shortened(&first.left_bytes.0));
        if first.left_bytes.0 != first.right_bytes.0 {
            out += &format!("    sent right {}\n", shortened(&first.right_bytes.0));
        }
        out +=
            &format!("    left  {}\n    right {}\n", shortened(&first.left_bytes.1), shortened(&first.right_bytes.1));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        assert!(matches("*", "anything") && matches("GetCapability", "GetCapability"));
        assert!(matches("property 0x1*", "property 0x12f") && !matches("property 0x1*", "alg 0x1"));
        assert!(!matches("Sign", "Signed") && matches("*ed", "Signed") && matches("*ign*", "Signed"));
    }
}
