//! `cargo xtask man`: man pages and shell completions of all programs, of the help screens that the programs make of their
//! tables of options.

mod completion;
mod help;
mod page;

use crate::Failure;
use crate::run::{cargo, must, root, target};
use help::{Help, Node};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program.
struct Program {
    name: &'static str,
    /// The package that builds it, and the file that it is called from.
    package: &'static str,
    file: &'static str,
    /// How it tells about itself.
    help: &'static str,
    /// Whether it has commands, which its help names and which have options of their own. Those that are listed here are
    /// on its page; others have pages of their own.
    commands: Option<&'static [&'static str]>,
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
        commands: Some(&["socket", "chardev"]),
        about: "the TPM of one virtual machine",
        see: &["swtpm_ioctl", "swtpm_setup"],
    },
    Program {
        name: "swtpm",
        package: "sealwright-daemon",
        file: "vtpmd",
        help: "--help",
        commands: Some(&["socket", "chardev"]),
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
    Program { name, package, file: name, help, commands: None, about, see }
}

impl Program {
    /// Whether this tree has it.
    fn exists(&self) -> bool {
        let folder = self.package.strip_prefix("sealwright-").unwrap_or(self.package);
        root().join("crates").join(folder).is_dir()
    }
}

/// What a program prints about itself.
fn ask(program: &Path, words: &[String]) -> Result<Help, Failure> {
    let failed = |e: &dyn core::fmt::Display| format!("{} {}: {e}", program.display(), words.join(" "));
    let out = Command::new(program).args(words).output().map_err(|e| failed(&e))?;
    if !out.status.success() {
        return Err(failed(&"prints no help"));
    }
    Ok(Help::parse(&String::from_utf8(out.stdout).map_err(|e| failed(&e))?))
}

/// What a command prints about itself and about each of its commands, which its usage names.
fn explore(program: &Path, called: &str, words: &[String]) -> Result<Node, Failure> {
    let help = ask(program, &[words, &["--help".to_owned()]].concat())?;
    let path = core::iter::once(called).chain(words.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
    let named = help.commands(&path);
    let nodes = named.into_iter().map(|name| explore(program, called, &[words, &[name]].concat()));
    let node = Node { words: words.to_vec(), commands: nodes.collect::<Result<_, _>>()?, help };
    if node.help.options.is_empty() && node.commands.is_empty() {
        return Err(format!("no option was found in the help of {path}"));
    }
    Ok(node)
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
    // What an older program had is not left behind.
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|e| format!("cannot empty {}: {e}", folder.display()))?;
    }
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    for program in PROGRAMS.iter().filter(|program| program.exists()) {
        let path = called(program, &built, &folder)?;
        let (name, here) = (program.name, program.commands.unwrap_or_default());
        let node = match program.commands {
            Some(_) => explore(&path, name, &[])?,
            None => Node { help: ask(&path, &[program.help.to_owned()])?, ..Node::default() },
        };
        let (on_page, others): (Vec<_>, Vec<_>) = node.commands.iter().partition(|node| here.contains(&node.name()));
        if let Some(missing) = here.iter().find(|name| !on_page.iter().any(|node| node.name() == **name)) {
            return Err(format!("the help of {name} does not name its command {missing}"));
        }
        let mut see: Vec<String> = others.iter().map(|node| format!("{name}-{}", node.name())).collect();
        for node in &others {
            let name = format!("{name}-{}", node.name());
            let about = node.help.about().ok_or_else(|| format!("the help of {name} does not say what it does"))?;
            let commands: Vec<_> = node.commands.iter().collect();
            let page = page::render(&name, &about, &node.help, &commands, &[program.name.to_owned()]);
            write(&folder, "man1", &format!("{name}.1"), &page)?;
        }
        see.extend(program.see.iter().map(|&page| page.to_owned()));
        let page = page::render(name, program.about, &node.help, &on_page, &see);
        write(&folder, "man1", &format!("{name}.1"), &page)?;
        write(&folder, "bash", name, &completion::bash(name, &node))?;
        write(&folder, "zsh", &format!("_{name}"), &completion::zsh(name, &node))?;
        write(&folder, "fish", &format!("{name}.fish"), &completion::fish(name, &node))?;
        let all = node.all();
        let count = all.iter().map(|node| node.help.options.len()).sum::<usize>();
        if count == 0 {
            return Err(format!("no option was found in the help of {name}"));
        }
        println!("{name}: {} commands, {count} options", all.len().saturating_sub(1));
    }
    println!("written to {}", folder.display());
    Ok(())
}
