//! The help screens.

/// `vtpmd --help`.
pub(crate) const PROGRAM: &str = "\
vtpmd: the TPM of one virtual machine. It takes swtpm's place.

Usage: vtpmd socket [options]     serve a TPM on sockets
       vtpmd socket --help        list the options
       vtpmd state COMMAND        look at what is stored, go back to an older state, convert, export and import it, change its
                                  keys, shred it
       vtpmd state --help         list the commands
       vtpmd passthrough [options] give a VM the host's TPM, or another one that exists
       vtpmd passthrough --help   list the options
       vtpmd --version

swtpm's other commands (character devices) are not supported yet.
";

/// `vtpmd socket --help`.
pub(crate) const SOCKET: &str = "\
Usage: vtpmd socket [options]

Which TPM
  --tpm2                    TPM 2.0; it must be given, as TPM 1.2 is not supported yet
  --tpmstate dir=FOLDER|backend-uri=dir://FOLDER|file://FILE[,mode=OCTAL][,lock=false][,fsync=false]
                            the folder of the state, or a file or block device; the variable TPM_PATH is used when not given.
                            Every commit is synced to disk unless fsync=false
  --vm NAME                 whose state it is, best the UUID; that of another VM is refused
  --create                  make a new TPM if the state is missing, even where one has been
  --durability none|data|full
                            what a commit waits for: nothing, the data on the disk (default), all metadata too
  --history N               keep the last N states (default 16)
  --anchor FILE|tpm:/dev/tpmrm0?index=0x01800100
                            remember the newest state in this file, on another disk, or in the host's TPM, and refuse
                            older ones
  --accept-rollback REASON  go on with an older state than the anchor knows; the reason is kept in the history
  --key file=PATH|fd=N[,format=hex|binary][,mode=aes-128-cbc|aes-256-cbc][,remove]
  --key pwdfile=PATH|pwdfd=N[,kdf=pbkdf2|sha512][,remove]
                            encrypt the state with a key or a passphrase; mode= gives the length of the key
  --key-manager ADDRESS     have the data key of the state wrapped by a key manager, instead of --key:
                            file:PATH, fd:N, credential:NAME, libvirt:NAME, tpm:... (see the guide to key managers)
                            It is asked once, before the process confines itself
  --migration-key ...       encrypt state blobs that leave by the control channel; same values as --key

Channels
  --ctrl type=unixio,path=PATH[,mode=OCTAL][,uid=U][,gid=G] | type=tcp,port=N[,bindaddr=A][,ifname=I]
         | type=unixio|tcp,fd=N (listening) | type=unixio,clientfd=N (connected)
         [,terminate]       the control channel; terminate: exit when its connection is lost
  --server type=tcp,port=N[,bindaddr=A][,ifname=I] | type=unixio,path=PATH[,mode=OCTAL][,uid=U][,gid=G]
         | fd=N (connected) [,disconnect]
                            the data channel; disconnect: close after each response
  -p, --port N              the data channel on a TCP port, closed after each response
  -f, --fd N                the data channel is this open socket
  -t, --terminate           exit when the data connection is lost

  --manage type=unixio,path=PATH[,mode=OCTAL][,uid=U][,gid=G] | fd=N (listening)
                            the management socket, for the same user and root: what runs, and new keys for the state
                            while it runs (vtpmd state rewrap, vtpmd state reseal)

Behaviour
  --flags not-need-init[,startup-clear|startup-state|startup-none][,disable-auto-shutdown]
                            start at once, send TPM2_Startup, send no TPM2_Shutdown at the end
  --locality reject-locality-4[,allow-set-locality]
  --migration incoming[,release-lock-outgoing][,blobs=vtpmd|swtpm]
                            the state comes by the control channel: take its lock late; blobs=swtpm: it leaves in
                            swtpm's format, for a destination that runs swtpm

Process
  -d, --daemon              go to the background once ready
  --pid file=PATH|fd=N      write the process id
  --log file=PATH|fd=N[,level=N][,prefix=TEXT][,truncate]
                            where messages go; level 0 is silent, 1 is usual, up to 20
  -r, --runas USER          change to this user
  -R, --chroot FOLDER       change the root to this folder first
  --seccomp action=none|log|kill
                            what happens on a system call that vtpmd does not need; default kill

Print and exit
  --print-capabilities      what this program can do, as JSON
  --print-states            the states in the folder, as JSON
  --print-info FLAGS        what the TPM is, as JSON (1 specification, 2 attributes, 4 features)
  --print-profiles          the profiles of the engine, as JSON
  -h, --help

Not supported yet: --profile, --pcap, TPM 1.2.
";

/// `vtpmd state --help`.
pub(crate) const STATE: &str = "\
Usage: vtpmd state COMMAND --tpmstate dir=FOLDER [--key ...] [--json]

  show                      whose state, how old, encrypted or not, and what the TPM has in it
  history                   the generations that are kept
  diff [--from N] [--to N]  what changed; usually between the newest two
  verify                    open every generation that is kept and check each link
  restore --generation N --reason TEXT
                            make an older state the newest one; no TPM may be running on it

  convert, export, import   copy a state: between vtpmd and swtpm, to another key, and in a file to be carried
                            elsewhere; vtpmd state export --help and so on say how
  shred                     end this state for good, after a time of grace; vtpmd state shred --help says how

New keys, while the TPM runs (--manage PATH, its management socket) or not (--tpmstate); with both, whichever is there:

  rewrap KEYS               wrap the data key of the state with another key or key manager; the data key stays
  reseal KEYS [--reason TEXT]
                            encrypt everything that is kept with a new data key

  KEYS: the present key by --key-manager ADDRESS or --key ..., the new one by --new-key-manager ADDRESS or --new-key ...;
  without a new one the present manager wraps with the key that it has now. reseal --to-plain takes the key away

  --tpmstate, --key, --key-manager, --vm, --anchor, --accept-rollback, --history, --durability
                            as for vtpmd socket; show and history do without the key
  --json                    the answer as JSON

No secret is shown: no key, no content of an NV Index but counts, no authorization.
";

/// `vtpmd state convert --help`.
pub(crate) const CONVERT: &str = "\
Usage: vtpmd state convert --from PLACE [--key KEY] --to PLACE [--new-key KEY] [--overwrite] [--json]

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
