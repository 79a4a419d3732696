//! For a terminal.

use super::{failure, figures, number, ratio};
use crate::measure::Outcome;
use crate::result::{Measured, Run, missed, summary};
use crate::rows::Gate;

/// The heads of the columns.
pub(crate) fn head() -> String {
    let side = format!("{:>8} {:>8} {:>8} {:>8}", "min", "median", "p99", "cpu");
    format!(
        "{:58} {:^35}   {:^35}\n{:58} {side}   {side}   {:>7} {:>7} {:>5} {:>6}",
        "", "vtpmd", "swtpm", "", "ratio", "cpu", "aim", "newest"
    )
}

/// One row: figures of both sides, ratios of medians and of processor times, aim, the newest libtpms, and whether it is met.
pub(crate) fn line(m: &Measured) -> String {
    let side = |outcome: &Outcome| match outcome {
        Ok(f) => figures(f).map(|figure| format!("{figure:>8}")).join(" "),
        Err(_) => format!("{:>35}", failure(outcome)),
    };
    let aim = m.row.aim.map_or(String::new(), number);
    let newest = m.row.newest().map_or(String::new(), |newest| format!("{newest:.2}"));
    let met = match m.met() {
        None => "",
        Some(true) => "met",
        Some(false) => "NOT MET",
    };
    let by = match m.row.gate {
        Gate::Median => "",
        Gate::Cpu => " (by cpu)",
        Gate::Absolute => " (us)",
    };
    format!(
        "{:58} {}   {}   {:>7} {:>7} {aim:>5} {newest:>6}  {met}{}",
        m.row.name,
        side(&m.left),
        side(&m.right),
        ratio(m.median_ratio()),
        ratio(m.cpu_ratio()),
        if met.is_empty() { "" } else { by }
    )
    .trim_end()
    .to_owned()
}

/// How many aims are met, and which are not, by the reason.
pub(crate) fn misses(runs: &[Run]) -> String {
    let summary = summary(runs);
    let counts = [&summary.all, &summary.some, &summary.none].map(Vec::len);
    let aims: usize = counts.iter().sum();
    let mut out = match runs.len() {
        1 => format!("{} of {aims} aims are met.\n", counts[0]),
        n => {
            format!("{n} runs, {aims} aims: {} met in all, {} in some, {} in none.\n", counts[0], counts[1], counts[2])
        }
    };
    for (reason, rows) in missed(runs) {
        out += &format!("\nNot met: {reason}\n");
        out += &rows.iter().map(|row| format!("  {row}\n")).collect::<String>();
    }
    out
}
