//! The table of `docs/reference/performance.md`.

use super::{failure, figures, number, ratio};
use crate::machine::Machine;
use crate::measure::Outcome;
use crate::result::{Measured, Run, missed, times_met};
use crate::rows::Gate;

/// The machine, the last run, how often each aim was met, and why if it was not.
pub(crate) fn table(machine: &Machine, runs: &[Run]) -> String {
    let mut out = format!("{}\n\n", machine.sentence());
    out += "| | vtpmd min | median | p99 | cpu | swtpm min | median | p99 | cpu | median ratio | cpu ratio | aim | newest libtpms | met |\n";
    out += "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";
    let mut group = "";
    for m in runs.last().into_iter().flatten() {
        if m.group != group {
            group = m.group;
            out += &format!("| ***{group}*** {}|\n", "| ".repeat(13));
        }
        out += &line(m, runs);
    }
    for (reason, rows) in missed(runs) {
        out += &format!("\nNot met in each run: {reason}.\n\n");
        out += &rows.iter().map(|row| format!("- {row}\n")).collect::<String>();
    }
    out
}

fn line(m: &Measured, runs: &[Run]) -> String {
    let side = |outcome: &Outcome| match outcome {
        Ok(f) => figures(f).join(" | "),
        Err(_) => format!("{} | | | ", failure(outcome)),
    };
    let bold = |text: String, gate: Gate| if gate == m.row.gate { format!("**{text}**") } else { text };
    let aim = match (m.row.aim, m.row.gate) {
        (Some(aim), Gate::Absolute) => format!("{} us", number(aim)),
        (Some(aim), _) => format!("{aim:.2}"),
        (None, _) => String::new(),
    };
    let met = m.row.aim.map_or(String::new(), |_| format!("{} of {}", times_met(runs, m.row), runs.len()));
    let newest = m.row.newest().map_or(String::new(), |newest| format!("{newest:.2}"));
    format!(
        "| {} | {} | {} | {} | {} | {aim} | {newest} | {met} |\n",
        m.row.name,
        side(&m.left),
        side(&m.right),
        bold(ratio(m.median_ratio()), Gate::Median),
        bold(ratio(m.cpu_ratio()), Gate::Cpu),
    )
}
