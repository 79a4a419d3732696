//! What each command costs, vtpmd and swtpm side by side. It says which aims are met; no test depends on it.

mod machine;
mod measure;
mod report;
mod result;
mod rows;

use machine::Machine;
use measure::{Side, measure, pin};
use report::{chart, markdown, text};
use result::{Measured, Run};
use rows::{GROUPS, Row};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "usage: bench [OPTION]... [FILTER]...
  --left, --right COMMAND        daemons: program and first arguments (default: target/release/vtpmd, swtpm)
  --left-setup, --right-setup PROGRAM  their swtpm_setup (default: swtpm_setup beside vtpmd; that on the path)
  --engine PROGRAM               the example `engine` of sealwright-tpm2, for the rows in process
  --commit NAME                  of what vtpmd was built
  --runs N                       so many whole runs, one after the other (default 1)
  --scale PERCENT                of the usual repetitions (default 100)
  --out FOLDER                   where bench.json, bench.svg and bench.md go (default: target/bench)
  --json, --markdown             print that instead of the table for a terminal
  --list                         only the names of rows
  FILTER                         only rows whose name contains it";

/// What is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
    Markdown,
}

struct Options {
    left: Side,
    right: Side,
    commit: String,
    runs: usize,
    scale: usize,
    out: PathBuf,
    form: Form,
    list: bool,
    filters: Vec<String>,
}

fn options() -> Result<Options, String> {
    let side = |command: &str, setup: Option<&str>, ours| Side {
        command: command.into(),
        state: String::new(),
        setup: setup.map(str::to_owned),
        engine: None,
        ours,
    };
    let mut o = Options {
        left: side("target/release/vtpmd socket --tpm2", None, true),
        right: side("swtpm socket --tpm2", Some("swtpm_setup"), false),
        commit: "unknown".into(),
        runs: 1,
        scale: 100,
        out: "target/bench".into(),
        form: Form::Text,
        list: false,
        filters: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        let positive = |text: String| match text.parse::<usize>() {
            Ok(n) if n > 0 => Ok(n),
            _ => Err(format!("{argument} needs a number above 0, not {text}")),
        };
        match argument.as_str() {
            "--left" => o.left.command = value()?,
            "--right" => o.right.command = value()?,
            "--left-setup" => o.left.setup = Some(value()?),
            "--right-setup" => o.right.setup = Some(value()?),
            "--engine" => o.left.engine = Some(value()?),
            "--commit" => o.commit = value()?,
            "--runs" => o.runs = positive(value()?)?,
            "--scale" => o.scale = positive(value()?)?,
            "--out" => o.out = value()?.into(),
            "--json" => o.form = Form::Json,
            "--markdown" => o.form = Form::Markdown,
            "--list" => o.list = true,
            "--help" | "-h" => {
                println!("{HELP}");
                std::process::exit(0);
            }
            option if option.starts_with('-') => return Err(format!("unknown option {option}\n{HELP}")),
            _ => o.filters.push(argument),
        }
    }
    if o.left.setup.is_none() {
        let program = Path::new(o.left.command.split_whitespace().next().unwrap_or_default());
        o.left.setup = Some(program.with_file_name("swtpm_setup").display().to_string());
    }
    Ok(o)
}

/// The rows that were asked for, with the titles of their groups.
fn wanted(filters: &[String]) -> impl Iterator<Item = (&'static str, &'static Row)> {
    let all = GROUPS.iter().flat_map(|group| group.rows.iter().map(|row| (group.title, row)));
    all.filter(move |(_, row)| filters.is_empty() || filters.iter().any(|filter| row.name.contains(filter.as_str())))
}

/// One whole run.
fn run(o: &Options) -> Run {
    // The other side does not sync; what it would cost to say so stands in rows of its own.
    let ours = o.left.command.contains("vtpmd");
    let unsynced = Side { state: if ours { ",fsync=false".into() } else { String::new() }, ..o.left.clone() };
    let mut out = Vec::new();
    if o.form == Form::Text {
        println!("{}", text::head());
    }
    for (group, row) in wanted(&o.filters) {
        let left = if row.synced { &o.left } else { &unsynced };
        let [left, right] = measure(row, [left, &o.right], o.scale);
        let measured = Measured { row, group, left, right };
        if o.form == Form::Text {
            println!("{}", text::line(&measured));
        }
        out.push(measured);
    }
    out
}

fn all(o: &Options) -> Result<(), String> {
    if wanted(&o.filters).next().is_none() {
        return Err(format!("no row has {} in its name; see --list", o.filters.join(" or ")));
    }
    pin()?;
    let machine = Machine::look(&o.left, &o.right, &o.commit);
    if o.form == Form::Text {
        println!("{}", machine.text());
        println!(
            "Microseconds; cpu is the daemon's own time, mean. newest: the newest libtpms's ratio, as far as known."
        );
    }
    let mut runs = Vec::new();
    for number in 1..=o.runs {
        if o.form == Form::Text && o.runs > 1 {
            println!("\nRun {number} of {}", o.runs);
        }
        let run = run(o);
        runs.push(run);
        if o.form == Form::Text && o.runs > 1 {
            print!("\n{}", text::misses(runs.split_at(number - 1).1));
        }
    }
    let (json, table) = (report::json::whole(&machine, &runs), markdown::table(&machine, &runs));
    std::fs::create_dir_all(&o.out).map_err(|e| format!("cannot make the folder {}: {e}", o.out.display()))?;
    for (name, text) in
        [("bench.json", format!("{json}\n")), ("bench.svg", chart::svg(&machine, &runs)), ("bench.md", table.clone())]
    {
        let path = o.out.join(name);
        std::fs::write(&path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    }
    match o.form {
        Form::Text => print!("\n{}", text::misses(&runs)),
        Form::Json => println!("{json}"),
        Form::Markdown => print!("{table}"),
    }
    if o.form == Form::Text {
        println!("\nWritten: bench.json, bench.svg (chart), bench.md in {}", o.out.display());
    }
    Ok(())
}

fn main() -> ExitCode {
    // The row of the bare echo starts this program a second time.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|argument| argument == "--echo") {
        let path = arguments.next().unwrap_or_default();
        return match rows::limits::echo(Path::new(&path)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let outcome = options().and_then(|o| {
        if o.list {
            wanted(&o.filters).for_each(|(group, row)| println!("{group}: {}", row.name));
            return Ok(());
        }
        all(&o)
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}
