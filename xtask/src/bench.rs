//! `cargo xtask bench`: latency of each command, vtpmd and swtpm side by side.

use crate::Failure;
use crate::packages::{self, SWTPM};
use crate::run::{cargo, must, target};

/// Build vtpmd in release and run the benchmark of the differential package.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    packages::ensure(&[SWTPM])?;
    must(cargo(&["build", "--release", "--package", "sealwright-daemon"]))?;
    let mut bench =
        cargo(&["run", "--release", "--quiet", "--package", "sealwright-differential", "--bin", "bench", "--"]);
    if !arguments.iter().any(|argument| argument == "--left") {
        bench.arg("--left").arg(format!("{} socket --tpm2", target().join("release/vtpmd").display()));
    }
    bench.args(arguments);
    must(bench)
}
