//! `cargo xtask demo`: a real guest, a sealed secret, a power cut.

use std::os::unix::process::CommandExt;
use std::time::Instant;

use crate::Failure;
use crate::packages::{self, GUEST, SWTPM};
use crate::run::{cargo, command, must, root, show, target};

/// Options of `tests/vm/demo.py` that people may give, and what they may say.
const OPTIONS: &[(&str, &[&str])] =
    &[("--model", &["crb", "tis"]), ("--accel", &["tcg", "kvm"]), ("--timeout", &[]), ("--tpm-cmd", &[])];

/// Build, prepare the guest, and hand over to `tests/vm/demo.py`, which tells the story.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let start = Instant::now();
    understand(arguments)?;
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
    // The script takes this process's place, so that a signal for it reaches the one who must clean up.
    let error = demo.exec();
    Err(format!("cannot run {}: {error}", show(&demo)))
}

/// Refuse what the demo would not understand before anything is built.
fn understand(arguments: &[String]) -> Result<(), Failure> {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let (name, value) = word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
        let Some((_, values)) = OPTIONS.iter().find(|(option, _)| *option == name) else {
            return Err(format!("demo has no option {name}; see cargo xtask help"));
        };
        let Some(value) = value.or_else(|| words.next().map(String::as_str)) else {
            return Err(format!("{name} needs a value; see cargo xtask help"));
        };
        if !values.is_empty() && !values.contains(&value) {
            return Err(format!("{name} is {}, not {value}", values.join(" or ")));
        }
        if name == "--timeout" && !value.parse::<u32>().is_ok_and(|seconds| seconds > 0) {
            return Err(format!("--timeout is a number of seconds, not {value}"));
        }
    }
    Ok(())
}

/// The guest's kernel, initramfs and disk in `target/guest`; made once from Debian packages.
pub(crate) fn guest() -> Result<(), Failure> {
    let folder = target().join("guest");
    let new = !folder.join("info").exists();
    if new {
        println!("Preparing the guest: downloading Debian's kernel and tools (once)");
        if !packages::has_lists() {
            if !packages::is_root() {
                return Err("apt has no package lists; as root run: apt-get update".into());
            }
            packages::refresh_lists()?;
        }
    }
    let build = || {
        let mut build = command("bash", &[]);
        build.arg(root().join("tests/vm/build-guest")).arg("--out").arg(&folder);
        must(build)
    };
    match build() {
        // Old package lists name packages that the mirror has no more.
        Err(_) if new && packages::is_root() => packages::refresh_lists().and_then(|()| build()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::understand;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn good_arguments_are_understood() {
        for line in ["", "--model tis", "--model=crb --accel tcg --timeout 300", "--tpm-cmd={vtpmd}"] {
            assert!(understand(&words(line)).is_ok(), "{line}");
        }
    }

    #[test]
    fn bad_arguments_are_named() {
        for (line, named) in [
            ("--modle tis", "--modle"),
            ("tis", "tis"),
            ("--model", "--model needs"),
            ("--model lpc", "lpc"),
            ("--timeout soon", "soon"),
            ("--timeout 0", "not 0"),
        ] {
            assert!(understand(&words(line)).is_err_and(|failure| failure.contains(named)), "{line}");
        }
    }
}
