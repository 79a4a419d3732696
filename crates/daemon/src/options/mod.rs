//! The command line of `vtpmd socket`, with swtpm's options and swtpm's meaning.
//!
//! It is read by hand: swtpm's own grammar (GNU prefixes, values of comma-separated suboptions, JSON with commas in
//! them, `fd=` and `path=` in one value) is what VM managers rely on, and no command-line library speaks it.

mod channels;
pub(crate) mod convert;
pub(crate) mod generations;
mod getopt;
pub(crate) mod help;
mod manage;
pub(crate) mod passthrough;
mod profile;
pub(crate) mod rotate;
pub(crate) mod shred;
pub(crate) mod state_commands;
mod store;
mod suboptions;
pub(crate) mod table;

use crate::failure::{Failure, failure};
pub(crate) use channels::{ControlChannel, DataChannel, Endpoint};
use channels::{ctrl, server, socket_descriptor};
use getopt::Spec;
pub(crate) use profile::{ProfileOption, ProfileSource, RemoveDisabled};
use std::path::PathBuf;
pub(crate) use store::{StateFormat, StoreOptions};
use suboptions::Suboptions;
pub(crate) use table::Interface;

/// Where a key or passphrase is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file.
    File(PathBuf),
    /// An open descriptor.
    Descriptor(i32),
}

/// How a passphrase becomes a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PassphraseKdf {
    /// Slow and salted.
    Pbkdf2,
    /// One pass of SHA-512, for passphrases that are random already.
    Sha512,
}

/// What the source holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// A key in hexadecimal digits.
    Hex,
    /// A key as bytes.
    Binary,
    /// A passphrase.
    Passphrase(PassphraseKdf),
}

/// `--key` and `--migration-key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyOption {
    /// Where from.
    pub(crate) source: Source,
    /// What it is.
    pub(crate) kind: KeyKind,
    /// Bytes that a key must have (by `mode=`).
    pub(crate) length: usize,
    /// Unlink the file after reading.
    pub(crate) remove: bool,
}

/// `--tpmstate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StateOption {
    /// The folder, or the file or device.
    pub(crate) dir: PathBuf,
    /// `backend-uri=file://`: everything is in one file or block device.
    pub(crate) single: bool,
    /// Permission bits of state files; the umask applies when not given.
    pub(crate) mode: Option<u32>,
    /// Take the lock.
    pub(crate) lock: bool,
    /// Sync every commit (the default).
    pub(crate) fsync: bool,
    /// Keep what the state was before the last change.
    pub(crate) backup: bool,
}

impl StateOption {
    /// A folder, with everything else as usual.
    pub(crate) fn folder(dir: PathBuf) -> Self {
        Self { dir, single: false, mode: None, lock: true, fsync: true, backup: false }
    }
}

/// `--log`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogOption {
    /// A file to append to, `-` for none.
    pub(crate) file: Option<PathBuf>,
    /// An open descriptor.
    pub(crate) fd: Option<i32>,
    /// 0 is silent; messages of a deeper level need a higher number.
    pub(crate) level: u32,
    /// Text before each line.
    pub(crate) prefix: Option<String>,
    /// Empty the file first.
    pub(crate) truncate: bool,
}

/// The Startup that the daemon sends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AutoStartup {
    /// TPM2_Startup(CLEAR).
    Clear,
    /// TPM2_Startup(STATE).
    State,
}

/// What the seccomp filter does with a system call that it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeccompAction {
    /// No filter.
    None,
    /// The kernel logs it.
    Log,
    /// The process ends.
    Kill,
}

/// Something to print instead of running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Print {
    /// The capability list.
    Capabilities,
    /// The states in the folder.
    States,
    /// The profiles of the engine.
    Profiles,
    /// What GET_INFO answers for these flags.
    Info(u64),
}

/// `--pcap`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PcapOption {
    /// Where to.
    pub(crate) to: Source,
    /// Empty the file first.
    pub(crate) truncate: bool,
    /// Permission bits of a file that is made.
    pub(crate) mode: Option<u32>,
    /// Calculate the checksums of IP and TCP.
    pub(crate) checksums: bool,
}

