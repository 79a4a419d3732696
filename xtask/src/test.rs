//! `cargo xtask test`: everything that guards a change, in stages.

use std::process::Command;
use std::time::Instant;

use crate::packages::{self, CLIENTS, GUEST, KEYS, LIBVIRT, MUSL, QTEST, STRACE, SWTPM, SWTPM_TOOLS};
use crate::run::{cargo, command, must, target};
use crate::{Failure, check, costs as instructions, demo, dist, faults, fuzz, no_panic, package};

/// One part of the tests.
struct Stage {
    name: &'static str,
    about: &'static str,
    /// Whether `--quick` runs it.
    quick: bool,
    /// Whether it runs without being named.
    by_default: bool,
    run: fn() -> Result<(), Failure>,
}

const STAGES: &[Stage] = &[
    Stage { name: "format", about: "cargo fmt --all --check", quick: true, by_default: true, run: format },
    Stage { name: "check", about: "the house rules (cargo xtask check)", quick: true, by_default: true, run: house },
    Stage { name: "clippy", about: "cargo clippy on all packages", quick: true, by_default: true, run: clippy },
    Stage { name: "unit", about: "cargo test of all packages", quick: true, by_default: true, run: unit },
    Stage {
        name: "bare-metal",
        about: "core, crypto and tpm2 for x86_64-unknown-none, which has no std; no way to a panic in their code",
        quick: false,
        by_default: true,
        run: bare_metal,
    },
    Stage { name: "fuzz", about: "a short run of cargo xtask fuzz", quick: false, by_default: true, run: fuzz::short },
    Stage {
        name: "differential",
        about: "the same commands to vtpmd and swtpm, compared",
        quick: false,
        by_default: true,
        run: differential,
    },
    Stage {
        name: "compat",
        about: "states that swtpm makes, taken over and given back; our tools and swtpm's on both daemons",
        quick: false,
        by_default: true,
        run: compat,
    },
    Stage {
        name: "crash",
        about: "vtpmd killed at random instants: nothing answered is lost",
        quick: false,
        by_default: true,
        run: faults::short,
    },
    Stage {
        name: "power-cut",
        about: "states that a power cut may leave, modelled from real system calls: nothing answered is lost",
        quick: false,
        by_default: true,
        run: faults::short_power_cuts,
    },
    Stage {
        name: "secrets",
        about: "neither keys nor the plaintext of a state are in files, logs, core dumps and other places",
        quick: false,
        by_default: true,
        run: secrets,
    },
    Stage {
        name: "costs",
        about: "the system calls of a commit, the memory of an open state, the instructions of ten commands",
        quick: false,
        by_default: true,
        run: costs,
    },
    Stage {
        name: "clients",
        about: "tpm2-tools, the IBM TSS utilities and tpm2-pytss on vtpmd",
        quick: false,
        by_default: true,
        run: clients,
    },
    Stage {
        name: "keys",
        about: "key managers: Barbican, Keystone, SoftHSM, PyKMIP, libvirtd, swtpm and vtpmd as the host's TPM",
        quick: false,
        by_default: false,
        run: keys,
    },
    Stage {
        name: "guest",
        about: "Linux guests under QEMU on vtpmd: boots, disk encryption, sleep, migration, power cuts",
        quick: false,
        by_default: true,
        run: guest,
    },
    Stage {
        name: "guest-long",
        about: "the guest scenarios that guest leaves out",
        quick: false,
        by_default: false,
        run: guest_long,
    },
    Stage {
        name: "static",
        about: "the tests of vtpmd with the program as it is released: linked statically",
        quick: false,
        by_default: false,
        run: linked_statically,
    },
    Stage {
        name: "timing",
        about: "whether the time of what is done with secrets depends on them, by statistics",
        quick: false,
        by_default: false,
        run: timing,
    },
    Stage {
        name: "libvirt",
        about: "domains with a TPM under Debian's libvirtd, with vtpmd in swtpm's place (needs root)",
        quick: false,
        by_default: false,
        run: libvirt,
    },
    Stage {
        name: "replace",
        about: "our programs put in swtpm's place under Debian and taken out again, in a copy of the machine (needs root)",
        quick: false,
        by_default: false,
        run: replace,
    },
    Stage {
        name: "packages",
        about: "the packages built, installed beside Debian's swtpm and removed, and the units under systemd (needs root)",
        quick: false,
        by_default: false,
        run: package::test,
    },
    Stage {
        name: "qtest",
        about: "QEMU's own tests of its TPM devices, with vtpmd in swtpm's place",
        quick: false,
        by_default: false,
        run: qtest,
    },
];

