//! Demo, tests, benchmarks and checks of the Sealwright workspace.

mod bench;
mod check;
mod costs;
mod demo;
mod density;
mod dist;
mod faults;
mod fuzz;
mod layout;
mod man;
mod no_panic;
mod package;
mod packages;
mod run;
mod test;

use std::process::ExitCode;

/// What went wrong, in words for the person at the terminal.
type Failure = String;

const HELP: &str = "\
Usage: cargo xtask COMMAND

  demo [--model crb|tis] [--accel tcg|kvm] [--timeout SECONDS] [--tpm-cmd TEMPLATE]
                    boot a real Linux guest on a TPM with encrypted state, seal a secret to PCR 7,
                    cut the power, boot again, unseal; everything is left in target/demo
  test [--quick] [--list] [STAGE...]
                    run the tests; all stages, or those named. --quick leaves out what takes minutes
  bench [--runs N] [--scale PERCENT] [--out FOLDER] [--json | --markdown] [--list] [FILTER...]
                    min, median, p99 and processor time of each command, vtpmd and swtpm side by side, which aims are met,
                    and why others are not; figures and a chart in target/bench. More options: bench --help
  bench --guest [--boots N] [--repetitions N] [--accel tcg|kvm]
                    share of answers that are there at the first look of a guest's driver, with both daemons
  bench --publish   either of them, into docs/reference/performance.md
  costs [--write]   instructions of ten commands under callgrind, against tests/costs/instructions.csv
  density [--count N] [--swtpm N] [--only vtpmd|swtpm|engines] [--idle SECONDS] [--load SECONDS] [--json FILE]
                    a thousand TPMs on this machine: memory, idleness, latency, start and stop (needs root)
  dist              the programs as they are released, in target/dist: vtpmd linked statically, and swtpm's tools
  fuzz [--commands N] [--seconds N] [--seed N] [--crypto both|rust|native] [--help]
                    mutated commands for the engine in one process, saved and restored after each
  faults [--kills N] [--seed N]
                    every single fault of a disk under the store, and power cuts; vtpmd and swtpm killed
                    at random instants (10000 times each); counts them and what was lost
  layout            look which functions of vtpmd serve a guest, and write crates/daemon/layout.ld, by which the linker puts
                    them together in the released program
  man [--from FOLDER]
                    man pages and shell completions of all programs, in target/man; of programs that are built
                    in FOLDER, or built now
  package           Debian and RPM packages in target/packages, with what comes with them checked: pages, completions,
                    units, AppArmor profile, SELinux module
  check             the house rules: file sizes, no unsafe, no std in the engine, no machine paths
  help              this text

As root, demo, test, bench, costs, density, dist, faults, layout and package install the Debian packages they need; otherwise they name what is missing.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", [].as_slice()),
    };
    let outcome = match command {
        "demo" => demo::run(rest),
        "test" => test::run(rest),
        "bench" => bench::run(rest),
        "costs" => costs::run(rest),
        "density" => density::run(rest),
        "dist" => dist::run(rest),
        "faults" => faults::run(rest),
        "fuzz" => fuzz::run(rest),
        "layout" => layout::run(rest),
        "man" => man::run(rest),
        "package" => package::run(rest),
        "check" => check::run(rest),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        other => Err(format!("unknown command {other}\n\n{HELP}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}
