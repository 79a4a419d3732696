//! `cargo xtask demo`: a real guest, a sealed secret, a power cut.

use std::time::Instant;

use crate::Failure;
use crate::packages::{self, GUEST, SWTPM};
use crate::run::{cargo, command, must, root, target};

/// Build, prepare the guest, and hand over to `tests/vm/demo.py`, which tells the story.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let start = Instant::now();
    let own_tpm = !arguments.iter().any(|argument| argument.starts_with("--tpm-cmd"));
    packages::ensure(if own_tpm { &[GUEST] } else { &[GUEST, SWTPM] })?;
    if own_tpm {
        println!("Building vtpmd (release)");
        must(cargo(&["build", "--release", "--package", "sealwright-daemon"]))?;
    }
    guest()?;
    println!("Prepared in {} s. The demo:", start.elapsed().as_secs());
    let mut demo = command("python3", &["tests/vm/demo.py"]);
    demo.arg("--guest").arg(target().join("guest")).arg("--dir").arg(target().join("demo")).args(arguments);
    demo.env("CARGO_TARGET_DIR", target());
    must(demo)
}

/// The guest's kernel, initramfs and disk in `target/guest`; made once from Debian packages.
pub(crate) fn guest() -> Result<(), Failure> {
    let folder = target().join("guest");
    if !folder.join("info").exists() {
        println!("Preparing the guest: downloading Debian's kernel and tools (once)");
        if !packages::has_lists() {
            if !packages::is_root() {
                return Err("apt has no package lists; as root run: apt-get update".into());
            }
            packages::refresh_lists()?;
        }
    }
    let mut build = command("bash", &[]);
    build.arg(root().join("tests/vm/build-guest")).arg("--out").arg(folder);
    must(build)
}
