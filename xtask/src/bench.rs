//! `cargo xtask bench`: what each command costs, vtpmd and swtpm side by side; and in a guest.

use std::path::Path;

use crate::Failure;
use crate::packages::{self, GUEST, SWTPM, SWTPM_TOOLS};
use crate::run::{cargo, command, must, root, target};
use crate::{demo, dist};

/// The page of the documentation that shows the last run, and what is put there.
const PAGE: &str = "docs/reference/performance.md";
/// The chart and the figures go beside the page.
const COPIES: [(&str, &str); 2] =
    [("bench.svg", "docs/reference/performance.svg"), ("bench.json", "docs/reference/performance.json")];

/// What `run` itself understands; everything else is for the benchmark.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    /// In a guest, in place of the table.
    guest: bool,
    /// Into the documentation.
    publish: bool,
    rest: Vec<String>,
}

fn understand(arguments: &[String]) -> Asked {
    let mut asked = Asked::default();
    for argument in arguments {
        match argument.as_str() {
            "--guest" => asked.guest = true,
            "--publish" => asked.publish = true,
            _ => asked.rest.push(argument.clone()),
        }
    }
    asked
}

/// Build everything in release and run the benchmark of the differential package, or that in a guest.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let asked = understand(arguments);
    if asked.guest { guest(&asked) } else { table(&asked) }
}

fn table(asked: &Asked) -> Result<(), Failure> {
    if asked.publish
        && asked.rest.iter().any(|argument| !argument.starts_with("--runs") && argument.parse::<u32>().is_err())
    {
        return Err("--publish takes whole runs: only --runs goes with it".into());
    }
    let mut bench =
        cargo(&["run", "--release", "--quiet", "--package", "sealwright-differential", "--bin", "bench", "--"]);
    if asked.rest.iter().any(|argument| argument == "--help" || argument == "-h") {
        bench.arg("--help");
        return must(bench);
    }
    packages::ensure(&[SWTPM, SWTPM_TOOLS])?;
    let programs = dist::build()?;
    must(cargo(&["build", "--release", "--package", "sealwright-tpm2", "--example", "engine"]))?;
    let release = target().join("release");
    let out = target().join("bench");
    let absent = |option: &str| !asked.rest.iter().any(|argument| argument == option);
    if absent("--left") {
        bench.arg("--left").arg(format!("{} socket --tpm2", programs.join("vtpmd").display()));
        bench.arg("--commit").arg(commit());
    }
    if absent("--engine") {
        bench.arg("--engine").arg(release.join("examples/engine"));
    }
    if absent("--out") {
        bench.arg("--out").arg(&out);
    }
    bench.args(&asked.rest);
    must(bench)?;
    if asked.publish {
        for (from, to) in COPIES {
            copy(&out.join(from), &root().join(to))?;
        }
        publish(&out.join("bench.md"), "table")?;
    }
    Ok(())
}

/// The share of answers that a guest's driver finds at its first look, with both daemons.
fn guest(asked: &Asked) -> Result<(), Failure> {
    packages::ensure(&[GUEST, SWTPM])?;
    let programs = dist::build()?;
    demo::guest()?;
    // In the guest there are no libraries to rely on.
    let triple = "x86_64-unknown-linux-gnu";
    let mut timer = cargo(&["build", "--release", "--package", "sealwright-guest-timer", "--target", triple]);
    timer.env("RUSTFLAGS", "-C target-feature=+crt-static");
    must(timer)?;
    let out = target().join("bench");
    let mut run = command("python3", &["tests/vm/in_time.py"]);
    run.arg("--guest").arg(target().join("guest")).arg("--out").arg(&out);
    run.arg("--timer").arg(target().join(triple).join("release/guest-timer"));
    run.env("VTPMD", programs.join("vtpmd")).env("PYTHONUNBUFFERED", "1").args(&asked.rest);
    must(run)?;
    if asked.publish { publish(&out.join("guest.md"), "guest") } else { Ok(()) }
}

/// What HEAD is, and whether the tree differs from it.
fn commit() -> String {
    let said = |arguments: &[&str]| {
        let output = command("git", arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(head) = said(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".into() };
    let changed = said(&["status", "--porcelain", "--untracked-files=no"]).is_none_or(|changes| !changes.is_empty());
    if changed { format!("{head} with changes") } else { head }
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::copy(from, to)
        .map(drop)
        .map_err(|error| format!("cannot copy {} to {}: {error}", from.display(), to.display()))
}

/// Put the text of a file between the page's marks of this name.
fn publish(from: &Path, name: &str) -> Result<(), Failure> {
    let read =
        |path: &Path| std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()));
    let page = root().join(PAGE);
    let text = between(&read(&page)?, name, &read(from)?)?;
    std::fs::write(&page, text).map_err(|error| format!("cannot write {}: {error}", page.display()))?;
    println!("{PAGE} shows it now");
    Ok(())
}

/// `page` with `text` in place of what stands between the two marks.
fn between(page: &str, name: &str, text: &str) -> Result<String, Failure> {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let parts = page.split_once(&begin).and_then(|(head, rest)| Some((head, rest.split_once(&end)?.1)));
    let (head, tail) = parts.ok_or_else(|| format!("{PAGE} has no marks {} and {end}", begin.trim_end()))?;
    Ok(format!("{head}{begin}\n{}\n\n{end}{tail}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::{Asked, between, understand};

    #[test]
    fn what_is_not_for_us_is_handed_on() {
        let words: Vec<String> = ["--publish", "--runs", "3", "PCR"].map(str::to_owned).into();
        let rest = words[1..].to_vec();
        assert_eq!(understand(&words), Asked { guest: false, publish: true, rest });
    }

    #[test]
    fn a_page_keeps_what_is_around_its_marks() {
        let page = "a\n<!-- table: begin -->\nold\n<!-- table: end -->\nb\n";
        let new = between(page, "table", "new\n").unwrap();
        assert_eq!(new, "a\n<!-- table: begin -->\n\nnew\n\n<!-- table: end -->\nb\n");
        assert_eq!(between(&new, "table", "new").unwrap(), new, "again changes nothing");
        assert!(between("no marks", "table", "new").is_err());
    }
}
