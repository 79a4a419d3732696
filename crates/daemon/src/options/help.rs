//! The help screens.

use super::table::{Group, Interface, Row, TABLE};
use core::fmt::Write;

/// Columns before the text about an option.
const MARGIN: usize = 28;

/// `vtpmd socket --help` and `vtpmd chardev --help`, of the table of options.
pub(crate) fn options(program: &str, interface: Interface) -> String {
    let name = match interface {
        Interface::Socket => "socket",
        Interface::Chardev => "chardev",
    };
    let mut out = format!("Usage: {program} {name} [options]\n");
    for group in Group::ALL {
        let _ = write!(out, "\n{}\n", group.title());
        for row in TABLE.iter().filter(|row| row.group == group && row.is_on(interface)) {
            option(&mut out, row);
        }
    }
    out.push_str("\nNot supported yet: TPM 1.2.\n");
    out
}

/// One option with what it does.
pub(super) fn option(out: &mut String, row: &Row) {
    let short = row.spec.short.map(|letter| format!("-{letter}, ")).unwrap_or_default();
    let mut lines = row.argument.lines();
    let mut left = format!("  {short}--{} {}", row.spec.long, lines.next().unwrap_or_default());
    left.truncate(left.trim_end().len());
    for line in lines {
        let _ = write!(left, "\n  --{} {line}", row.spec.long);
    }
    let mut text = row.help.lines();
    if left.len() < MARGIN.saturating_sub(1) && !left.contains('\n') {
        let _ = writeln!(out, "{left:MARGIN$}{}", text.next().unwrap_or_default());
    } else {
        let _ = writeln!(out, "{left}");
    }
    for line in text {
        let _ = writeln!(out, "{:MARGIN$}{line}", "");
    }
}

/// `swtpm --help`, for the program by that name.
pub(crate) const SWTPM: &str = "\
The TPM of one virtual machine: vtpmd of the Sealwright project, in swtpm's place.

Usage: swtpm socket|chardev [options]
       swtpm socket --help        list the options
       swtpm -v|--version
";

/// `vtpmd --help`.
pub(crate) const PROGRAM: &str = "\
vtpmd: the TPM of one virtual machine. It takes swtpm's place.

Usage: vtpmd socket [options]       serve a TPM on sockets
       vtpmd chardev [options]      serve a TPM on a character device
       vtpmd socket --help          list the options
       vtpmd state COMMAND          look at what is stored, go back, give other keys, convert, export, import, shred
       vtpmd state --help           list the commands
       vtpmd convert [options]      copy a state between vtpmd and swtpm, as vtpmd state convert does
       vtpmd passthrough [options]  give a VM the host's TPM, or another one that exists
       vtpmd passthrough --help     list the options
       vtpmd --version

Called by the name swtpm, it keeps the state in swtpm's format.
";

/// `vtpmd state --help`.
pub(crate) const STATE: &str = "\
Usage: vtpmd state show|history|diff|verify|restore --tpmstate dir=FOLDER [options]
       vtpmd state rewrap|reseal --tpmstate dir=FOLDER|--manage PATH [options]
       vtpmd state convert|export|import|shred [options]
       vtpmd state COMMAND --help   the options of one of them

Looks at what is stored of a TPM, and changes it.

Commands
  show                      whose state, how old, encrypted or not, and what the TPM has in it
  history                   the generations that are kept
  diff [--from N] [--to N]  what changed; usually between the newest two
  verify                    open every generation that is kept and check each link
  restore --generation N --reason TEXT
                            make an older state the newest one; no TPM may be running on it

  convert, export, import   copy a state: between vtpmd and swtpm, to another key, and in a file to be carried
                            elsewhere; vtpmd state export --help and so on say how
  shred                     end this state for good, after a time of grace; vtpmd state shred --help says how

New keys, while the TPM runs (--manage PATH, its management socket) or not (--tpmstate); with both, whichever is there
  rewrap KEYS               wrap the data key of the state with another key or key manager; the data key stays
  reseal KEYS [--reason TEXT]
                            encrypt everything that is kept with a new data key

KEYS: the present key by --key-manager ADDRESS or --key ..., the new one by --new-key-manager ADDRESS or --new-key ...;
without a new one the present manager wraps with the key that it has now. reseal --to-plain takes the key away

Options
  --tpmstate, --key, --key-manager, --vm, --anchor, --accept-rollback, --history, --durability
                            as for vtpmd socket; show and history do without the key
  --json                    the answer as JSON

No secret is shown: no key, no content of an NV Index but counts, no authorization.
";

/// `vtpmd state convert --help`.
pub(crate) const CONVERT: &str = "\
Usage: vtpmd state convert --from PLACE [--key KEY] --to PLACE [--new-key KEY] [--overwrite] [--json]
       vtpmd convert, the same

Copies the state of a TPM 2.0 to another place and format. With the same PLACE twice, the state stays there and gets
another key (or one, or none); an interruption leaves the old or the new, and running it again goes on.