/// Packages of the engine, which must build without std.
const ENGINE: &[&str] = &["sealwright-core", "sealwright-crypto", "sealwright-tpm2"];
const BARE_METAL: &str = "x86_64-unknown-none";

/// Run the chosen stages, all of them even if one fails, and name those that failed.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    if arguments.iter().any(|argument| argument == "--list") {
        for stage in STAGES {
            println!("{:12} {}{}", stage.name, stage.about, if stage.by_default { "" } else { " (when named)" });
        }
        return Ok(());
    }
    let stages = choose(arguments)?;
    let mut results = Vec::new();
    for stage in stages {
        println!("\n=== {}: {}", stage.name, stage.about);
        let start = Instant::now();
        let outcome = (stage.run)();
        if let Err(failure) = &outcome {
            println!("xtask: {failure}");
        }
        results.push((stage, outcome, start.elapsed().as_secs()));
    }
    println!("\n=== result");
    for (stage, outcome, seconds) in &results {
        println!("{:12} {} ({seconds} s)", stage.name, if outcome.is_ok() { "ok" } else { "FAILED" });
    }
    let failed: Vec<_> = results.iter().filter(|(_, outcome, _)| outcome.is_err()).map(|(s, ..)| s.name).collect();
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

/// The stages that the arguments ask for, in the order of the list.
fn choose(arguments: &[String]) -> Result<Vec<&'static Stage>, Failure> {
    let (options, names): (Vec<_>, Vec<_>) = arguments.iter().partition(|argument| argument.starts_with('-'));
    if let Some(unknown) = options.iter().find(|option| **option != "--quick") {
        return Err(format!("unknown option {unknown}; see cargo xtask help"));
    }
    if let Some(unknown) = names.iter().find(|name| !STAGES.iter().any(|stage| stage.name == **name)) {
        return Err(format!("unknown stage {unknown}; see cargo xtask test --list"));
    }
    let quick = !options.is_empty();
    let chosen = |stage: &&Stage| match names.is_empty() {
        true => stage.by_default && (stage.quick || !quick),
        false => names.iter().any(|name| *name == stage.name),
    };
    Ok(STAGES.iter().filter(chosen).collect())
}

fn format() -> Result<(), Failure> {
    must(cargo(&["fmt", "--all", "--check"]))
}

fn house() -> Result<(), Failure> {
    check::run(&[])
}

fn clippy() -> Result<(), Failure> {
    must(cargo(&["clippy", "--quiet", "--workspace", "--all-targets"]))
}

fn unit() -> Result<(), Failure> {
    // The comparison with swtpm's states has a stage of its own.
    must(cargo(&["test", "--workspace", "--exclude", "sealwright-compat", "--no-fail-fast"]))
}

/// With the C library and the allocator of the released program, in a build that is not optimized as that one is.
fn linked_statically() -> Result<(), Failure> {
    let triple = dist::triple();
    packages::ensure(&[MUSL])?;
    dist::ensure_target(&triple)?;
    must(cargo(&["test", "--package", "sealwright-daemon", "--target", &triple, "--no-fail-fast"]))
}

fn bare_metal() -> Result<(), Failure> {
    dist::ensure_target(BARE_METAL)?;
    let mut build = cargo(&["check", "--target", BARE_METAL]);
    for package in ENGINE {
        build.args(["--package", package]);
    }
    must(build)?;
    no_panic::run(BARE_METAL)
}

fn differential() -> Result<(), Failure> {
    packages::ensure(&[SWTPM])?;
    // First the scenarios, then random sequences.
    for more in [&[][..], &["--generate", "20000"]] {
        let compare = ["run", "--release", "--quiet", "--package", "sealwright-differential", "--", "compare"];
        let mut compare = cargo(&compare);
        // Debian's swtpm does not shut a TPM down by itself when its power goes.
        let flags = "socket --tpm2 --flags disable-auto-shutdown";
        compare.arg("--left").arg(format!("{} {flags}", dist::vtpmd()?.display()));
        compare.args(more);
        must(compare)?;
    }
    Ok(())
}

fn compat() -> Result<(), Failure> {
    packages::ensure(&[SWTPM, SWTPM_TOOLS])?;
    for package in ["sealwright-compat", "sealwright-channel"] {
        let tests = ["test", "--release", "--quiet", "--package", package, "--", "--test-threads=2"];
        must(with_all_programs(cargo(&tests))?)?;
    }
    Ok(())
}

fn clients() -> Result<(), Failure> {
    packages::ensure(&[CLIENTS])?;
    must(with_vtpmd(command("python3", &["tests/clients/run.py"]))?)
}