/// The name by which the program was called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Program {
    /// vtpmd: its own format of states, and its own names.
    #[default]
    Vtpmd,
    /// swtpm, by a link or a copy: swtpm's format, and swtpm's names.
    Swtpm,
}

/// Everything from the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// The name by which the program was called.
    pub(crate) program: Program,
    /// Sockets or a character device.
    pub(crate) interface: Interface,
    /// The profile of a new TPM.
    pub(crate) profile: Option<ProfileOption>,
    /// Where commands and responses are captured.
    pub(crate) pcap: Option<PcapOption>,
    /// The data channel.
    pub(crate) server: Option<DataChannel>,
    /// The control channel.
    pub(crate) ctrl: Option<ControlChannel>,
    /// The management socket.
    pub(crate) manage: Option<Endpoint>,
    /// The state.
    pub(crate) state: Option<StateOption>,
    /// How it is kept.
    pub(crate) store: StoreOptions,
    /// The state key.
    pub(crate) key: Option<KeyOption>,
    /// The migration key.
    pub(crate) migration_key: Option<KeyOption>,
    /// The log.
    pub(crate) log: Option<LogOption>,
    /// The pid file.
    pub(crate) pid: Option<Source>,
    /// Refuse locality 4 on the control channel.
    pub(crate) reject_locality_4: bool,
    /// Accept the SET_LOCALITY command on the data channel.
    pub(crate) allow_set_locality: bool,
    /// Change to this user.
    pub(crate) runas: Option<String>,
    /// Change the root to this folder.
    pub(crate) chroot: Option<PathBuf>,
    /// TPM 2.0 was asked for.
    pub(crate) tpm2: bool,
    /// The seccomp filter.
    pub(crate) seccomp: Option<SeccompAction>,
    /// Give up privileges and files after the start; by default under vtpmd's own name.
    pub(crate) confine: Option<bool>,
    /// Start without CMD_INIT.
    pub(crate) not_need_init: bool,
    /// Send Startup at the start.
    pub(crate) startup: Option<AutoStartup>,
    /// Send no Shutdown at the end.
    pub(crate) disable_auto_shutdown: bool,
    /// The state comes by migration: lock late.
    pub(crate) incoming: bool,
    /// Accepted: the lock is released after an outgoing migration either way.
    pub(crate) release_lock_outgoing: bool,
    /// State blobs leave in swtpm's format.
    pub(crate) swtpm_blobs: bool,
    /// Exit when the data connection is lost.
    pub(crate) terminate: bool,
    /// Run in the background.
    pub(crate) daemon: bool,
    /// The crypto provider, `native` or `rust`.
    pub(crate) crypto: Option<String>,
    /// Print and exit.
    pub(crate) print: Option<Print>,
    /// `--help`.
    pub(crate) help: bool,
}

const fn option(long: &'static str, short: Option<char>, value: bool) -> Spec {
    Spec { long, short, value, ours: false }
}

fn number(option: &str, text: &str) -> Result<u64, Failure> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| failure!("--{option}: '{text}' is not a number"))
}

