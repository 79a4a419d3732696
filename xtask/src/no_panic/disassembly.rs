//! What refers to what, from `objdump`.

use std::path::Path;

use crate::Failure;
use crate::run::command;

/// A function of an image.
pub(super) struct Function {
    /// Its symbol.
    pub(super) name: String,
    /// The instructions that name another function, or a place in one.
    pub(super) references: Vec<Reference>,
}

/// An instruction that calls a function, jumps to it, or takes its address.
pub(super) struct Reference {
    /// Where the instruction is.
    pub(super) address: u64,
    /// The symbol.
    pub(super) target: String,
}

/// All functions of an image.
pub(super) fn read(image: &Path) -> Result<Vec<Function>, Failure> {
    let mut dump = command("objdump", &["--disassemble", "--no-show-raw-insn", "--wide"]);
    let output = dump.arg(image).output().map_err(|error| format!("cannot run objdump: {error}"))?;
    if !output.status.success() {
        return Err(format!("objdump failed on {}", image.display()));
    }
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
}

fn parse(text: &str) -> Vec<Function> {
    let mut functions: Vec<Function> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_suffix(">:").and_then(|line| line.split_once(" <")).map(|(_, name)| name) {
            functions.push(Function { name: name.into(), references: Vec::new() });
        } else if let (Some(function), Some(reference)) = (functions.last_mut(), reference(line)) {
            function.references.push(reference);
        }
    }
    functions
}

/// `  12ab: call 34cd <symbol>`, or any other instruction with a symbol behind it.
fn reference(line: &str) -> Option<Reference> {
    let (address, rest) = line.trim_start().split_once(':')?;
    let symbol = rest.trim_end().strip_suffix('>')?.rsplit_once('<')?.1;
    let target = symbol.split_once("+0x").map_or(symbol, |(name, _)| name);
    Some(Reference { address: u64::from_str_radix(address, 16).ok()?, target: target.into() })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn calls_and_addresses_are_found() {
        let text = "\n0000000000001000 <first>:\n    1000:\tpush   %rax\n    1001:\tcall   2000 <second>\n    1006:\tlea    \
                    0x10(%rip),%rdi        # 2010 <second+0x10>\n    100d:\tjne    1000 <first>\n\n0000000000002000 \
                    <second>:\n    2000:\tud2\n";
        let functions = parse(text);
        let found: Vec<(u64, &str)> = functions[0].references.iter().map(|r| (r.address, r.target.as_str())).collect();
        assert_eq!(found, [(0x1001, "second"), (0x1006, "second"), (0x100d, "first")]);
        assert_eq!((functions.len(), functions[1].references.len()), (2, 0));
    }
}
