//! The options of `vtpmd socket` and `vtpmd chardev`, once, as data: the command line is split by this table, and the help
//! screens, man pages and completions are made of it.

use super::getopt::Spec;

/// A heading of the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Which TPM, and where its state is.
    Tpm,
    /// Sockets and devices.
    Channels,
    /// What the TPM does by itself.
    Behaviour,
    /// What the process does.
    Process,
    /// Print something and end.
    Print,
}

impl Group {
    /// All, in the order of the help.
    pub(crate) const ALL: [Self; 5] = [Self::Tpm, Self::Channels, Self::Behaviour, Self::Process, Self::Print];

    /// The heading.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Tpm => "Which TPM",
            Self::Channels => "Channels",
            Self::Behaviour => "Behaviour",
            Self::Process => "Process",
            Self::Print => "Print and exit",
        }
    }
}

/// What the program serves the TPM on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Interface {
    /// `vtpmd socket`.
    #[default]
    Socket,
    /// `vtpmd chardev`.
    Chardev,
}

/// Where an option is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// With both interfaces.
    Both,
    /// With sockets only.
    Socket,
    /// With character devices only.
    Chardev,
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// How it is split off the command line.
    pub(crate) spec: Spec,
    /// What its value looks like, one form a line.
    pub(crate) argument: &'static str,
    /// Where it is known.
    pub(crate) on: On,
    /// Its heading.
    pub(crate) group: Group,
    /// What it does, one line of the help each.
    pub(crate) help: &'static str,
}

impl Row {
    /// True if the interface has it.
    pub(crate) fn is_on(&self, interface: Interface) -> bool {
        match self.on {
            On::Both => true,
            On::Socket => interface == Interface::Socket,
            On::Chardev => interface == Interface::Chardev,
        }
    }
}

const fn row(long: &'static str, argument: &'static str, group: Group, help: &'static str) -> Row {
    let spec = Spec { long, short: None, value: !argument.is_empty(), ours: false };
    Row { spec, argument, on: On::Both, group, help }
}

const fn short(letter: char, row: Row) -> Row {
    Row { spec: Spec { short: Some(letter), ..row.spec }, ..row }
}

const fn on(on: On, row: Row) -> Row {
    Row { on, ..row }
}

/// An option that swtpm does not have. An abbreviation means one of swtpm's if it can.
const fn ours(row: Row) -> Row {
    Row { spec: Spec { ours: true, ..row.spec }, ..row }
}

use Group::{Behaviour, Channels, Print, Process, Tpm};

