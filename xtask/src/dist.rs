//! `cargo xtask dist`: the programs as they are released. vtpmd is linked statically, which makes it start faster and smaller:
//! docs/decisions/0017-linked-statically.md.

use std::path::PathBuf;
use std::process::Stdio;

use crate::Failure;
use crate::packages::{self, MUSL};
use crate::run::{cargo, command, must, target};

/// The target of this machine with a C library that is linked in.
pub(crate) fn triple() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}

/// Whether the toolchain has the standard library of a target.
fn has_standard_library(triple: &str) -> bool {
    let output = command("rustc", &["--print", "target-libdir", "--target", triple]).stderr(Stdio::null()).output();
    output.is_ok_and(|o| o.status.success() && PathBuf::from(String::from_utf8_lossy(&o.stdout).trim()).is_dir())
}

/// See that the toolchain has the standard library of a target.
pub(crate) fn ensure_target(triple: &str) -> Result<(), Failure> {
    if has_standard_library(triple) {
        return Ok(());
    }
    must(command("rustup", &["target", "add", triple]))
        .map_err(|failure| format!("missing: the Rust target {triple}; {failure}"))
}

/// Build the static vtpmd, and say where it is.
pub(crate) fn vtpmd() -> Result<PathBuf, Failure> {
    let triple = triple();
    packages::ensure(&[MUSL])?;
    ensure_target(&triple)?;
    must(cargo(&["build", "--release", "--locked", "--package", "sealwright-daemon", "--target", &triple]))?;
    Ok(target().join(triple).join("release/vtpmd"))
}

/// `cargo xtask dist`.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    if let Some(argument) = arguments.first() {
        return Err(format!("dist takes no '{argument}'"));
    }
    println!("vtpmd and swtpm's tools are in {}", build()?.display());
    Ok(())
}

/// Build all programs, and put them into one folder.
pub(crate) fn build() -> Result<PathBuf, Failure> {
    let vtpmd = vtpmd()?;
    let tools = ["sealwright-manufacture", "sealwright-channel"];
    let mut build = cargo(&["build", "--release", "--locked", "--bins"]);
    tools.iter().for_each(|package| {
        build.args(["--package", package]);
    });
    must(build)?;
    let folder = target().join("dist");
    std::fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    let programs = ["swtpm_setup", "swtpm_localca", "swtpm_cert", "swtpm_ioctl", "swtpm_bios"];
    let release = target().join("release");
    let all = core::iter::once(("vtpmd", vtpmd)).chain(programs.map(|name| (name, release.join(name))));
    for (name, from) in all {
        // A program that runs cannot be written over, but replaced.
        let (new, to) = (folder.join(format!("{name}.new")), folder.join(name));
        std::fs::copy(&from, &new)
            .and_then(|_| std::fs::rename(&new, &to))
            .map_err(|e| format!("cannot copy {} to {}: {e}", from.display(), to.display()))?;
    }
    Ok(folder)
}
