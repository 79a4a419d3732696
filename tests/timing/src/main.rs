//! Does the time of an operation depend on a secret? A statistical test of the paths that secrets take, in the manner of
//! dudect, with controls that show that it can find something.
//!
//! A finding is |t| of at least 10, three times in a row with new keys: machines with other work give a single one now
//! and then.

mod paths;
mod statistics;
mod subject;

use paths::{Expected, Path};
use statistics::{Finding, LIMIT};
use std::time::Instant;
use subject::{Random, measure};

/// Tries until a suspicion is a finding.
const TRIES: usize = 3;

const HELP: &str = "usage: sealwright-timing [--list] [--scale PERCENT] [--seed N] [--json FILE] [FILTER]...
  --scale   percent of the usual number of measurements (100)
  --seed    other inputs (by default the clock's)
  --json    write the figures to a file as well
  FILTER    only tests whose name contains it";

struct Options {
    list: bool,
    scale: usize,
    seed: u64,
    json: Option<String>,
    filters: Vec<String>,
}

fn options() -> Result<Options, String> {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |time| time.as_secs());
    let mut o = Options { list: false, scale: 100, seed: clock, json: None, filters: Vec::new() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--list" => o.list = true,
            "--scale" => o.scale = value()?.parse().map_err(|_| "--scale needs a number")?,
            "--seed" => o.seed = value()?.parse().map_err(|_| "--seed needs a number")?,
            "--json" => o.json = Some(value()?),
            "--help" | "-h" => return Err(HELP.into()),
            option if option.starts_with('-') => return Err(format!("unknown option {option}\n{HELP}")),
            _ => o.filters.push(argument),
        }
    }
    Ok(o)
}

/// All tries of one test.
struct Outcome {
    path: Path,
    count: usize,
    findings: Vec<Finding>,
}

impl Outcome {
    /// The last try decides: a suspicion that is gone was none.
    fn found(&self) -> bool {
        self.findings.last().is_some_and(|finding| finding.t.abs() >= LIMIT)
    }

    fn right(&self) -> bool {
        match self.path.expected {
            Expected::Flat => !self.found(),
            Expected::Leaks => self.found(),
            Expected::Public => true,
        }
    }

    fn line(&self) -> String {
        let tries: Vec<_> = self.findings.iter().map(|finding| format!("{:.1}", finding.t)).collect();
        let last = self.findings.last().copied().unwrap_or_default();
        let visible = format!("{:.1} ns", last.visible);
        let difference = match (self.found(), last.squares) {
            (false, _) => String::new(),
            (true, true) => "another spread".to_owned(),
            (true, false) => format!("{:.1} ns of the times below {:.0} %", last.difference, last.percentile),
        };
        let verdict = match (self.right(), self.path.expected) {
            (true, Expected::Flat) => "ok",
            (true, Expected::Leaks) => "found, as it has to be",
            (_, Expected::Public) => "not judged: what differs is public",
            (false, Expected::Flat) => "LEAKS",
            (false, Expected::Leaks) => "NOT FOUND: this machine is too noisy for the test",
        };
        let Path { name, classes, .. } = &self.path;
        format!("| {name} | {classes} | {} | {} | {visible} | {difference} | {verdict} |", self.count, tries.join(", "))
    }
}

fn run_one(path: Path, scale: usize, random: &mut Random) -> Result<Outcome, String> {
    // Fewer say nothing.
    let count = (path.count * scale / 100).max(2000);
    let mut findings = Vec::new();
    for _ in 0..TRIES {
        let mut subject = (path.make)(random).map_err(|e| format!("{}: {e}", path.name))?;
        let finding = measure(&mut *subject, count, random);
        let strong = finding.t.abs() >= LIMIT;
        findings.push(finding);
        if strong == (path.expected == Expected::Leaks) {
            break;
        }
    }
    Ok(Outcome { path, count, findings })
}

fn json(outcomes: &[Outcome]) -> String {
    let one = |outcome: &Outcome| {
        let tries: Vec<_> = outcome
            .findings
            .iter()
            .map(|f| {
                let (t, ns, percentile) = (f.t, f.difference, f.percentile);
                format!(
                    r#"{{"t":{t:.2},"ns":{ns:.2},"percentile":{percentile:.1},"squares":{},"visible_ns":{:.2}}}"#,
                    f.squares, f.visible
                )
            })
            .collect();
        let Path { name, classes, expected, .. } = &outcome.path;
        format!(
            r#"{{"name":"{name}","classes":"{classes}","count":{},"expected":"{expected:?}","right":{},"tries":[{}]}}"#,
            outcome.count,
            outcome.right(),
            tries.join(",")
        )
    };
    format!("[\n{}\n]\n", outcomes.iter().map(one).collect::<Vec<_>>().join(",\n"))
}

fn run() -> Result<(), String> {
    let o = options()?;
    let wanted =
        |path: &Path| o.filters.is_empty() || o.filters.iter().any(|filter| path.name.contains(filter.as_str()));
    let paths: Vec<Path> = paths::all().into_iter().filter(wanted).collect();
    if o.list {
        for path in paths {
            println!("{} ({})", path.name, path.classes);
        }
        return Ok(());
    }
    if paths.is_empty() {
        return Err("no test has such a name; see --list".into());
    }
    println!(
        "seed {}\n\n| test | classes | measurements | t | would be found | was found | |\n|---|---|---|---|---|---|---|",
        o.seed
    );
    let (mut random, begin, mut outcomes) = (Random(o.seed), Instant::now(), Vec::new());
    for path in paths {
        let outcome = run_one(path, o.scale, &mut random)?;
        println!("{}", outcome.line());
        outcomes.push(outcome);
    }
    if let Some(path) = &o.json {
        std::fs::write(path, json(&outcomes)).map_err(|e| format!("{path}: {e}"))?;
    }
    let wrong: Vec<_> = outcomes.iter().filter(|outcome| !outcome.right()).map(|o| o.path.name.as_str()).collect();
    println!("\n{} tests in {} s", outcomes.len(), begin.elapsed().as_secs());
    if wrong.is_empty() { Ok(()) } else { Err(format!("not as expected: {}", wrong.join("; "))) }
}

fn main() {
    if let Err(message) = run() {
        eprintln!("{message}");
        std::process::exit(1);
    }
}