/// All options, in the order of the help.
pub(crate) const TABLE: &[Row] = &[
    row("tpm2", "", Tpm, "TPM 2.0; it must be given, as TPM 1.2 is not supported yet"),
    row(
        "tpmstate",
        "dir=FOLDER|backend-uri=dir://FOLDER|file://FILE[,mode=OCTAL][,lock[=false]][,backup][,fsync[=false]]",
        Tpm,
        "the folder of the state, or a file or block device; the variable TPM_PATH is used when not given.\n\
         Every commit is synced to disk unless fsync=false; backup: keep the state before the last\n\
         change in a file beside it (swtpm's format in a folder only)",
    ),
    ours(row(
        "state-format",
        "vtpmd|swtpm",
        Tpm,
        "the format of the state; the usual one is that of the name by which the program is called",
    )),
    ours(row("vm", "NAME", Tpm, "whose state it is, best the UUID; that of another VM is refused")),
    ours(row("create", "", Tpm, "make a new TPM if the state is missing, even where one has been")),
    ours(row(
        "durability",
        "none|data|full",
        Tpm,
        "what a commit waits for: nothing, the data on the disk (default), all metadata too",
    )),
    ours(row("history", "N", Tpm, "keep the last N states (default 16)")),
    ours(row(
        "anchor",
        "FILE|tpm:/dev/tpmrm0?index=0x01800100",
        Tpm,
        "remember the newest state in this file, on another disk, or in the host's TPM, and refuse older ones",
    )),
    ours(row(
        "accept-rollback",
        "REASON",
        Tpm,
        "go on with an older state than the anchor knows; the reason is kept in the history",
    )),
    row(
        "key",
        "file=PATH|fd=N[,format=hex|binary][,mode=aes-128-cbc|aes-256-cbc][,remove]\n\
         pwdfile=PATH|pwdfd=N[,kdf=pbkdf2|sha512][,mode=aes-128-cbc|aes-256-cbc][,remove]",
        Tpm,
        "encrypt the state with a key or a passphrase; mode= gives the length of the key",
    ),
    ours(row(
        "key-manager",
        "ADDRESS",
        Tpm,
        "have the data key of the state wrapped by a key manager, instead of --key:\n\
         file:PATH, fd:N, credential:NAME, libvirt:NAME, tpm:... (see the guide to key managers).\n\
         It is asked once, before the process confines itself",
    )),
    row("migration-key", "as --key", Tpm, "encrypt state blobs that leave by the control channel"),
    row(
        "profile",
        "name=NAME|profile=JSON|file=PATH|fd=N[,remove-disabled=check|fips-host]",
        Tpm,
        "what a new TPM can do: null, default-v1, default-v2, custom, custom:NAME with algorithms, commands\n\
         and attributes of one's own; remove-disabled: custom without what FIPS mode forbids",
    ),
    row(
        "ctrl",
        "type=unixio,path=PATH[,mode=OCTAL][,uid=U][,gid=G][,terminate]\n\
         type=tcp,port=N[,bindaddr=ADDRESS][,ifname=INTERFACE][,terminate]\n\
         type=unixio|tcp,fd=N[,terminate]\n\
         type=unixio,clientfd=N[,terminate]",
        Channels,
        "the control channel; fd= is a socket that listens, clientfd= one that is connected;\n\
         terminate: exit when its connection is lost. Under systemd's socket activation it may be left out",
    ),
    on(
        On::Socket,
        row(
            "server",
            "type=tcp,port=N[,bindaddr=ADDRESS][,ifname=INTERFACE][,disconnect]\n\
             type=unixio,path=PATH[,mode=OCTAL][,uid=U][,gid=G][,disconnect]\n\
             fd=N[,disconnect]",
            Channels,
            "the data channel; fd= is a connected socket; disconnect: close after each response",
        ),
    ),
    on(
        On::Socket,
        short('p', row("port", "N", Channels, "the data channel on a TCP port, closed after each response")),
    ),
    on(On::Chardev, short('c', row("chardev", "PATH", Channels, "the data channel is this character device"))),
    on(
        On::Chardev,
        row(
            "vtpm-proxy",
            "",
            Channels,
            "make a TPM device of this host with /dev/vtpmx and serve it; its name is printed",
        ),
    ),
    ours(row(
        "manage",
        "type=unixio,path=PATH[,mode=OCTAL][,uid=U][,gid=G]\n\
         fd=N",
        Channels,
        "the management socket, for the same user and root: what runs, and new keys for the state\n\
         while it runs (vtpmd state rewrap, vtpmd state reseal); fd= is a socket that listens",
    )),
    short('f', row("fd", "N", Channels, "the data channel is this open socket or device")),
    on(On::Socket, short('t', row("terminate", "", Channels, "exit when the data connection is lost"))),
    row(
        "flags",
        "[not-need-init][,startup-clear|startup-state|startup-deactivated|startup-none][,disable-auto-shutdown]",
        Behaviour,
        "start at once, send TPM2_Startup, send no TPM2_Shutdown at the end",
    ),
    row(
        "locality",
        "[reject-locality-4][,allow-set-locality]",
        Behaviour,
        "refuse locality 4; accept the command SetLocality on the data channel",
    ),
    row(
        "migration",
        "[incoming][,release-lock-outgoing][,blobs=vtpmd|swtpm]",
        Behaviour,
        "the state comes by the control channel: take its lock late; blobs=swtpm: it leaves in\n\
         swtpm's format, for a destination that runs swtpm",
    ),
    short('d', row("daemon", "", Process, "go to the background once ready")),
    row("pid", "file=PATH|fd=N", Process, "write the process id"),
    row(
        "log",
        "file=PATH|fd=N[,level=N][,prefix=TEXT][,truncate]",
        Process,
        "where messages go; level 0 is silent, 1 is usual, up to 20; file=- is silent too",
    ),
    row(
        "pcap",
        "file=PATH|fd=N[,truncate][,mode=OCTAL][,checksums]",
        Process,
        "write commands and responses to a capture that Wireshark reads",
    ),
    short('r', row("runas", "USER", Process, "change to this user")),
    short('R', row("chroot", "FOLDER", Process, "change the root to this folder first")),
    row(
        "seccomp",
        "action=none|log|kill",
        Process,
        "what happens on a system call that vtpmd does not need; default kill",
    ),
    ours(row(
        "confine",
        "full|none",
        Process,
        "after the start give up capabilities, other files and connections;\nfull is the default of vtpmd, none that of swtpm",
    )),
    ours(row("crypto", "native|rust", Process, "the cryptographic library")),
    row("print-capabilities", "", Print, "what this program can do, as JSON"),
    row("print-states", "", Print, "the states that are stored, as JSON"),
    row("print-profiles", "", Print, "the profiles of the engine, as JSON"),
    row(
        "print-info",
        "FLAGS",
        Print,
        "what the TPM is, as JSON (1 specification, 2 attributes, 4 features, 8 algorithms, 0x10 commands,\n\
         0x20 profile in use, 0x40 profiles, 0x80 attributes); with --tpmstate of that TPM",
    ),
    short('h', row("help", "", Print, "this help")),
];

/// The options of an interface, for splitting the command line.
pub(crate) fn specs(interface: Interface) -> Vec<Spec> {
    TABLE.iter().filter(|row| row.is_on(interface)).map(|row| row.spec).collect()
}