PLACE
  swtpm:FOLDER        a folder of swtpm's, with tpm2-00.permall in it
  swtpm-file:FILE     a linear file or block device of swtpm's (backend-uri=file://)
  swtpm-permall:FILE  a copy of swtpm's tpm2-00.permall, to be read only
  vtpmd:FOLDER        a folder of vtpmd's
  vtpmd-file:FILE     a single file or block device of vtpmd's
  file:FILE           a file to be carried elsewhere, as vtpmd state export makes it

  --key KEY           the key of the state as it is, if it is encrypted: the values of --key in vtpmd socket --help
  --new-key KEY       the key that it gets; without it the new state is not encrypted
  --volatile FILE     with swtpm-permall: a copy of tpm2-00.volatilestate
  --overwrite         put the state in the place of one that is there (vtpmd keeps that in its history); also --force
  --vm NAME           whose state it is, for vtpmd
  --mode OCTAL        permission bits of files that are made
  --json              the answer as JSON

No TPM may be running on either place: both are locked.
";

/// `vtpmd state export --help`.
pub(crate) const EXPORT: &str = "\
Usage: vtpmd state export --tpmstate dir=FOLDER [--key KEY | --key-manager ADDRESS] --to PLACE
                          --to-key KEY | --to-key-manager ADDRESS | --plain
                          [--generation N] [--overwrite] [--mode OCTAL] [--json]

Copies a state into a file that can be carried elsewhere, or to a place of swtpm's. The state stays where it is.

PLACE
  file:FILE           one file, sealed as vtpmd's own states are; vtpmd state import reads it
  swtpm:FOLDER        a folder for swtpm
  swtpm-file:FILE     a linear file or block device for swtpm (backend-uri=file://)

  --generation N      an older state instead of the newest; see vtpmd state history
  --to-key KEY        the key of the copy: the values of --key in vtpmd socket --help
  --to-key-manager ADDRESS
                      who wraps the data key of the copy (not for swtpm)
  --plain             the copy is not encrypted
  --overwrite         put it in the place of what is there
  --mode OCTAL        permission bits of files that are made (0600 for file:FILE)
  --vm, --anchor      as for vtpmd socket
  --json              the answer as JSON

No TPM may be running on either place: both are locked.
";

/// `vtpmd state import --help`.
pub(crate) const IMPORT: &str = "\
Usage: vtpmd state import --from PLACE [--from-key KEY | --from-key-manager ADDRESS]
                          --tpmstate dir=FOLDER [--key KEY | --key-manager ADDRESS]
                          [--vm NAME] [--overwrite] [--json]

Makes a state of vtpmd's out of an exported file, or of what swtpm has. What it is made of stays as it is.

PLACE
  file:FILE           what vtpmd state export made, or a copy of a tpm.state
  swtpm:FOLDER        a folder of swtpm's
  swtpm-file:FILE     a linear file or block device of swtpm's (backend-uri=file://)
  swtpm-permall:FILE  a copy of swtpm's tpm2-00.permall
  --volatile FILE     with it: a copy of tpm2-00.volatilestate

  --from-key KEY      the key of what is imported, if it is encrypted
  --from-key-manager ADDRESS
                      who wrapped its data key
  --vm NAME           whose state it becomes; without it, that of the VM in the file
  --plain             it is not encrypted any more, although it was
  --overwrite         make it the newest state where there is one already; that one stays in the history
  --tpmstate, --key, --key-manager, --anchor, --accept-rollback, --history, --durability
                      as for vtpmd socket
  --json              the answer as JSON

No TPM may be running on either place: both are locked.
";

/// `vtpmd state shred --help`.
pub(crate) const SHRED: &str = "\
Usage: vtpmd state shred --tpmstate dir=FOLDER [--key KEY | --key-manager ADDRESS] --reason TEXT [--grace 30d]
       vtpmd state shred --tpmstate dir=FOLDER --cancel
       vtpmd state shred --tpmstate dir=FOLDER [--key KEY | --key-manager ADDRESS] [--vm NAME --anchor ...] --finish

Ends the state of a TPM so that nobody can read it again, wherever copies of it may be. It is ordered first; from then on
vtpmd does not start on it. Until the time of grace is over the order can be taken back. Then --finish destroys the VM's
wrapping key in its key manager, erases the state with the wrapped key in it, and has the anchor forget the VM. What was
interrupted is gone on with by the same command.

  --reason TEXT     why; it is told to whoever tries to start the TPM
  --grace TIME      how long it can be taken back: a number with s, m, h or d (30d when not given); 0 needs --confirm
  --confirm NAME    the name of the VM: needed where a mistake could not be mended, that is with --grace 0, and to finish
                    an order that was given without the key
  --cancel          take the order back
  --finish          carry it out
  --tpmstate, --key, --key-manager, --vm, --anchor
                    as for vtpmd socket
  --json            the answer as JSON

A wrapping key that other VMs use too stays. Then only the erasing protects this VM: whoever has a copy of its state from
before, and that key, can still read it. Give each VM a key of its own ({vm} in the key manager's address).
";