fn key(option: &'static str, text: &str) -> Result<KeyOption, Failure> {
    let mut s = Suboptions::parse(option, text)?;
    let sources = (s.path("file")?, s.descriptor("fd")?, s.path("pwdfile")?, s.descriptor("pwdfd")?);
    let length = match s.text("mode")?.as_deref() {
        None | Some("aes-cbc" | "aes-128-cbc") => 16,
        Some("aes-256-cbc") => 32,
        Some(other) => {
            return Err(failure!(
                "--{option}: mode '{other}' is unknown; aes-cbc, aes-128-cbc and aes-256-cbc are known"
            ));
        }
    };
    let key = match s.text("format")?.as_deref() {
        None | Some("hex") => KeyKind::Hex,
        Some("binary") => KeyKind::Binary,
        Some(other) => return Err(failure!("--{option}: format '{other}' is unknown; hex and binary are known")),
    };
    let passphrase = KeyKind::Passphrase(match s.text("kdf")?.as_deref() {
        None | Some("pbkdf2") => PassphraseKdf::Pbkdf2,
        Some("sha512") => PassphraseKdf::Sha512,
        Some(other) => return Err(failure!("--{option}: kdf '{other}' is unknown; pbkdf2 and sha512 are known")),
    });
    let remove = s.switch("remove").unwrap_or(false);
    s.finish()?;
    let (source, kind) = match sources {
        (Some(file), None, None, None) => (Source::File(file), key),
        (None, Some(fd), None, None) => (Source::Descriptor(fd), key),
        (None, None, Some(file), None) => (Source::File(file), passphrase),
        (None, None, None, Some(fd)) => (Source::Descriptor(fd), passphrase),
        _ => return Err(failure!("--{option} needs exactly one of file=, fd=, pwdfile= and pwdfd=")),
    };
    Ok(KeyOption { source, kind, length, remove })
}

fn log(text: &str) -> Result<LogOption, Failure> {
    let mut s = Suboptions::parse("log", text)?;
    let option = LogOption {
        file: s.path("file")?,
        fd: s.descriptor("fd")?,
        level: s.number("level")?.unwrap_or(1),
        prefix: s.text_or_empty("prefix"),
        truncate: s.switch("truncate").unwrap_or(false),
    };
    s.finish()?;
    if option.file.is_some() && option.fd.is_some() {
        return Err(failure!("--log: file= and fd= exclude each other"));
    }
    Ok(option)
}

fn pid(text: &str) -> Result<Source, Failure> {
    let mut s = Suboptions::parse("pid", text)?;
    let sources = (s.path("file")?, s.descriptor("fd")?);
    s.finish()?;
    match sources {
        (Some(file), None) => Ok(Source::File(file)),
        (None, Some(fd)) => Ok(Source::Descriptor(fd)),
        _ => Err(failure!("--pid needs file= or fd=")),
    }
}

fn pcap(text: &str) -> Result<PcapOption, Failure> {
    let mut s = Suboptions::parse("pcap", text)?;
    let to = match (s.path("file")?, s.descriptor("fd")?) {
        (Some(file), None) => Source::File(file),
        (None, Some(fd)) => Source::Descriptor(fd),
        _ => return Err(failure!("--pcap needs file= or fd=")),
    };
    let option = PcapOption {
        to,
        truncate: s.switch("truncate").unwrap_or(false),
        mode: s.mode("mode")?,
        checksums: s.switch("checksums").unwrap_or(false),
    };
    s.finish()?;
    Ok(option)
}

/// The control channel's socket that systemd opened, if it started this process for it.
fn activated(env: &dyn Fn(&str) -> Option<String>) -> Option<ControlChannel> {
    let number = |name: &str| env(name)?.parse::<u32>().ok();
    if number("LISTEN_PID")? != std::process::id() || number("LISTEN_FDS")? == 0 {
        return None;
    }
    // Descriptors begin at 3; where they have names, it is the one with this name.
    let names = env("LISTEN_FDNAMES").unwrap_or_default();
    let place = names.split(':').position(|name| name == "ctrl").unwrap_or(0);
    let endpoint = Endpoint::Listening(i32::try_from(place).ok()?.checked_add(3)?);
    Some(ControlChannel { endpoint, terminate: false })
}

