//! For programs: one row on a line.

use crate::machine::Machine;
use crate::measure::Outcome;
use crate::result::{Measured, Run, summary};
use crate::rows::{Gate, Row};
use serde_json::{Value, json};

/// Rounded to thousandths; what is not finite becomes null.
fn number(value: f64) -> Value {
    json!((value * 1000.0).round() / 1000.0)
}

fn side(outcome: &Outcome) -> Value {
    match outcome {
        Ok(f) => json!({
            "min": number(f.minimum), "median": number(f.median), "p99": number(f.p99), "cpu": number(f.cpu)
        }),
        Err(why) => json!({"error": why}),
    }
}

fn row(m: &Measured) -> Value {
    let gate = match m.row.gate {
        Gate::Median => "median ratio",
        Gate::Cpu => "cpu ratio",
        Gate::Absolute => "left median",
    };
    json!({
        "name": m.row.name,
        "group": m.group,
        "left": side(&m.left),
        "right": side(&m.right),
        "median_ratio": m.median_ratio().map(number),
        "cpu_ratio": m.cpu_ratio().map(number),
        "gate": gate,
        "aim": m.row.aim.map(number),
        "met": m.met(),
        "newest_libtpms_ratio": m.row.newest().map(number),
        "why": m.why(),
    })
}

fn lines(values: impl Iterator<Item = String>) -> String {
    format!("[\n{}\n]", values.collect::<Vec<_>>().join(",\n"))
}

/// Everything: the machine, each run, and how they agree.
pub(crate) fn whole(machine: &Machine, runs: &[Run]) -> String {
    let summary = summary(runs);
    let names = |rows: &[&Row]| rows.iter().map(|row| row.name).collect::<Value>();
    let runs = lines(runs.iter().map(|run| format!(r#"{{"rows":{}}}"#, lines(run.iter().map(|m| row(m).to_string())))));
    let [all, some, none] = [&summary.all, &summary.some, &summary.none].map(|rows| names(rows));
    let (machine, unit) = (machine.json(), json!("microseconds; KiB where the name of the row says so"));
    format!(
        "{{\"machine\":{machine},\n\"unit\":{unit},\n\"runs\":{runs},\n\"met_in_all\":{all},\n\"met_in_some\":{some},\n\"met_in_none\":{none}}}"
    )
}
