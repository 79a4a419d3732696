//! `cargo xtask density`: a thousand TPMs on one machine, as processes and in one.

use crate::packages::{self, SWTPM};
use crate::run::{cargo, command, must, target};
use crate::{Failure, dist};

/// Where the figures go unless `--json` says otherwise.
const JSON: &str = "density.json";

/// Build vtpmd, the example with many engines and the program that measures them, all in release, and run that.
///
/// `--only vtpmd|swtpm|engines` measures one of them, `--swtpm N` so many of swtpm; the rest is the program's.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let (mut only, mut swtpm, mut rest) = (None, None, Vec::new());
    let mut given = arguments.iter();
    while let Some(argument) = given.next() {
        let mut value = || given.next().cloned().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--only" => only = Some(value()?),
            "--swtpm" => swtpm = Some(value()?),
            _ => rest.push(argument.clone()),
        }
    }
    if let Some(unknown) = only.as_deref().filter(|only| !["vtpmd", "swtpm", "engines"].contains(only)) {
        return Err(format!("--only {unknown}: vtpmd, swtpm and engines are known"));
    }
    let wanted = |kind: &str| only.as_deref().is_none_or(|only| only == kind);
    if !packages::is_root() {
        return Err("density needs root: the memory of a daemon that shuts itself against others is read".into());
    }
    let example = ["build", "--release", "--package", "sealwright-tpm2", "--example", "many_engines"];
    must(cargo(&["build", "--release", "--package", "sealwright-density"]))?;
    let release = target().join("release");
    let mut density = command(&release.join("sealwright-density").display().to_string(), &[]);
    density.args(&rest);
    if wanted("vtpmd") {
        density.arg("--daemon").arg(format!("{} socket --tpm2", dist::build()?.join("vtpmd").display()));
    }
    if wanted("swtpm") {
        packages::ensure(&[SWTPM])?;
        density.args(["--daemon", "swtpm socket --tpm2"]);
        density.args(swtpm.iter().flat_map(|count| ["--count", count]));
    }
    if wanted("engines") {
        must(cargo(&example))?;
        density.arg("--engines").arg(release.join("examples/many_engines"));
    }
    if !rest.iter().any(|argument| argument == "--json") {
        density.arg("--json").arg(target().join(JSON));
    }
    must(density)
}
