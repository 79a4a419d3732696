//! `sealwright-differential compare`: plays the scenarios to two daemons and reports what differs.

use sealwright_differential::codes::rc_name;
use sealwright_differential::compare::{Difference, Expected, compare, report};
use sealwright_differential::scenario;
use sealwright_differential::table;
use sealwright_differential::tpm::{Step, Tpm};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

const HELP: &str = "usage: sealwright-differential compare [--left COMMAND] [--right COMMAND] [--scenario NAME]...
                               [--seed N] [--count N] [--all] [--trace]
  --left, --right  daemons: program and first arguments
                   (default: target/release/vtpmd or target/debug/vtpmd, and swtpm)
  --scenario       only scenarios whose name contains NAME
  --seed           seed of nonces and mutations (default 1)
  --count          mutated copies sent before each command (default 0)
  --all            list expected differences too
  --trace          print every step with the response code of the right side
Exit status 1 if there are differences that expected-differences.txt does not explain.";

struct Options {
    left: String,
    right: String,
    scenarios: Vec<String>,
    seed: u64,
    count: usize,
    all: bool,
    trace: bool,
}

fn default_left() -> String {
    let built = ["target/release/vtpmd", "target/debug/vtpmd"];
    let path = built.into_iter().find(|p| std::path::Path::new(p).exists()).unwrap_or("vtpmd");
    format!("{path} socket --tpm2")
}

fn options() -> Result<Options, String> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some("compare") {
        return Err(HELP.into());
    }
    let mut o = Options {
        left: default_left(),
        right: "swtpm socket --tpm2".into(),
        scenarios: Vec::new(),
        seed: 1,
        count: 0,
        all: false,
        trace: false,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("not a number: {text}"));
        match argument.as_str() {
            "--left" => o.left = value()?,
            "--right" => o.right = value()?,
            "--scenario" => o.scenarios.push(value()?),
            "--seed" => o.seed = number(value()?)?,
            "--count" => o.count = number(value()?)? as usize,
            "--all" => o.all = true,
            "--trace" => o.trace = true,
            _ => return Err(format!("unknown option {argument}\n{HELP}")),
        }
    }
    Ok(o)
}

fn play(command: &str, o: &Options, script: fn(&mut Tpm)) -> Result<Vec<Step>, String> {
    let mut tpm = Tpm::start(command, o.seed).map_err(|e| format!("{command}: {e}"))?;
    tpm.mutations = o.count;
    // A script may not bear an answer that it did not expect; what was recorded up to there is compared.
    if catch_unwind(AssertUnwindSafe(|| script(&mut tpm))).is_err() {
        tpm.control("the script stopped here", |_| Ok(0));
    }
    Ok(tpm.steps)
}

fn run() -> Result<bool, String> {
    let o = options()?;
    let expected = Expected::parse(include_str!("../expected-differences.txt"))?;
    let (mut unexpected, mut explained): (Vec<Difference>, Vec<Difference>) = Default::default();
    let mut commands = 0;
    for (name, script) in scenario::ALL {
        if !o.scenarios.is_empty() && !o.scenarios.iter().any(|s| name.contains(s.as_str())) {
            continue;
        }
        let (left, right) = std::thread::scope(|s| {
            let left = s.spawn(|| play(&o.left, &o, *script));
            (left.join(), play(&o.right, &o, *script))
        });
        let left = left.map_err(|_| format!("the script {name} panicked"))??;
        let right = right?;
        commands += left.len();
        for step in right.iter().filter(|_| o.trace) {
            println!("  {} `{}`: {} {:?}", table::name(step.code), step.label, rc_name(step.rc), step.faults);
        }
        let mut found = compare(name, &left, &right);
        if found.iter().any(|d| !expected.iter().any(|e| e.covers(d))) {
            // What the right side does not repeat with itself (random contents, timers) says nothing about the left.
            let noise = compare(name, &play(&o.right, &o, *script)?, &right);
            found.retain(|d| !noise.iter().any(|n| n.step == d.step && n.field == d.field));
        }
        let (known, new): (Vec<_>, Vec<_>) = found.into_iter().partition(|d| expected.iter().any(|e| e.covers(d)));
        println!("{name}: {} commands, {} differences, {} expected", left.len(), new.len() + known.len(), known.len());
        unexpected.extend(new);
        explained.extend(known);
    }
    if o.all {
        println!("\nexpected:\n{}", report(&explained));
    }
    if !unexpected.is_empty() {
        println!("\nnot expected:\n{}", report(&unexpected));
    }
    println!("{commands} commands, {} expected differences, {} others", explained.len(), unexpected.len());
    Ok(unexpected.is_empty())
}

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}
