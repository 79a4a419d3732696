//! `sealwright-differential compare`: plays the scenarios to two daemons and reports what differs.

use core::panic::AssertUnwindSafe;
use sealwright_differential::codes::rc_name;
use sealwright_differential::compare::{Difference, compare, report};
use sealwright_differential::expected::Expected;
use sealwright_differential::generate;
use sealwright_differential::meeting::{Peer, meeting};
use sealwright_differential::scenario;
use sealwright_differential::table;
use sealwright_differential::tpm::{Step, Tpm};
use sealwright_differential::wire::hex;
use std::panic::catch_unwind;
use std::process::ExitCode;

const HELP: &str = "usage: sealwright-differential compare [--left COMMAND] [--right COMMAND] [--scenario NAME]...
                               [--generate N] [--seed N] [--count N] [--all] [--trace]
  --left, --right  daemons: program and first arguments (default: target/release/vtpmd or target/debug/vtpmd with
                   `socket --tpm2 --flags disable-auto-shutdown`, and `swtpm socket --tpm2`)
  --scenario       only scenarios whose name contains NAME
  --generate       about N commands in random sequences instead of scenarios, the first sequence of seed N
  --seed           seed of nonces, mutations and sequences (default 1)
  --count          mutated copies sent before each command (default 0)
  --all            list expected differences too
  --trace          print every step with what was sent and both answers
Exit status 1 if there are differences that expected-differences.txt does not explain.";

struct Options {
    left: String,
    right: String,
    scenarios: Vec<String>,
    generate: usize,
    seed: u64,
    count: usize,
    all: bool,
    trace: bool,
}

/// Debian's swtpm does not shut a TPM down by itself when its power goes: neither may vtpmd here.
const FLAGS: &str = "socket --tpm2 --flags disable-auto-shutdown";

fn default_left() -> String {
    let built = ["target/release/vtpmd", "target/debug/vtpmd"];
    let path = built.into_iter().find(|p| std::path::Path::new(p).exists()).unwrap_or("vtpmd");
    format!("{path} {FLAGS}")
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
        generate: 0,
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
            "--generate" => o.generate = number(value()?)? as usize,
            "--seed" => o.seed = number(value()?)?,
            "--count" => o.count = number(value()?)? as usize,
            "--all" => o.all = true,
            "--trace" => o.trace = true,
            _ => return Err(format!("unknown option {argument}\n{HELP}")),
        }
    }
    Ok(o)
}

/// A script, with the seed of its nonces.
type Script<'a> = (&'a (dyn Fn(&mut Tpm) + Sync), u64);

fn play(command: &str, o: &Options, (script, seed): Script<'_>, peer: Peer) -> Result<Vec<Step>, String> {
    let mut tpm = Tpm::start(command, seed).map_err(|e| format!("{command}: {e}"))?;
    tpm.mutations = o.count;
    tpm.peer = Some(peer);
    // A script may not bear an answer that it did not expect; what was recorded up to there is compared.
    if catch_unwind(AssertUnwindSafe(|| script(&mut tpm))).is_err() {
        tpm.control("the script stopped here", |_| Ok(u32::MAX));
    }
    Ok(tpm.steps)
}

/// Both daemons play one script, each in step with the other.
fn play_both(o: &Options, script: Script<'_>) -> Result<(Vec<Step>, Vec<Step>), String> {
    let (here, there) = meeting();
    std::thread::scope(|s| {
        let left = s.spawn(|| play(&o.left, o, script, here));
        let right = play(&o.right, o, script, there);
        let left = left.join().map_err(|_| "the player panicked".to_string())?;
        Ok((left?, right?))
    })
}

/// Every step with what was sent (to the right side, and the parameters if a session encrypted them) and both answers.
fn trace(left: &[Step], right: &[Step]) {
    for (l, r) in left.iter().zip(right) {
        println!("  {} `{}`: {} / {} {:?}", table::name(r.code), r.label, rc_name(l.rc), rc_name(r.rc), r.faults);
        println!("    sent {}\n    got  {}\n    or   {}", hex(&r.command), hex(&l.response), hex(&r.response));
        if !r.command.ends_with(&r.parameters) {
            println!("    parameters {}", hex(&r.parameters));
        }
    }
}

/// Plays random sequences until about `o.generate` commands were sent. Of each, the differences of the first step that
/// has unexpected ones: what follows may be its consequence.
fn generated(o: &Options, expected: &[Expected]) -> Result<bool, String> {
    let (mut commands, mut bad, mut seed, mut explained) = (0, 0, o.seed, 0);
    while commands < o.generate {
        let length = generate::LENGTH.min(o.generate - commands);
        let script = |t: &mut Tpm| generate::play(t, seed, length);
        let name = format!("the sequence of --generate {length} --seed {seed}");
        let (mut left, mut right) = play_both(o, (&script, seed)).map_err(|e| format!("{name}: {e}"))?;
        commands += left.len().max(1);
        if o.trace {
            trace(&left, &right);
        }
        generate::settle(&mut left, &mut right);
        let (mut found, _) = compare(&name, &left, &right);
        let all = found.len();
        found.retain(|d| !expected.iter().any(|e| e.covers(d)));
        explained += all - found.len();
        if let Some(first) = found.first().map(|d| d.step) {
            found.retain(|d| d.step == first);
            bad += 1;
            println!("{name}, differs:\n{}", report(&found));
        }
        seed += 1;
    }
    println!(
        "{commands} commands in {} sequences, {bad} of them differ ({explained} expected differences)",
        seed - o.seed
    );
    Ok(bad == 0)
}

fn run() -> Result<bool, String> {
    let o = options()?;
    let expected = Expected::parse(include_str!("../expected-differences.txt"))?;
    if o.generate > 0 {
        return generated(&o, &expected);
    }
    let mut used = vec![0usize; expected.len()];
    let (mut unexpected, mut explained): (Vec<Difference>, Vec<Difference>) = Default::default();
    let (mut commands, mut apart) = (0, 0);
    for (name, script) in scenario::ALL {
        if !o.scenarios.is_empty() && !o.scenarios.iter().any(|s| name.contains(s.as_str())) {
            continue;
        }
        let (left, right) = play_both(&o, (script, o.seed)).map_err(|e| format!("{name}: {e}"))?;
        commands += left.len();
        if o.trace {
            trace(&left, &right);
        }
        let before = unexpected.len();
        let (all, ignored) = compare(name, &left, &right);
        apart += ignored;
        let found = all.len();
        for difference in all {
            match expected.iter().position(|e| e.covers(&difference)) {
                Some(line) => {
                    used[line] += 1;
                    explained.push(difference);
                }
                None => unexpected.push(difference),
            }
        }
        let new = unexpected.len() - before;
        println!("{name}: {} commands, {} expected differences, {new} others", left.len(), found - new);
    }
    if o.all {
        println!("\nexpected:\n{}", report(&explained));
    }
    if !unexpected.is_empty() {
        println!("\nnot expected:\n{}", report(&unexpected));
    }
    if o.scenarios.is_empty() {
        for (line, _) in expected.iter().zip(&used).filter(|(_, n)| **n == 0) {
            println!("this expected difference did not occur: {}", line.line);
        }
    }
    if apart > 0 {
        println!(
            "{apart} mutated copies were answered differently because they hold bytes that each TPM made for itself"
        );
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
