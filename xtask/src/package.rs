//! `cargo xtask package`: Debian and RPM packages of this tree, and what the tests do with them.

use std::path::PathBuf;

use crate::packages::{self, PACKAGES, SWTPM, SWTPM_TOOLS};
use crate::run::{command, must, target};
use crate::{Failure, dist, man};

/// Where the packages are.
fn out() -> PathBuf {
    target().join("packages")
}

/// Builds the programs, their pages and completions, and the packages, and checks all of them.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    if let Some(word) = arguments.first() {
        return Err(format!("package takes no {word}"));
    }
    packages::ensure(&[PACKAGES])?;
    let built = dist::build()?;
    man::run(&["--from".to_owned(), built.display().to_string()])?;
    let mut pack = command("python3", &["tests/packaging/build.py"]);
    pack.arg("--built").arg(built).arg("--pages").arg(target().join("man")).arg("--out").arg(out());
    must(pack)?;
    println!("the packages are in {}", out().display());
    Ok(())
}

/// The packages on a Debian of their own, with systemd.
pub(crate) fn test() -> Result<(), Failure> {
    if !packages::is_root() {
        return Err("packages needs root, for a container with systemd".into());
    }
    packages::ensure(&[SWTPM, SWTPM_TOOLS])?;
    run(&[])?;
    let mut system = command("python3", &["tests/packaging/system.py"]);
    system.arg("--packages").arg(out().join("deb")).arg("--system").arg(target().join("packages-system"));
    must(system)
}
