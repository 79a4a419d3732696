//! What each command costs, vtpmd and swtpm side by side in one run. It measures and never judges.

mod measure;
mod rows;

use measure::{Figures, Outcome, Side, measure, pin};
use rows::{Gate, Row};
use std::process::ExitCode;

const HELP: &str = "usage: bench [--left COMMAND] [--right COMMAND] [--json | --markdown] [--scale PERCENT] [FILTER]...
  --left, --right  daemons: program and first arguments (default: target/release/vtpmd, swtpm)
  --json           one JSON object instead of a table
  --markdown       the table as in docs/reference/performance.md
  --scale          percent of the usual repetitions (default 100)
  FILTER           only rows whose name contains it";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
    Markdown,
}

struct Options {
    left: String,
    right: String,
    form: Form,
    scale: usize,
    filters: Vec<String>,
}

fn options() -> Result<Options, String> {
    let mut o = Options {
        left: "target/release/vtpmd socket --tpm2".into(),
        right: "swtpm socket --tpm2".into(),
        form: Form::Text,
        scale: 100,
        filters: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--left" => o.left = value()?,
            "--right" => o.right = value()?,
            "--json" => o.form = Form::Json,
            "--markdown" => o.form = Form::Markdown,
            "--scale" => o.scale = value()?.parse().map_err(|_| "--scale needs a number")?,
            "--help" | "-h" => return Err(HELP.into()),
            option if option.starts_with('-') => return Err(format!("unknown option {option}\n{HELP}")),
            _ => o.filters.push(argument),
        }
    }
    Ok(o)
}

/// The first line that a program answers to `--version`.
fn version(command: &str) -> String {
    let program = command.split_whitespace().next().unwrap_or(command);
    let output = std::process::Command::new(program).arg("--version").output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}

fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |key: &str| {
        let line = text.lines().find(|l| l.starts_with(key));
        line.and_then(|l| l.split_once(':')).map_or("?", |(_, v)| v.trim()).to_owned()
    };
    let count = text.lines().filter(|l| l.starts_with("processor")).count();
    let model = format!("{} (family {} model {})", value("model name"), value("cpu family"), value("model\t"));
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{count} processors, {model}, Linux {}", kernel.trim())
}

/// Left over right: of the medians, and of the processor times.
fn ratios(left: &Outcome, right: &Outcome) -> (Option<f64>, Option<f64>) {
    let over = |of: fn(&Figures) -> f64| match (left, right) {
        (Ok(l), Ok(r)) if of(r) > 0.0 && of(l) > 0.0 => Some(of(l) / of(r)),
        _ => None,
    };
    (over(|f| f.median), over(|f| f.cpu))
}

fn number(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

fn ratio(value: Option<f64>) -> String {
    value.map_or("-".into(), |r| format!("{r:.2}"))
}

fn head(o: &Options) {
    let (machine, left, right) = (machine(), version(&o.left), version(&o.right));
    match o.form {
        Form::Text => {
            println!("{machine}\nleft: {left}\nright: {right}\nmicroseconds; cpu is the daemon's own time, mean");
            let (l, r) = ("left median, p99, cpu", "right median, p99, cpu");
            println!("{:52} {l:>27} {r:>27} {:>7} {:>7} {:>6}", "", "median", "cpu", "aim");
        }
        Form::Json => {
            println!(r#"{{"machine":"{machine}","left":"{left}","right":"{right}","rows":["#);
        }
        Form::Markdown => {
            println!("{machine}. vtpmd: {left}. swtpm: {right}.\n");
            println!("| | vtpmd median | p99 | cpu | swtpm median | p99 | cpu | median ratio | cpu ratio | aim |");
            println!("|---|---|---|---|---|---|---|---|---|---|");
        }
    }
}

fn line(o: &Options, first: bool, row: &Row, [left, right]: &[Outcome; 2]) {
    let (median, cpu) = ratios(left, right);
    let aim = row.aim.map_or(String::new(), |aim| format!("{aim:.2}"));
    match o.form {
        Form::Text => {
            let text = |outcome: &Outcome| match outcome {
                Ok(f) => format!("{:>9} {:>9} {:>7}", number(f.median), number(f.p99), number(f.cpu)),
                Err(why) => format!("{why:>27}"),
            };
            let gate = if row.gate == Gate::Cpu { "cpu" } else { "" };
            println!(
                "{:52} {} {} {:>7} {:>7} {aim:>6} {gate}",
                row.name,
                text(left),
                text(right),
                ratio(median),
                ratio(cpu)
            );
        }
        Form::Json => {
            let text = |outcome: &Outcome| match outcome {
                Ok(f) => format!(
                    r#"{{"min":{:.2},"median":{:.2},"p99":{:.2},"cpu":{:.2}}}"#,
                    f.minimum, f.median, f.p99, f.cpu
                ),
                Err(why) => format!(r#"{{"error":"{}"}}"#, why.replace(['"', '\\'], "'")),
            };
            let null = |value: Option<f64>| value.map_or("null".into(), |v| format!("{v:.3}"));
            println!(
                r#"{}{{"name":"{}","left":{},"right":{},"median_ratio":{},"cpu_ratio":{},"aim":{},"gate":"{}"}}"#,
                if first { "" } else { "," },
                row.name,
                text(left),
                text(right),
                null(median),
                null(cpu),
                null(row.aim),
                if row.gate == Gate::Cpu { "cpu" } else { "median" }
            );
        }
        Form::Markdown => {
            let text = |outcome: &Outcome| match outcome {
                Ok(f) => format!("{} | {} | {}", number(f.median), number(f.p99), number(f.cpu)),
                Err(why) => format!("{why} | | "),
            };
            let (mut median, mut cpu) = (ratio(median), ratio(cpu));
            let gate = if row.gate == Gate::Cpu { &mut cpu } else { &mut median };
            *gate = format!("**{gate}**");
            println!("| {} | {} | {} | {median} | {cpu} | {aim} |", row.name, text(left), text(right));
        }
    }
}

fn run() -> Result<(), String> {
    let o = options()?;
    pin()?;
    let left = Side { command: o.left.clone(), state: String::new() };
    let unsynced = Side { state: ",fsync=false".into(), ..left.clone() };
    let right = Side { command: o.right.clone(), state: String::new() };
    head(&o);
    let wanted = |row: &&Row| o.filters.is_empty() || o.filters.iter().any(|f| row.name.contains(f.as_str()));
    for (i, row) in rows::all().filter(wanted).enumerate() {
        // The other side does not sync; what it would cost to say so stands in rows of its own.
        let left = if row.synced || !o.left.contains("vtpmd") { &left } else { &unsynced };
        let outcomes = measure(row, [left, &right], o.scale);
        line(&o, i == 0, row, &outcomes);
    }
    if o.form == Form::Json {
        println!("]}}");
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}
