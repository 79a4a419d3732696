//! What came out, and whether that is what was wanted.

use crate::measure::{Figures, Outcome};
use crate::rows::{Gate, Row};

/// One row of one run.
pub(crate) struct Measured {
    pub(crate) row: &'static Row,
    /// The title of its group.
    pub(crate) group: &'static str,
    pub(crate) left: Outcome,
    pub(crate) right: Outcome,
}

/// All rows of one run, in their order.
pub(crate) type Run = Vec<Measured>;

impl Measured {
    /// Left over right.
    fn over(&self, of: fn(&Figures) -> f64) -> Option<f64> {
        match (&self.left, &self.right) {
            (Ok(left), Ok(right)) if of(right) > 0.0 && of(left) > 0.0 => Some(of(left) / of(right)),
            _ => None,
        }
    }

    /// The ratio of the medians.
    pub(crate) fn median_ratio(&self) -> Option<f64> {
        self.over(|figures| figures.median)
    }

    /// The ratio of the mean processor times.
    pub(crate) fn cpu_ratio(&self) -> Option<f64> {
        self.over(|figures| figures.cpu)
    }

    /// What is held against the aim.
    pub(crate) fn value(&self) -> Option<f64> {
        match self.row.gate {
            Gate::Median => self.median_ratio(),
            Gate::Cpu => self.cpu_ratio(),
            Gate::Absolute => self.left.as_ref().ok().map(|figures| figures.median),
        }
    }

    /// Whether the aim is reached, by the exact value; nothing if there is none. A row without figures has missed its aim.
    pub(crate) fn met(&self) -> Option<bool> {
        self.row.aim.map(|aim| self.value().is_some_and(|value| value <= aim))
    }

    /// Of a row that has missed its aim: why.
    pub(crate) fn why(&self) -> Option<String> {
        if self.met() != Some(false) {
            return None;
        }
        Some(match (&self.left, &self.right) {
            (Err(e), _) => format!("vtpmd was not measured: {e}"),
            (_, Err(e)) if self.row.gate != Gate::Absolute => format!("swtpm was not measured: {e}"),
            _ => self.row.reason().unwrap_or(NO_REASON).into(),
        })
    }
}

/// Said of a row that misses its aim where nobody has found out why.
const NO_REASON: &str = "NO REASON IS RECORDED: find it, and write it to rows/reasons.rs";

/// Rows that have missed their aim in one of the runs or more, by the reason: names, values of all runs, aims.
pub(crate) fn missed(runs: &[Run]) -> Vec<(String, Vec<String>)> {
    let mut out: Vec<(String, Vec<String>)> = Vec::new();
    for row in runs.first().into_iter().flatten().map(|m| m.row) {
        let mut of_row = runs.iter().flatten().filter(|m| m.row.name == row.name);
        let Some(why) = of_row.find_map(Measured::why) else { continue };
        let values = values(runs, row).into_iter().map(|value| value.map_or("-".into(), |value| format!("{value:.3}")));
        let values = values.collect::<Vec<String>>().join(", ");
        let met =
            if runs.len() > 1 { format!("; met in {} of {}", times_met(runs, row), runs.len()) } else { String::new() };
        let line = format!("{}: {values} (aim {:.2}{met})", row.name, row.aim.unwrap_or(0.0));
        match out.iter_mut().find(|(reason, _)| *reason == why) {
            Some((_, rows)) => rows.push(line),
            None => out.push((why, vec![line])),
        }
    }
    out
}

/// Rows with an aim, by how many of the runs reached it.
#[derive(Default)]
pub(crate) struct Summary {
    pub(crate) all: Vec<&'static Row>,
    pub(crate) some: Vec<&'static Row>,
    pub(crate) none: Vec<&'static Row>,
}

/// The values of a row in all runs.
pub(crate) fn values(runs: &[Run], row: &Row) -> Vec<Option<f64>> {
    runs.iter().map(|run| run.iter().find(|m| m.row.name == row.name).and_then(Measured::value)).collect()
}

/// In how many runs a row reached its aim.
pub(crate) fn times_met(runs: &[Run], row: &Row) -> usize {
    runs.iter().flatten().filter(|m| m.row.name == row.name && m.met() == Some(true)).count()
}

/// Sums up one run or several.
pub(crate) fn summary(runs: &[Run]) -> Summary {
    let mut summary = Summary::default();
    for row in runs.first().into_iter().flatten().map(|m| m.row).filter(|row| row.aim.is_some()) {
        match times_met(runs, row) {
            0 => summary.none.push(row),
            n if n == runs.len() => summary.all.push(row),
            _ => summary.some.push(row),
        }
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::{Measured, Run, missed, summary};
    use crate::measure::Figures;
    use crate::rows::{GROUPS, Gate, Row};

    fn row(gate: Gate) -> &'static Row {
        let mut rows = GROUPS.iter().flat_map(|group| group.rows);
        rows.find(|row| row.gate == gate && row.aim.is_some()).unwrap()
    }

    fn measured(row: &'static Row, left: f64, right: f64) -> Measured {
        // The processor time is twice as good as the median.
        let figures = |value: f64, cpu: f64| Ok(Figures { minimum: value, median: value, p99: value, cpu });
        Measured { row, group: "", left: figures(left, left / 2.0), right: figures(right, right) }
    }

    #[test]
    fn each_gate_judges_what_it_names() {
        let aim = row(Gate::Median).aim.unwrap();
        assert_eq!(measured(row(Gate::Median), aim * 10.0, 10.0).met(), Some(true));
        assert_eq!(measured(row(Gate::Median), aim * 10.0 + 0.001, 10.0).met(), Some(false));
        let aim = row(Gate::Cpu).aim.unwrap();
        assert_eq!(measured(row(Gate::Cpu), aim * 20.0, 10.0).met(), Some(true));
        assert_eq!(measured(row(Gate::Cpu), aim * 20.1, 10.0).met(), Some(false));
        let aim = row(Gate::Absolute).aim.unwrap();
        assert_eq!(measured(row(Gate::Absolute), aim, 0.0).met(), Some(true));
        assert_eq!(measured(row(Gate::Absolute), aim * 1.01, 0.0).met(), Some(false));
    }

    #[test]
    fn without_figures_an_aim_is_missed_and_said_why() {
        let mut lost = measured(row(Gate::Median), 1.0, 10.0);
        assert_eq!(lost.why(), None);
        lost.right = Err("gone".into());
        assert_eq!(lost.met(), Some(false));
        assert!(lost.why().unwrap().contains("swtpm was not measured: gone"));
    }

    #[test]
    fn runs_are_counted() {
        let row = row(Gate::Median);
        let run = |left| -> Run { vec![measured(row, left, 10.0)] };
        let (all, none) = (summary(&[run(1.0), run(0.5)]), summary(&[run(20.0), run(30.0)]));
        assert_eq!((all.all.len(), all.some.len(), all.none.len()), (1, 0, 0));
        assert_eq!((none.all.len(), none.some.len(), none.none.len()), (0, 0, 1));
        let runs = [run(20.0), run(1.0)];
        assert_eq!(summary(&runs).some.len(), 1);
        let missed = missed(&runs);
        assert!(missed[0].1[0].contains("2.000, 0.100 (aim"), "{missed:?}");
        assert!(missed[0].1[0].contains("met in 1 of 2"), "{missed:?}");
    }
}