fn state(text: &str) -> Result<StateOption, Failure> {
    let mut s = Suboptions::parse("tpmstate", text)?;
    let (dir, single) = match (s.path("dir")?, s.text("backend-uri")?) {
        (Some(_), Some(_)) => return Err(failure!("--tpmstate: dir= and backend-uri= exclude each other")),
        (Some(dir), None) => (dir, false),
        (None, Some(uri)) => match (uri.strip_prefix("dir://"), uri.strip_prefix("file://")) {
            (Some(dir), _) if !dir.is_empty() => (PathBuf::from(dir), false),
            (_, Some(file)) if !file.is_empty() => (PathBuf::from(file), true),
            _ => {
                return Err(failure!(
                    "--tpmstate: backend-uri '{uri}' is unknown; dir://FOLDER and file://FILE-OR-DEVICE are known"
                ));
            }
        },
        (None, None) => {
            return Err(failure!("--tpmstate needs dir=FOLDER, backend-uri=dir://FOLDER or backend-uri=file://FILE"));
        }
    };
    let option = StateOption {
        dir,
        single,
        mode: s.mode("mode")?,
        lock: s.switch("lock").unwrap_or(true),
        fsync: s.switch("fsync").unwrap_or(true),
        backup: s.switch("backup").unwrap_or(false),
    };
    s.finish()?;
    if option.backup && option.single {
        return Err(failure!("--tpmstate: 'backup' is for folders, not for a single file or device"));
    }
    Ok(option)
}

impl Options {
    fn flags(&mut self, text: &str) -> Result<(), Failure> {
        let mut s = Suboptions::parse("flags", text)?;
        self.not_need_init = s.switch("not-need-init").unwrap_or(false);
        self.disable_auto_shutdown = s.switch("disable-auto-shutdown").unwrap_or(false);
        let [clear, state, deactivated, none] =
            ["startup-clear", "startup-state", "startup-deactivated", "startup-none"]
                .map(|name| s.switch(name).unwrap_or(false));
        if deactivated {
            return Err(failure!("--flags: startup-deactivated is for TPM 1.2, which is not supported yet"));
        }
        if [clear, state, none].into_iter().filter(|given| *given).count() > 1 {
            return Err(failure!("--flags: only one startup-... may be given"));
        }
        self.startup = if clear {
            Some(AutoStartup::Clear)
        } else if state {
            Some(AutoStartup::State)
        } else {
            None
        };
        self.not_need_init |= clear || state || none;
        s.finish()
    }

    /// The format of the state at rest.
    pub(crate) fn state_format(&self) -> StateFormat {
        self.store.format.unwrap_or(match self.program {
            Program::Vtpmd => StateFormat::Vtpmd,
            Program::Swtpm => StateFormat::Swtpm,
        })
    }

