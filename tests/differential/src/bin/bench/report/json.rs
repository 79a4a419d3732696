//! For programs.

use crate::json::Json;
use crate::machine::Machine;
use crate::measure::Outcome;
use crate::result::{Measured, Run, summary};
use crate::rows::{Gate, Row};

fn side(outcome: &Outcome) -> Json {
    match outcome {
        Ok(f) => {
            let figures = [("min", f.minimum), ("median", f.median), ("p99", f.p99), ("cpu", f.cpu)];
            Json::Object(figures.map(|(name, value)| (name, Json::Number(value))).into())
        }
        Err(why) => Json::Object(vec![("error", Json::text(why))]),
    }
}

fn row(m: &Measured) -> Json {
    let gate = match m.row.gate {
        Gate::Median => "median ratio",
        Gate::Cpu => "cpu ratio",
        Gate::Absolute => "left median",
    };
    Json::Object(vec![
        ("name", Json::text(m.row.name)),
        ("group", Json::text(m.group)),
        ("left", side(&m.left)),
        ("right", side(&m.right)),
        ("median_ratio", Json::number(m.median_ratio())),
        ("cpu_ratio", Json::number(m.cpu_ratio())),
        ("gate", Json::text(gate)),
        ("aim", Json::number(m.row.aim)),
        ("met", m.met().map_or(Json::Null, Json::Bool)),
        ("newest_libtpms_ratio", Json::number(m.row.newest())),
        ("why", m.why().map_or(Json::Null, Json::Text)),
    ])
}

/// Everything: the machine, each run, and how they agree.
pub(crate) fn whole(machine: &Machine, runs: &[Run]) -> Json {
    let summary = summary(runs);
    let names = |rows: &[&Row]| Json::List(rows.iter().map(|row| Json::text(row.name)).collect());
    let runs = runs.iter().map(|run| Json::Object(vec![("rows", Json::List(run.iter().map(row).collect()))]));
    Json::Object(vec![
        ("machine", machine.json()),
        ("unit", Json::text("microseconds; KiB where the name of the row says so")),
        ("runs", Json::List(runs.collect())),
        ("met_in_all", names(&summary.all)),
        ("met_in_some", names(&summary.some)),
        ("met_in_none", names(&summary.none)),
    ])
}
