//! What the process gives up once it has all that it needs: privileges, core dumps, and with Landlock every file but its
//! own. The filter of system calls is beside this, in `seccomp`.
//!
//! Somebody who takes over this process by a flaw in the engine finds no other VM's state to read, no program to start
//! and nobody to connect to.

mod landlock;

use crate::failure::{Failure, failure};
use crate::log::say;
use crate::options::{Endpoint, Options, Program, SeccompAction, Source, StateFormat};
use crate::profile::FIPS_MODE;
use crate::served::Needs;
pub(crate) use landlock::{Enforced, Reach};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Open files that are enough: channels, the state with its lock and its folder, a log, and descriptors that clients
/// send along.
const OPEN_FILES: u64 = 128;
/// The last capability that kernels know, and some more.
const CAPABILITIES: u32 = 63;

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn socket(endpoint: Option<&Endpoint>) -> Option<PathBuf> {
    match endpoint {
        Some(Endpoint::Path { path, .. }) => Some(folder_of(path)),
        _ => None,
    }
}

/// The folder of an anchor that is a file.
fn anchor_folder(options: &Options) -> Option<PathBuf> {
    let text = options.store.anchor.as_deref().filter(|text| !text.starts_with("tpm:"))?;
    Some(folder_of(Path::new(text)))
}

/// A key manager is asked, now or by the management socket.
fn uses_keys(options: &Options) -> bool {
    options.manage.is_some() || options.store.key_manager.is_some()
}

fn uses_tpm(options: &Options) -> bool {
    uses_keys(options) || options.store.anchor.as_deref().is_some_and(|text| text.starts_with("tpm:"))
}

/// The files that the options need after the start.
fn reach(options: &Options) -> Reach {
    let mut reach = Reach::default();
    if let Some(state) = &options.state {
        if !state.single {
            reach.own.push(state.dir.clone());
        } else if options.state_format() == StateFormat::Swtpm {
            // It is written anew beside the old one, which is then replaced.
            reach.own.push(folder_of(&state.dir));
        }
        if state.single {
            reach.change.push(state.dir.clone());
        }
    }
    reach.own.extend(anchor_folder(options));
    reach.change.push("/dev/null".into());
    // A profile may depend on it, at the first INIT.
    reach.read.push(FIPS_MODE.into());
    reach.remove.extend(socket(options.ctrl.as_ref().map(|ctrl| &ctrl.endpoint)));
    reach.remove.extend(socket(options.server.as_ref().map(|server| &server.endpoint)));
    reach.remove.extend(socket(options.manage.as_ref()));
    if let Some(Source::File(path)) = &options.pid {
        reach.remove.push(folder_of(path));
    }
    if uses_keys(options) {
        // Key managers read key files whenever a key is needed or changed.
        reach.read.push("/".into());
        reach.any_connection = true;
    }
    // The host's TPM, as a key manager or as an anchor.
    reach.change.extend(["/dev/tpm0", "/dev/tpmrm0"].map(PathBuf::from).into_iter().filter(|_| uses_tpm(options)));
    reach
}

/// Limits of resources, for all threads.
fn limits() -> Result<(), Failure> {
    let failed = |what: &str, e| failure!("--confine: cannot limit {what}: {e}");
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(Resource::Core, none).map_err(|e| failed("core dumps", e))?;
    let now = rustix::process::getrlimit(Resource::Nofile);
    let few = |limit: Option<u64>| Some(limit.unwrap_or(OPEN_FILES).min(OPEN_FILES));
    let files = Rlimit { current: few(now.current), maximum: few(now.maximum) };
    rustix::process::setrlimit(Resource::Nofile, files).map_err(|e| failed("open files", e))
}

/// The capabilities without which what goes on would fail.
fn needed(reach: &Reach) -> CapabilitySet {
    let mut needed = CapabilitySet::empty();
    let foreign = |path: &PathBuf| std::fs::metadata(path).is_ok_and(|about| about.uid() != 0);
    if rustix::process::geteuid().is_root() && reach.own.iter().chain(&reach.change).chain(&reach.remove).any(foreign) {
        // Root on files of another user, as with a state that was made with --runas.
        needed |= CapabilitySet::DAC_OVERRIDE | CapabilitySet::FOWNER;
    }
    if rustix::process::getrlimit(Resource::Memlock).maximum.is_some() {
        // Memory may be locked by this right alone; without it, new memory and threads would be refused.
        needed |= CapabilitySet::IPC_LOCK;
    }
    needed
}

/// Gives up all capabilities of this thread and of those that it starts, but for these.
fn capabilities(keep: CapabilitySet) -> Result<(), Failure> {
    let failed = |e| failure!("--confine: cannot give up capabilities: {e}");
    // Raising ambient ones again is not possible after this; an old kernel has none.
    let _ = rustix::thread::clear_ambient_capability_set();
    if rustix::process::geteuid().is_root() {
        for number in 0..=CAPABILITIES {
            let one = CapabilitySet::from_bits_retain(1_u64 << number);
            if keep.contains(one) {
                continue;
            }
            // Containers may not allow it: what counts is below.
            if rustix::thread::remove_capability_from_bounding_set(one) == Err(Errno::INVAL) {
                // The kernel knows no more of them.
                break;
            }
        }
    }
    let held = rustix::thread::capabilities(None).map_err(failed)?;
    let sets = CapabilitySets {
        effective: held.effective & keep,
        permitted: held.permitted & keep,
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, sets).map_err(failed)
}

/// Confines the process, before any other thread runs. The TPM says what it needs besides its state.
pub(crate) fn apply(options: &Options, needs: &Needs) -> Result<(), Failure> {
    // As swtpm it has swtpm's habits, unless told otherwise.
    if !options.confine.unwrap_or(options.program == Program::Vtpmd) {
        return Ok(());
    }
    limits()?;
    // Before Landlock, which itself needs no privilege after this.
    rustix::thread::set_no_new_privs(true).map_err(|e| failure!("--confine: cannot give up new privileges: {e}"))?;
    let mut reach = reach(options);
    reach.connect = needs.port;
    reach.change.extend(needs.files.iter().cloned());
    let capable = needed(&reach);
    if uses_keys(options) && options.seccomp == Some(SeccompAction::None) {
        // Some key managers are programs and services, with files that are not known here.
        say!("with --seccomp action=none and a key manager this process is not confined to its files");
    } else if reach.enforce()? == Enforced::No {
        say!("this kernel has no Landlock: the process is not confined to its files");
    }
    capabilities(capable)
}

#[cfg(test)]
mod tests;
