//! A run told to people, to programs, and to who looks at the documentation.

pub(crate) mod chart;
pub(crate) mod json;
pub(crate) mod markdown;
pub(crate) mod text;

use crate::measure::{Figures, Outcome};

/// A figure with as many digits as are of use.
fn number(value: f64) -> String {
    match value {
        v if v < 2.0 => format!("{v:.2}"),
        v if v < 100.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

/// The four figures of a side; an absent processor time is a dash.
fn figures(f: &Figures) -> [String; 4] {
    let cpu = if f.cpu > 0.0 { number(f.cpu) } else { "-".into() };
    [number(f.minimum), number(f.median), number(f.p99), cpu]
}

/// A ratio, or a dash.
fn ratio(value: Option<f64>) -> String {
    value.map_or("-".into(), |value| format!("{value:.3}"))
}

/// Why a side has no figures, without line breaks.
fn failure(outcome: &Outcome) -> String {
    outcome.as_ref().err().map(|why| why.replace(['\n', '|'], " ")).unwrap_or_default()
}