    fn set(&mut self, name: &str, value: &str, env_port: &mut Option<String>) -> Result<(), Failure> {
        if self.store.set(name, value)? {
            return Ok(());
        }
        match name {
            "daemon" => self.daemon = true,
            "help" => self.help = true,
            "port" => {
                let port = number("port", value)?;
                let port = u16::try_from(port).map_err(|_| failure!("--port: {port} is beyond 65535"))?;
                // A later --server without a port uses this one.
                *env_port = Some(port.to_string());
                self.server = Some(DataChannel {
                    endpoint: Endpoint::Tcp { port, address: "127.0.0.1".to_owned(), interface: None },
                    disconnect: true,
                });
            }
            "fd" => {
                let fd = value.parse().map_err(|_| failure!("--fd: '{value}' is not a file descriptor number"))?;
                let endpoint = Endpoint::Connected(socket_descriptor("fd", fd)?);
                self.server = Some(DataChannel { endpoint, disconnect: false });
            }
            "server" => self.server = Some(server(value, env_port.as_deref())?),
            "chardev" if value.is_empty() => return Err(failure!("--chardev needs the path of a character device")),
            "chardev" => {
                self.server = Some(DataChannel { endpoint: Endpoint::Device(value.into()), disconnect: false });
            }
            "vtpm-proxy" => {
                self.server = Some(DataChannel { endpoint: Endpoint::Proxy, disconnect: false });
            }
            "runas" => self.runas = Some(value.to_owned()),
            "chroot" => self.chroot = Some(PathBuf::from(value)),
            "terminate" => self.terminate = true,
            "locality" => {
                let mut s = Suboptions::parse("locality", value)?;
                self.reject_locality_4 = s.switch("reject-locality-4").unwrap_or(false);
                self.allow_set_locality = s.switch("allow-set-locality").unwrap_or(false);
                s.finish()?;
            }
            "log" => self.log = Some(log(value)?),
            "key" => self.key = Some(key("key", value)?),
            "migration-key" => self.migration_key = Some(key("migration-key", value)?),
            "pid" => self.pid = Some(pid(value)?),
            "tpmstate" => self.state = Some(state(value)?),
            "ctrl" => self.ctrl = Some(ctrl(value)?),
            "manage" => self.manage = Some(manage::manage(value)?),
            "flags" => self.flags(value)?,
            "tpm2" => self.tpm2 = true,
            "seccomp" => {
                let mut s = Suboptions::parse("seccomp", value)?;
                self.seccomp = Some(match s.text("action")?.as_deref() {
                    Some("none") => SeccompAction::None,
                    Some("log") => SeccompAction::Log,
                    Some("kill") => SeccompAction::Kill,
                    _ => return Err(failure!("--seccomp needs action=none, action=log or action=kill")),
                });
                s.finish()?;
            }
            "confine" => {
                self.confine = Some(match value {
                    "full" => true,
                    "none" => false,
                    _ => return Err(failure!("--confine: '{value}' is unknown; full and none are known")),
                });
            }
            "migration" => {
                let mut s = Suboptions::parse("migration", value)?;
                self.incoming = s.switch("incoming").unwrap_or(false);
                self.release_lock_outgoing = s.switch("release-lock-outgoing").unwrap_or(false);
                self.swtpm_blobs = match s.text("blobs")?.as_deref() {
                    None | Some("vtpmd") => false,
                    Some("swtpm") => true,
                    Some(other) => {
                        return Err(failure!("--migration: blobs '{other}' are unknown; vtpmd and swtpm are known"));
                    }
                };
                s.finish()?;
            }
            "print-capabilities" => self.print = Some(Print::Capabilities),
            "print-states" => self.print = Some(Print::States),
            "print-profiles" => self.print = Some(Print::Profiles),
            "print-info" => self.print = Some(Print::Info(number("print-info", value)?)),
            "profile" => self.profile = Some(profile::profile(value)?),
            "pcap" => self.pcap = Some(pcap(value)?),
            "crypto" => self.crypto = Some(value.to_owned()),
            other => return Err(failure!("unknown option '--{other}'; see --help")),
        }
        Ok(())
    }

    /// Reads the words after `socket` or `chardev`. `env` gives environment variables (`TPM_PORT`, `TPM_PATH`).
    pub(crate) fn parse(
        program: Program,
        interface: Interface,
        args: &[String],
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let mut options = Self { program, interface, ..Self::default() };
        let mut env_port = env("TPM_PORT");
        for found in getopt::parse(&table::specs(interface), args)? {
            options.set(found.long, &found.value, &mut env_port)?;
        }
        if matches!(&options.server, Some(DataChannel { endpoint: Endpoint::Proxy, .. })) {
            // The kernel's driver sends commands at once, and its localities by a command.
            options.allow_set_locality = true;
            options.not_need_init = true;
            options.startup.get_or_insert(AutoStartup::Clear);
        }
        if options.ctrl.is_none() {
            options.ctrl = activated(&env);
        }
        let is_swtpm = options.state_format() == StateFormat::Swtpm;
        if options.state.as_ref().is_some_and(|state| state.backup) && !is_swtpm {
            return Err(failure!(
                "--tpmstate: 'backup' is for swtpm's format; vtpmd's own keeps older generations anyway"
            ));
        }
        if let (None, Some(dir)) = (&options.state, env("TPM_PATH").filter(|d| !d.is_empty())) {
            options.state = Some(StateOption::folder(PathBuf::from(dir)));
        }
        if matches!(&options.server, Some(DataChannel { endpoint: Endpoint::Connected(_), .. })) {
            options.terminate = true;
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests;