fn secrets() -> Result<(), Failure> {
    packages::ensure(&[STRACE])?;
    must(with_vtpmd(as_root("tests/secrets/run.py"))?)
}

fn costs() -> Result<(), Failure> {
    packages::ensure(&[STRACE, SWTPM])?;
    must(with_vtpmd(as_root("tests/costs/run.py"))?)?;
    instructions::run(&[])
}

fn timing() -> Result<(), Failure> {
    let json = target().join("timing.json").display().to_string();
    must(cargo(&["run", "--release", "--quiet", "--package", "sealwright-timing", "--", "--json", &json]))
}

fn keys() -> Result<(), Failure> {
    packages::ensure(&[KEYS, SWTPM])?;
    must(with_vtpmd(command("python3", &["tests/keys/run.py"]))?)
}

fn guest() -> Result<(), Failure> {
    scenarios("guest", "--quick")
}

fn guest_long() -> Result<(), Failure> {
    scenarios("guest-long", "--long")
}

/// Scenarios of `tests/vm/run.py`.
fn scenarios(stage: &str, which: &str) -> Result<(), Failure> {
    packages::ensure(&[GUEST, SWTPM, SWTPM_TOOLS])?;
    demo::guest()?;
    let mut run = with_vtpmd(command("python3", &["tests/vm/run.py"]))?;
    run.arg("--guest").arg(target().join("guest")).arg("--dir").arg(target().join("vm")).arg(which);
    reported(run, stage)
}

fn libvirt() -> Result<(), Failure> {
    packages::ensure(&[GUEST, SWTPM, SWTPM_TOOLS, LIBVIRT])?;
    if !packages::is_root() {
        return Err("libvirt needs root, for the name spaces of its hosts".into());
    }
    demo::guest()?;
    let mut run = with_all_programs(command("python3", &["tests/libvirt/run.py"]))?;
    run.arg("--guest").arg(target().join("guest"));
    reported(run, "libvirt")
}

/// Run a list of scenarios; its table is left in `target/reports`, as Markdown and JSON.
fn reported(mut run: Command, stage: &str) -> Result<(), Failure> {
    let folder = target().join("reports");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for (option, extension) in [("--markdown", "md"), ("--json", "json")] {
        run.arg(option).arg(folder.join(stage).with_extension(extension));
    }
    must(run)
}

fn replace() -> Result<(), Failure> {
    packages::ensure(&[SWTPM, SWTPM_TOOLS])?;
    if !packages::is_root() {
        return Err("replace needs root, for a copy of the machine in a name space".into());
    }
    must(with_all_programs(command("python3", &["tests/packaging/replace.py"]))?)
}

fn qtest() -> Result<(), Failure> {
    packages::ensure(&[GUEST, SWTPM, QTEST])?;
    let mut run = with_vtpmd(command("bash", &["tests/vm/qtests"]))?;
    run.arg("--out").arg(target().join("qtest"));
    must(run)
}

/// A Python test that looks into processes: as root, if need be that of a user namespace.
pub(crate) fn as_root(script: &str) -> Command {
    match packages::is_root() {
        true => command("python3", &[script]),
        false => command("unshare", &["--user", "--map-root-user", "python3", script]),
    }
}

/// Build vtpmd as it is released and tell a test where it is.
pub(crate) fn with_vtpmd(mut test: Command) -> Result<Command, Failure> {
    test.env("VTPMD", dist::vtpmd()?).env("PYTHONUNBUFFERED", "1");
    Ok(test)
}

/// The same, with the programs that stand beside vtpmd in swtpm's place.
fn with_all_programs(mut test: Command) -> Result<Command, Failure> {
    test.env("VTPMD", dist::build()?.join("vtpmd")).env("PYTHONUNBUFFERED", "1");
    Ok(test)
}

#[cfg(test)]
mod tests {
    use super::{STAGES, choose};

    fn names(arguments: &[&str]) -> Vec<&'static str> {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        choose(&arguments).unwrap().iter().map(|stage| stage.name).collect()
    }

    #[test]
    fn quick_is_a_part_of_the_default() {
        let all = names(&[]);
        let quick = names(&["--quick"]);
        assert!(quick.iter().all(|name| all.contains(name)));
        assert!(quick.contains(&"unit"));
    }

    #[test]
    fn a_named_stage_runs_alone_even_if_not_in_the_default() {
        for stage in STAGES {
            assert_eq!(names(&[stage.name]), [stage.name]);
        }
    }

    #[test]
    fn unknown_words_are_refused() {
        assert!(choose(&["--fast".to_owned()]).is_err());
        assert!(choose(&["untit".to_owned()]).is_err());
    }
}
