//! `cargo xtask man`: man pages and shell completions of all programs, of the help screens that the programs make of their
//! tables of options.

mod completion;
mod help;
mod page;

use crate::Failure;
use crate::run::{cargo, must, root, target};
use help::Help;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program with its commands, each of which has options of its own.
struct Program {
    name: &'static str,
    /// The package that builds it, and the file that it is called from.
    package: &'static str,
    file: &'static str,
    /// How it tells about itself.
    help: &'static str,
    commands: &'static [&'static str],
    /// One line for the man page's head.
    about: &'static str,
    /// Pages to read next.
    see: &'static [&'static str],
}

const PROGRAMS: &[Program] = &[
    Program {
        name: "vtpmd",
        package: "sealwright-daemon",
        file: "vtpmd",
        help: "--help",
        commands: &["socket", "chardev", "passthrough", "convert", "state"],
        about: "the TPM of one virtual machine",
        see: &["swtpm_ioctl", "swtpm_setup"],
    },
    Program {
        name: "swtpm",
        package: "sealwright-daemon",
        file: "vtpmd",
        help: "--help",
        commands: &["socket", "chardev"],
        about: "the TPM of one virtual machine, in swtpm's place",
        see: &["vtpmd", "swtpm_ioctl", "swtpm_setup"],
    },
    tool("swtpm_ioctl", "sealwright-channel", "--help", "control a TPM daemon", &["vtpmd", "swtpm_bios"]),
    tool("swtpm_bios", "sealwright-channel", "-h", "start a TPM as firmware does", &["vtpmd", "swtpm_ioctl"]),
    tool(
        "swtpm_setup",
        "sealwright-manufacture",
        "--help",
        "make the TPM of a new machine",
        &["vtpmd", "swtpm_localca"],
    ),
    tool(
        "swtpm_localca",
        "sealwright-manufacture",
        "--help",
        "the local authority that certifies TPMs",
        &["swtpm_setup"],
    ),
    tool("swtpm_cert", "sealwright-manufacture", "--help", "make a certificate of a TPM", &["swtpm_localca"]),
];

const fn tool(
    name: &'static str,
    package: &'static str,
    help: &'static str,
    about: &'static str,
    see: &'static [&'static str],
) -> Program {
    Program { name, package, file: name, help, commands: &[], about, see }
}

impl Program {
    /// Whether this tree has it.
    fn exists(&self) -> bool {
        let folder = self.package.strip_prefix("sealwright-").unwrap_or(self.package);
        root().join("crates").join(folder).is_dir()
    }
}

/// What a program prints about itself; nothing if it has no such command.
fn ask(program: &Path, words: &[&str]) -> Result<Option<Help>, Failure> {
    let failed = |e: &dyn core::fmt::Display| format!("{} {}: {e}", program.display(), words.join(" "));
    let out = Command::new(program).args(words).output().map_err(|e| failed(&e))?;
    if !out.status.success() {
        return Ok(None);
    }
    let text = String::from_utf8(out.stdout).map_err(|e| failed(&e))?;
    Ok(Some(Help::parse(&text)))
}

fn write(folder: &Path, kind: &str, name: &str, text: &str) -> Result<(), Failure> {
    let folder = folder.join(kind);
    let path = folder.join(name);
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&path, text))
        .map_err(|e| format!("cannot write {}: {e}", path.display()))
}

/// The program by its own name: programs look at the name that they are called by.
fn called(program: &Program, built: &Path, folder: &Path) -> Result<PathBuf, Failure> {
    let file = built.join(program.file);
    if program.file == program.name {
        return Ok(file);
    }
    let link = folder.join(program.name);
    let _ = fs::remove_file(&link);
    std::os::unix::fs::symlink(&file, &link).map_err(|e| format!("cannot make {}: {e}", link.display()))?;
    Ok(link)
}

/// Writes all pages and completions to target/man. `--from FOLDER` takes programs that are built already.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let built = match arguments {
        [] => {
            let mut build = cargo(&["build", "--release", "--bins"]);
            let mut packages: Vec<_> = PROGRAMS.iter().filter(|p| p.exists()).map(|p| p.package).collect();
            packages.dedup();
            for package in packages {
                build.args(["--package", package]);
            }
            must(build)?;
            target().join("release")
        }
        [option, folder] if option == "--from" => fs::canonicalize(folder).map_err(|e| format!("{folder}: {e}"))?,
        _ => return Err("man takes --from FOLDER or nothing".to_owned()),
    };
    let folder = target().join("man");
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    for program in PROGRAMS.iter().filter(|program| program.exists()) {
        let path = called(program, &built, &folder)?;
        let main = ask(&path, &[program.help])?.ok_or_else(|| format!("{} prints no help", program.name))?;
        let mut commands = Vec::new();
        for command in program.commands {
            // Programs of an older state may not have all of them.
            if let Some(help) = ask(&path, &[command, "--help"])? {
                commands.push((*command, help));
            }
        }
        if main.options.is_empty() && commands.iter().all(|(_, help)| help.options.is_empty()) {
            return Err(format!("no option was found in the help of {}", program.name));
        }
        let page = page::render(program.name, program.about, &main, &commands, program.see);
        write(&folder, "man1", &format!("{}.1", program.name), &page)?;
        write(&folder, "bash", program.name, &completion::bash(program.name, &main, &commands))?;
        write(&folder, "zsh", &format!("_{}", program.name), &completion::zsh(program.name, &main, &commands))?;
        write(&folder, "fish", &format!("{}.fish", program.name), &completion::fish(program.name, &main, &commands))?;
        let count = commands.iter().map(|(_, help)| help.options.len()).sum::<usize>() + main.options.len();
        println!("{}: {count} options", program.name);
    }
    println!("written to {}", folder.display());
    Ok(())
}
