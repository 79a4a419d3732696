//! The options.

use super::{Program, Spec};

const fn option(name: &'static str, values: &'static [&'static str], about: &'static str) -> Spec {
    Spec { name, values, about }
}

/// `swtpm_ioctl`.
pub const IOCTL: Program = Program {
    name: "swtpm_ioctl",
    about: "one command for a TPM daemon's control channel",
    usage: "--unix PATH|--tcp [HOST]:[PORT] COMMAND",
    options: &[
        option("unix", &["PATH"], "the control channel is this Unix socket"),
        option("tcp", &["[HOST]:[PORT]"], "it is this TCP port; without a host 127.0.0.1, without a port 6545"),
        option(
            "tpm-device",
            &["DEVICE"],
            "a character device of swtpm's CUSE kind; refused, as its ioctls are not supported",
        ),
        option("c", &[], "print what the daemon can do, as bits"),
        option("i", &[], "power the TPM on, or off and on; a stored volatile state is continued and then deleted"),
        option("stop", &[], "power the TPM off"),
        option("s", &[], "power the TPM off and end the daemon"),
        option("e", &[], "print the tpmEstablished bit"),
        option("r", &["LOCALITY"], "clear the tpmEstablished bit from this locality (0 to 4)"),
        option("v", &[], "store the volatile state"),
        option("C", &[], "cancel the TPM command that runs"),
        option("l", &["LOCALITY"], "set the locality of the next TPM commands (0 to 4)"),
        option(
            "h",
            &["DATA"],
            "extend a PCR with the hash of these data, as the firmware's hash interface does; - reads standard input",
        ),
        option("save", &["TYPE", "FILE"], "write a state blob to a file; TYPE is permanent, volatile or savestate"),
        option("load", &["TYPE", "FILE"], "give a state blob of a file to a TPM that is off; then power it on with -i"),
        option("g", &[], "print which keys the daemon has, as bits: 1 state key, 2 migration key"),
        option(
            "b",
            &["SIZE"],
            "set the size of the command buffer while the TPM is off, and print the limits; 0 only prints",
        ),
        option(
            "info",
            &["FLAGS"],
            "print facts about the TPM as JSON; FLAGS is a sum of 1 specification, 2 attributes, 4 features, 8 algorithms, 0x10 commands, 0x20 active profile, 0x40 available profiles, 0x80 attributes of the profile",
        ),
        option(
            "lock-storage",
            &["RETRIES"],
            "have the daemon take the lock of its storage again, with as many retries 10 ms apart",
        ),
        option("version", &[], "print the version"),
        option("help", &[], "print this text"),
    ],
    notes: "The exit status is 0 when the command was executed, else 1; the reason is printed to standard error. The state blobs that --save writes hold the TPM's secrets; the file is made for its owner alone.",
};

/// `swtpm_bios`.
pub const BIOS: Program = Program {
    name: "swtpm_bios",
    about: "the commands that firmware sends to a TPM when a machine starts",
    usage: "[--unix PATH|--tcp [HOST]:[PORT]|--tpm-device DEVICE] [OPTION...]",
    options: &[
        option(
            "tpm-device",
            &["DEVICE"],
            "the TPM is this character device; the default is the environment's TPM_DEVICE, or /dev/tpm0",
        ),
        option(
            "tcp",
            &["[HOST]:[PORT]"],
            "the TPM's data channel is this TCP port; without a host 127.0.0.1, without a port 6545",
        ),
        option("unix", &["PATH"], "the TPM's data channel is this Unix socket"),
        option("tpm2", &[], "it is a TPM 2.0; else TPM 1.2"),
        option("c", &[], "Startup(CLEAR); the default"),
        option("s", &[], "Startup(STATE)"),
        option("d", &[], "Startup(DEACTIVATED) and nothing else; a TPM 2.0 gets no Startup"),
        option("n", &[], "no Startup"),
        option("o", &[], "only Startup: leave out physical presence, enabling and activating"),
        option("cs", &[], "continue the self test (TPM 2.0: IncrementalSelfTest of SHA-1)"),
        option("ea", &[], "make sure that a TPM 1.2 is activated; if it needs a reset for that, end with 129"),
        option("u", &[], "give up physical presence; the platform hierarchy of a TPM 2.0 gets a random authorization"),
        option("v", &[], "print the version"),
        option("h", &[], "print this text"),
    ],
    notes: "Of -c, -s, -d and -n the last one counts. Instead of --tcp the environment may have TCSD_USE_TCP_DEVICE, with TCSD_TCP_DEVICE_HOSTNAME (localhost) and TCSD_TCP_DEVICE_PORT (6545). The exit status is 0 when all commands succeeded, 128 when the TPM answered one with an error, 129 when it needs a reset, 255 when it cannot be reached, and 1 for a wrong option.",
};
