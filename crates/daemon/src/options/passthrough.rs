//! The command line of `vtpmd passthrough`: options of its own, and those of `vtpmd socket` that are about channels and
//! the process.

use super::{Interface, Options, Program, table};
use crate::failure::{Failure, failure};
use crate::passthrough::device::Source;
use std::path::PathBuf;

/// An option of its own: name, form of the value, what it does.
type Row = (&'static str, &'static str, &'static str);

/// They are not abbreviated.
pub(crate) const TABLE: &[Row] = &[
    ("device", "PATH", "the TPM is this character device, such as /dev/tpm0"),
    ("device-fd", "N", "it is this open descriptor: a device, or a connected socket"),
    ("socket", "HOST:PORT|PATH", "it is another TPM, on this data channel"),
    ("socket-ctrl", "HOST:PORT|PATH", "its control channel: resets it with the VM, and has localities and cancel"),
    ("cancel-path", "FILE", "a file of the kernel that stops the command of the device"),
    ("policy", "FILE", "what the guest may do, as JSON; it changes the built-in table"),
    ("print-policy", "", "print the decision about each command, as a policy file, and end"),
];

/// Options of `vtpmd socket` that are known here.
const SHARED: &[&str] = &[
    "ctrl",
    "server",
    "port",
    "fd",
    "terminate",
    "locality",
    "daemon",
    "pid",
    "log",
    "runas",
    "chroot",
    "seccomp",
    "confine",
    "help",
];

/// Everything from the command line.
#[derive(Debug, Default)]
pub(crate) struct PassthroughOptions {
    /// Which TPM.
    pub(crate) source: Option<Source>,
    /// Its control channel.
    pub(crate) socket_ctrl: Option<String>,
    /// The kernel's file to cancel a command.
    pub(crate) cancel_path: Option<PathBuf>,
    /// The policy file.
    pub(crate) policy: Option<PathBuf>,
    /// Print the policy and end.
    pub(crate) print_policy: bool,
    /// The channels and the process.
    pub(crate) common: Options,
}

/// `vtpmd passthrough --help`.
pub(crate) fn help() -> String {
    let mut text = "Usage: vtpmd passthrough --device PATH|--device-fd N|--socket HOST:PORT|PATH [options]\n\n\
        One VM is given a TPM that exists already. Commands that would harm the host are not passed on.\n\n"
        .to_owned();
    for (name, argument, about) in TABLE {
        let left = format!("  --{name} {argument}");
        text.push_str(&format!("{:34}{about}\n", left.trim_end()));
    }
    text.push_str("\nAs for vtpmd socket\n");
    for row in table::TABLE.iter().filter(|row| SHARED.contains(&row.spec.long)) {
        super::help::option(&mut text, row);
    }
    text
}

impl PassthroughOptions {
    fn set(&mut self, name: &str, value: String) -> Result<(), Failure> {
        let mut source = None;
        match name {
            "device" => source = Some(Source::Path(value.into())),
            "device-fd" => {
                let number = value.parse().ok().filter(|n| *n > 2);
                let number = number.ok_or_else(|| failure!("--device-fd: '{value}' is no number above 2"))?;
                source = Some(Source::Descriptor(number));
            }
            "socket" => source = Some(Source::Socket(value)),
            "socket-ctrl" => self.socket_ctrl = Some(value),
            "cancel-path" => self.cancel_path = Some(value.into()),
            "policy" => self.policy = Some(value.into()),
            _ => self.print_policy = true,
        }
        if source.is_some() && self.source.is_some() {
            return Err(failure!("--device, --device-fd and --socket exclude each other"));
        }
        self.source = source.or(self.source.take());
        Ok(())
    }

    /// What has no meaning for a TPM whose state is not here.
    fn check(&self) -> Result<(), Failure> {
        let common = &self.common;
        let unknown = [
            ("tpmstate", common.state.is_some()),
            ("key", common.key.is_some()),
            ("migration-key", common.migration_key.is_some()),
            ("migration", common.incoming || common.release_lock_outgoing || common.swtpm_blobs),
            ("flags", common.not_need_init || common.startup.is_some() || common.disable_auto_shutdown),
            ("locality allow-set-locality", common.allow_set_locality),
            ("print-...", common.print.is_some()),
            ("manage", common.manage.is_some()),
            ("crypto", common.crypto.is_some()),
            ("profile", common.profile.is_some()),
            ("pcap", common.pcap.is_some()),
            ("vm, --create, --history and their like", common.store != super::StoreOptions::default()),
        ];
        if let Some((name, _)) = unknown.iter().find(|(_, given)| *given) {
            return Err(failure!(
                "--{name}: a TPM that is passed through keeps its own state; known besides the options of its own are --{}",
                SHARED.join(", --")
            ));
        }
        if self.socket_ctrl.is_some() && !matches!(self.source, None | Some(Source::Socket(_))) {
            return Err(failure!("--socket-ctrl belongs to --socket; a device has no control channel"));
        }
        if self.cancel_path.is_some() && self.socket_ctrl.is_some() {
            return Err(failure!("--cancel-path and --socket-ctrl exclude each other"));
        }
        Ok(())
    }

    /// Reads the words after `passthrough`.
    pub(crate) fn parse(words: &[String]) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut others = Vec::new();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (name, inline) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            let own = name.strip_prefix("--").and_then(|name| TABLE.iter().find(|(own, ..)| *own == name));
            let Some((name, argument, _)) = own else {
                others.push(word.clone());
                continue;
            };
            let value = match (argument.is_empty(), inline) {
                (true, None) => String::new(),
                (true, Some(_)) => return Err(failure!("option '--{name}' takes no value")),
                (false, inline) => inline
                    .or_else(|| words.next().cloned())
                    .filter(|value| !value.is_empty())
                    .ok_or_else(|| failure!("option '--{name}' needs a value"))?,
            };
            options.set(name, value)?;
        }
        // The environment names ports and folders of states, neither of which is meant here.
        options.common = Options::parse(Program::Vtpmd, Interface::Socket, &others, |_| None)?;
        options.check()?;
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<PassthroughOptions, Failure> {
        PassthroughOptions::parse(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn its_own_options_stand_among_those_of_the_channels() {
        let o = parse(&["--device=/dev/tpm0", "--ctrl", "type=unixio,path=/x", "--policy", "p", "-t"]).unwrap();
        assert_eq!(o.source, Some(Source::Path("/dev/tpm0".into())));
        assert!(o.common.ctrl.is_some() && o.common.terminate && o.policy.is_some());
        let o = parse(&["--socket", "localhost:2321", "--socket-ctrl", "/run/c", "--tpm2"]).unwrap();
        assert_eq!(o.source, Some(Source::Socket("localhost:2321".to_owned())));
        assert_eq!(parse(&["--device-fd", "7"]).unwrap().source, Some(Source::Descriptor(7)));
    }

    #[test]
    fn what_does_not_fit_is_refused_in_words() {
        for (words, part) in [
            (&["--device", "a", "--socket", "b"][..], "exclude each other"),
            (&["--device-fd", "1"], "above 2"),
            (&["--device"], "needs a value"),
            (&["--print-policy=1"], "takes no value"),
            (&["--device", "a", "--tpmstate", "dir=/x"], "keeps its own state"),
            (&["--device", "a", "--key", "file=/x"], "keeps its own state"),
            (&["--device", "a", "--flags", "startup-clear"], "keeps its own state"),
            (&["--device", "a", "--vm", "x"], "keeps its own state"),
            (&["--device", "a", "--socket-ctrl", "x"], "belongs to --socket"),
            (&["--strange"], "strange"),
        ] {
            let error = parse(words).unwrap_err();
            assert!(error.0.contains(part), "{words:?}: {error}");
        }
    }

    #[test]
    fn the_help_has_every_option() {
        for (name, ..) in TABLE {
            assert!(help().contains(&format!("--{name}")));
        }
    }
}
