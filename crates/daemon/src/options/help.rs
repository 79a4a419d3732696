//! The help screens.

/// `vtpmd --help`.
pub(crate) const PROGRAM: &str = "\
vtpmd: the TPM of one virtual machine. It takes swtpm's place.

Usage: vtpmd socket [options]     serve a TPM on sockets
       vtpmd socket --help        list the options
       vtpmd convert [options]    copy a state from swtpm's format or to it, or change its key
       vtpmd convert --help       list the options
       vtpmd state COMMAND        look at what is stored, go back to an older state, change its keys
       vtpmd state --help         list the commands
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
  --anchor FILE             remember the newest state in this file, on another disk, and refuse older ones
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
