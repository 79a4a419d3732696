//! `cargo xtask layout`: in which order the linker puts the functions of the released vtpmd, found by looking which of them
//! serve a guest. Those come first and together, so that the rest of the program is not even in memory:
//! docs/decisions/0017-linked-statically.md.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use crate::packages::{self, VALGRIND};
use crate::run::{cargo, command, must, root, target};
use crate::{Failure, dist};

/// The linker's script, which the package's `build.rs` names.
const FILE: &str = "crates/daemon/layout.ld";
/// What runs as well, but not under valgrind: confinement, channels that come as descriptors, and instructions that valgrind's
/// processor does not have. Functions in assembly have no sections of their own.
const BESIDES: [&str; 17] = [
    "*(.text*._R*3aes8backends11x86_vaes512*)",
    "*(.text*._R*4sha1*7x86_sha8compress)",
    "*(.text*._R*4sha2*7x86_sha8compress)",
    "*(.text*._R*5vtpmd4data*)",
    "*(.text*._R*5vtpmd6listen*)",
    "*(.text*._R*5vtpmd6shared*)",
    "*(.text*._R*5vtpmd7confine*)",
    "*(.text*._R*5vtpmd7seccomp*)",
    "*(.text*._R*5vtpmd10descriptor*)",
    "*(.text*._R*8landlock*)",
    "*(.text*._R*11seccompiler*)",
    "*(.text*._R*3std3sys2fs8metadata)",
    "*(.text*._R*3std4path*)",
    "*p256*.o(.text)",
    "*-sha*-x86_64.o(.text)",
    "*x86_64-mont*.o(.text)",
    "*.lo(.text .text.*)",
];

/// Run a guest's commands on vtpmd under callgrind, and write the script anew.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    if let Some(argument) = arguments.first() {
        return Err(format!("layout takes no '{argument}'"));
    }
    packages::ensure(&[VALGRIND])?;
    let vtpmd = dist::vtpmd()?;
    must(cargo(&["build", "--release", "--package", "sealwright-differential", "--bin", "guest"]))?;
    let folder = target().join("layout");
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let mut guest = command(&target().join("release/guest").display().to_string(), &["valgrind", "--quiet"]);
    guest.args(["--tool=callgrind", "--demangle=no"]).arg(format!("--callgrind-out-file={}/%p", folder.display()));
    // Valgrind needs the system calls and files that a confined vtpmd has given up.
    guest.arg(&vtpmd).args(["socket", "--tpm2", "--seccomp", "action=none", "--confine", "none"]);
    must(guest)?;
    let mut functions = Functions::default();
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        functions.add(&std::fs::read_to_string(entry.map_err(failed)?.path()).map_err(failed)?);
    }
    let names = functions.in_order();
    std::fs::write(root().join(FILE), script(&names)).map_err(|error| format!("cannot write {FILE}: {error}"))?;
    println!("{FILE} is written anew, with {} names; the next build goes by it", names.len());
    Ok(())
}

/// What ran, and how often it was called.
#[derive(Debug, Default)]
struct Functions {
    calls: BTreeMap<String, u64>,
}

impl Functions {
    /// Adds what one process ran, as callgrind wrote it.
    fn add(&mut self, text: &str) {
        // A name stands where its number is used first.
        let mut names = BTreeMap::new();
        let mut named = |rest: &str| {
            let (number, name) = rest.split_once(')').unwrap_or((rest, ""));
            if !name.is_empty() {
                names.insert(number.to_owned(), name.trim().to_owned());
            }
            names.get(number).cloned().unwrap_or_default()
        };
        let mut called = String::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("fn=") {
                self.calls.entry(pattern(&named(rest))).or_default();
            } else if let Some(rest) = line.strip_prefix("cfn=") {
                called = pattern(&named(rest));
            } else if let Some(rest) = line.strip_prefix("calls=") {
                let count: u64 = rest.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0);
                *self.calls.entry(called.clone()).or_default() += count;
            }
        }
    }

    /// What is called most comes first: what serves each command, what serves some, and what starts the program.
    fn in_order(&self) -> Vec<&str> {
        let mut all: Vec<_> = self.calls.iter().filter(|(name, _)| is_name(name)).collect();
        all.sort_by(|(a, m), (b, n)| n.cmp(m).then(a.cmp(b)));
        all.into_iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// A pattern is of letters, digits and asterisks, as linkers take it; addresses and notes of callgrind are not.
fn is_name(pattern: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_*.$".contains(c);
    !pattern.is_empty() && !pattern.starts_with("0x") && pattern.chars().all(fits)
}

/// A symbol without what differs from one compiler, version or machine to the next: hashes of crates (`Cs...` and `_` in
/// Rust's mangling), numbers that callgrind adds, and the version in names of AWS-LC.
fn pattern(symbol: &str) -> String {
    let symbol = symbol.split('\'').next().unwrap_or(symbol);
    if let Some(rest) = symbol.strip_prefix("aws_lc_") {
        let name = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_');
        return format!("aws_lc_*_{name}");
    }
    if !symbol.starts_with("_R") {
        return symbol.to_owned();
    }
    let mut out = String::new();
    let mut rest = symbol;
    while let Some((before, after)) = rest.split_once("Cs") {
        out.push_str(before);
        out.push_str("Cs");
        rest = after;
        if let Some((hash, after)) = after.split_once('_')
            && !hash.is_empty()
            && hash.chars().all(|c| c.is_ascii_alphanumeric())
        {
            out.push_str("*_");
            rest = after;
        }
    }
    out + rest
}

/// A script that adds one section to what the linker makes by itself. Names that no longer exist do not matter. A name may
/// stand behind `.text.unlikely` too.
fn script(names: &[&str]) -> String {
    let mut out = String::from(
        "/* Functions that serve a guest, those called most first. Made by `cargo xtask layout`: do not edit. */\n\
         SECTIONS\n{\n  .text.guest :\n  {\n",
    );
    for name in names {
        let _ = writeln!(out, "    *(.text*.{name})");
    }
    for rule in BESIDES {
        let _ = writeln!(out, "    {rule}");
    }
    out + "  }\n}\nINSERT BEFORE .text;\n"
}

#[cfg(test)]
mod tests {
    use super::{Functions, pattern, script};

    #[test]
    fn what_differs_between_builds_is_left_out() {
        for (symbol, expected) in [
            ("_RNvNtCs5kGzmJAz1f0_15sealwright_tpm28dispatch3run", "_RNvNtCs*_15sealwright_tpm28dispatch3run"),
            ("_RINvNtCsa_4core3ptr4dropNtCsb1_5vtpmd3TpmE", "_RINvNtCs*_4core3ptr4dropNtCs*_5vtpmd3TpmE"),
            ("aws_lc_0_47_0_BN_add", "aws_lc_*_BN_add"),
            ("memcpy", "memcpy"),
            ("walk'2", "walk"),
        ] {
            assert_eq!(pattern(symbol), expected);
        }
    }

    #[test]
    fn functions_are_counted_and_put_in_order() {
        let mut functions = Functions::default();
        let text = "fn=(1) main\n0 1\ncfn=(2) often\ncalls=7 0\n0 9\nfn=(2)\n0 9\nfn=(3) 0x00001234\n0 1\nfn=(4) (below main)\n";
        functions.add(text);
        functions.add("fn=(9) main\ncfn=(1) seldom\ncalls=2 0\n");
        assert_eq!(functions.in_order(), ["often", "seldom", "main"]);
        assert!(script(&functions.in_order()).contains("*(.text*.often)\n"));
    }
}
