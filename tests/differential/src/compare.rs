//! Two records compared step by step, and the differences grouped.

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

const MUTATION: &str = " / mutation ";

/// The first place where two sequences differ.
fn first_change(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

/// True for a mutated copy whose change fell before or among bytes that each TPM made for itself (nonces, keys, HMACs):
/// such bytes can be read as something else then, the two TPMs were asked different things, and the answers need not
/// agree.
fn fell_apart(step: usize, left: &[Step], right: &[Step]) -> bool {
    let (Some(l), Some(r)) = (left.get(step), right.get(step)) else { return false };
    if !l.label.contains(MUTATION) || l.command == r.command {
        return false;
    }
    let original = |steps: &[Step]| {
        let later = steps.get(step..).unwrap_or(&[]).iter().find(|s| !s.label.contains(MUTATION));
        later.map(|s| s.command.clone()).unwrap_or_default()
    };
    let (lo, ro) = (original(left), original(right));
    // The size field changes with the length; it says nothing about the place.
    let rest = |bytes: &[u8]| bytes.get(6..).unwrap_or(&[]).to_vec();
    let (lo, ro, l, r) = (rest(&lo), rest(&ro), rest(&l.command), rest(&r.command));
    let last = lo.iter().zip(&ro).rposition(|(a, b)| a != b).unwrap_or(0);
    // A byte that becomes a certain value may have had it on one side already.
    lo.len() != ro.len() || first_change(&l, &lo).min(first_change(&r, &ro)) <= last
}

/// All differences between two records of one scenario.
///
/// Also says how many mutated copies were answered differently because the TPMs were asked different things.
pub fn compare(scenario: &str, left: &[Step], right: &[Step]) -> (Vec<Difference>, usize) {
    let mut found = Vec::new();
    let mut apart = 0;
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
        if (l.rc != r.rc || fields_of(l) != fields_of(r)) && fell_apart(step, left, right) {
            apart += 1;
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
    (found, apart)
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
